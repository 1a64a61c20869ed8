"""A strict diskcache: text keys, bytes values, no pickle anywhere, no file outside the cache's folder.

diskcache 5.6.3 unpickles keys and values and trusts the file names in its database (CVE-2025-69872 and more).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import diskcache  # type: ignore[import-untyped]  # ships no types

from .record import MAX_RECORD

# Every setting is given, or the database would choose it. No mmap: a truncated file would raise SIGBUS.
SETTINGS: dict[str, int | str] = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "none",
    "size_limit": 2**62,
    "cull_limit": 0,
    "sqlite_auto_vacuum": 1,
    "sqlite_cache_size": 2**11,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,
    "sqlite_synchronous": 1,
    "disk_min_file_size": 2**13,
    "disk_pickle_protocol": 0,
}
TIMEOUT = 5.0
NAMES = 10
LOOKS = 10
"""How often a read is repeated: a process that stores a large record again removes the file that the old row names."""
RAW, BINARY = 1, 2
VALUE_NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{30}\.val)")
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Foreign(Exception):
    """A row or a file that imgshrink did not write."""


class StrictDisk(diskcache.Disk):  # type: ignore[misc]  # an untyped base
    """Stores and returns text keys and bytes values; anything else raises `Foreign`."""

    def __init__(self, directory: str, min_file_size: int = 0, pickle_protocol: int = 0) -> None:
        super().__init__(directory, min_file_size=min_file_size, pickle_protocol=pickle_protocol)
        self._last = threading.local()

    def put(self, key: Any) -> tuple[str, bool]:  # noqa: ANN401  diskcache hands in anything
        """Return the key as the database holds it."""
        if type(key) is not str:
            raise Foreign(f"a key of type {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:  # noqa: ANN401  as above
        """Return the key of a row."""
        if type(key) is not str or raw not in (1, True):
            raise Foreign("a key that is not text")
        return key

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, str | None, bytes | None]:  # noqa: ANN401, ARG002  as above
        """Return size, mode, file name and inline value of a row; large values are written to their file."""
        if type(value) is not bytes or read:
            raise Foreign(f"a value of type {type(value).__name__}")
        self._last.name = None
        if len(value) < self.min_file_size:
            return 0, RAW, None, value
        name, path = self.filename()
        self._last.name = name
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("xb") as file:
            file.write(value)
        return len(value), BINARY, name, None

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> bytes:  # noqa: ANN401  as above
        """Return the value of a row; raises `FileNotFoundError` where its file is gone."""
        if read:
            raise Foreign("a value asked for as a file")
        if mode == RAW and type(value) is bytes:
            return value
        if mode == BINARY and value is None:
            return self._read(self._confined(filename))
        raise Foreign("a value that is not bytes")

    def filename(self, key: Any = None, value: Any = None) -> tuple[str, str]:  # noqa: ANN401, ARG002  as above
        """Return a new random name and its path."""
        for _ in range(NAMES):
            drawn = secrets.token_hex(16)
            name = f"{drawn[:2]}/{drawn[2:]}.val"
            with contextlib.suppress(Foreign):
                return name, str(self._confined(name))
        raise Foreign("symlinks among the cache's folders")

    def remove(self, file_path: Any) -> None:  # noqa: ANN401  as above
        """Remove the file of a value; anything else, folders included, is left alone."""
        with contextlib.suppress(OSError, Foreign):
            self._confined(file_path).unlink()

    def forget(self) -> None:
        """Remove the file that the last, failed store of this thread has written."""
        if name := getattr(self._last, "name", None):
            self.remove(name)

    def _confined(self, name: Any) -> Path:  # noqa: ANN401  as above
        """Return the path of a value's file; its folder must not be a symlink."""
        found = VALUE_NAME.fullmatch(name.replace(os.sep, "/")) if type(name) is str else None
        if found is None:
            raise Foreign("a file name that is not a value's")
        folder = Path(self._directory, found[1])
        if os.path.islink(folder):
            raise Foreign("a symlink among the cache's folders")
        return folder / found[2]

    @staticmethod
    def _read(path: Path) -> bytes:
        try:
            file = os.open(path, _READ)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Foreign(f"a value's file that can't be read: {error.strerror}") from error
        with open(file, "rb") as reader:  # noqa: PTH123  an open file
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_RECORD:
                raise Foreign("a value's file that is not a plain file")
            return reader.read()


def open_cache(folder: Path) -> diskcache.Cache:
    """Open the diskcache in `folder` with our settings; raises one of `ERRORS`."""
    if os.path.expandvars(folder) != str(folder):
        raise OSError("its path looks like a variable, which diskcache would expand")
    return diskcache.Cache(str(folder), timeout=TIMEOUT, disk=StrictDisk, **SETTINGS)


Timeout = diskcache.Timeout
ERRORS: tuple[type[Exception], ...] = (OSError, sqlite3.Error, diskcache.Timeout, Foreign)
