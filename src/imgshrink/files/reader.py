"""The one reader of files: it looks at what a path is, and how large, before it reads a byte."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..core.errors import Unreadable

LARGEST = 256 * 2**20
"""Bytes of the largest file that is read."""

# Without O_NONBLOCK opening a FIFO waits for its other end; O_NOCTTY keeps a terminal from becoming ours.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY"))
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def read(path: Path, *, largest: int = LARGEST, follow: bool = True) -> bytes:
    """Return the bytes of the plain file at `path`; with `follow` false a symlink is no plain file.

    Raises `Unreadable`, whose text is the reason without the path: no such file, no permission, a device, a FIFO, or
    more than `largest` bytes (`large` is True then).
    """
    try:
        _require_readable(path.stat() if follow else path.lstat(), largest)
        file = os.open(path, _READ | (0 if follow else _NOFOLLOW))
        with open(file, "rb") as reader:  # noqa: PTH123  an open file
            size = _require_readable(os.fstat(file), largest)
            data = reader.read(size + 1)
    except OSError as error:
        raise Unreadable(f"can't be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise Unreadable("can't be read: not enough memory") from error
    if len(data) > size:
        raise Unreadable("can't be read: it is still being written")
    return data


def _require_readable(status: os.stat_result, largest: int) -> int:
    """Return the size of a plain file that is not too large; raises `Unreadable` for everything else."""
    if stat.S_ISLNK(status.st_mode):
        raise Unreadable("can't be read: a symlink")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(f"can't be read: {'a folder' if stat.S_ISDIR(status.st_mode) else 'not a plain file'}")
    if status.st_size > largest:
        raise Unreadable(f"larger than {largest // 2**20} MiB", large=True)
    return status.st_size
