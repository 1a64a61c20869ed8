"""A baseline lists images that stay as they are, by the SHA-256 of their bytes: a start for old repositories."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import shown
from ..files.atomic import write

LINE = re.compile(r"([0-9a-f]{64})(?:\s.*)?")
HEADING = (
    "# Images that imgshrink leaves as they are, by the SHA-256 of their bytes. Remove a line to have one shrunk.\n"
)


def read_baseline(path: Path) -> frozenset[str]:
    """Return the hashes listed in the file at `path`; raises `SettingsError` that names the file and the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise SettingsError(f"{shown(path)} can't be read as a baseline: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{shown(path)} is no baseline: it is not text") from error
    return frozenset(_hash(path, number, line) for number, line in enumerate(lines, 1) if line and line[0] != "#")


def _hash(path: Path, number: int, line: str) -> str:
    match = LINE.fullmatch(line)
    if not match:
        raise SettingsError(f"{shown(path)}: line {number} is no SHA-256; write it anew with check --write-baseline")
    return match[1]


def write_baseline(path: Path, images: Iterable[tuple[str, str]]) -> int:
    """List `images`, as hash and name, in the file at `path`, and return how many; raises `Unwritable`."""
    rows = sorted({(name, digest) for digest, name in images})
    write(path, (HEADING + "".join(f"{digest}  {_plain(name)}\n" for name, digest in rows)).encode())
    return len(rows)


def _plain(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)
