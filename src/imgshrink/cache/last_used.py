"""Stores when each entry was last used: one line an entry, appended once a run to a file beside the database.

The times only decide what is pruned first, so damaged lines and all other problems are ignored.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

NAME = "uses.txt"
LINE = re.compile(rb"([0-9a-z-]{1,128}) ([0-9]{1,12})")
# A use is not written again within a day: most runs have nothing to write.
OFTEN = 86400
FORGOTTEN = 366 * 86400
LARGE = 8 * 10**6
LIMIT = 64 * 10**6
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def write(folder: Path, keys: Iterable[str], now: int) -> None:
    """Record that `keys` were used `now`; never raises."""
    known = read(folder)
    fresh = {key: now for key in keys if not 0 <= now - known.get(key, 0) < OFTEN}
    if not fresh:
        return
    with contextlib.suppress(OSError):
        if _size(folder) < LARGE:
            _put(folder / NAME, fresh, os.O_APPEND)
        else:
            _rewrite(folder, {key: used for key, used in known.items() if used > now - FORGOTTEN} | fresh)


def read(folder: Path) -> dict[str, int]:
    """Return when each entry was last used, in seconds since the epoch, as far as it is known. Never raises."""
    try:
        file = os.open(folder / NAME, os.O_RDONLY | _PLAIN)
    except OSError:
        return {}
    with open(file, "rb") as lines:  # noqa: PTH123  an open file
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
            return {}
        found = [LINE.fullmatch(line) for line in lines.read().split(b"\n")]
    return {line[1].decode(): int(line[2]) for line in found if line is not None}


def _size(folder: Path) -> int:
    try:
        status = (folder / NAME).lstat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else LARGE


def _rewrite(folder: Path, uses: dict[str, int]) -> None:
    beside = folder / f"{NAME}-{secrets.token_hex(8)}"
    try:
        _put(beside, uses, os.O_EXCL)
        beside.replace(folder / NAME)
    finally:
        beside.unlink(missing_ok=True)


def _put(path: Path, uses: dict[str, int], flag: int) -> None:
    # A single write, so that lines appended by several processes do not mix.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | _PLAIN | flag, 0o600)
    try:
        os.write(file, b"\n" + "".join(f"{key} {used}\n" for key, used in sorted(uses.items())).encode())
    finally:
        os.close(file)
