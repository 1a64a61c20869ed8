"""Opens the cache: replaced if it is damaged or foreign, and only read if it can't be written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..files.locks import FileLocks
from . import inspection
from .disk import LOOKS, Foreign, Timeout, open_cache
from .inspection import Broken, Reader

Note = Callable[[str, str], None]
WAIT = 10.0
TAG = "Signature: 8a477f597d28d172789f06886806bc55"  # https://bford.info/cachedir/


class Store:
    """A diskcache that removes the file of a store that fails."""

    mode = "rw"

    def __init__(self, cache: Any) -> None:  # noqa: ANN401  an untyped library
        self._cache = cache

    def get(self, key: str) -> bytes | None:
        """Return the record under `key`, or None; raises one of `disk.ERRORS`."""
        for _ in range(LOOKS):
            found: bytes | None = self._cache.get(key)
            if found is not None or key not in self._cache:
                return found
        return None

    def has(self, key: str) -> bool:
        """Return whether there is a record under `key`; raises one of `disk.ERRORS`."""
        return key in self._cache

    def set(self, key: str, value: bytes, *, tag: str) -> None:
        """Store a record; raises one of `disk.ERRORS`."""
        try:
            self._cache.set(key, value, tag=tag)
        except BaseException:
            self._cache.disk.forget()
            raise

    def close(self) -> None:
        """Close the connection of this thread; the others end with their threads."""
        self._cache.close()


def open_store(folder: Path, *, writable: bool, note: Note) -> Store | Reader:
    """Open the cache in `folder`, replacing a damaged or foreign one; raises if the folder can't be used at all."""
    if not writable:
        return Reader(folder)
    try:
        return _open_writable(folder, note)
    except (OSError, sqlite3.OperationalError) as error:
        if not os.path.isfile(folder / inspection.NAME):
            raise
        try:
            reader = Reader(folder)
        except (Broken, OSError, sqlite3.Error):
            raise error from None
        note("open", f"can only be read: the results of this run are not stored ({error})")
        return reader


def renew(folder: Path, *, note: Note) -> None:
    """Move the database aside if a thorough inspection finds it damaged; raises if that fails."""
    with _alone(folder):
        try:
            inspection.inspect(folder, thorough=True)
        except Broken as broken:
            _replace(folder, broken, note)


def is_locked(error: Exception) -> bool:
    """Whether `error` says that another process has held the database for as long as we wait."""
    return isinstance(error, Timeout) or (isinstance(error, sqlite3.OperationalError) and "locked" in str(error))


def is_damage(error: Exception) -> bool:
    """Return whether `error` says that the database itself is damaged."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


def is_foreign(error: Exception) -> bool:
    """Return whether `error` says that imgshrink did not write a row or a file."""
    return isinstance(error, Foreign)


def why(error: BaseException) -> str:
    """Return what went wrong, in one line."""
    # diskcache hides what the database said behind an empty Timeout.
    cause = error.__context__ if not str(error) and error.__context__ is not None else error
    return " ".join(str(cause).split()) or type(cause).__name__


def _open_writable(folder: Path, note: Note) -> Store:
    _make(folder)
    try:
        inspection.inspect(folder)
    except (Broken, sqlite3.OperationalError):
        # Damaged, missing, or being created by another process: only one process acts.
        with _alone(folder):
            _mend(folder, note)
            return _opened(folder)
    return _opened(folder)


def _opened(folder: Path) -> Store:
    """Open the cache once it can be written: diskcache would repeat each of its first statements for 60 seconds."""
    if os.path.lexists(folder / inspection.NAME):
        with contextlib.closing(inspection.connect(folder)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
    return Store(open_cache(folder))


def _mend(folder: Path, note: Note) -> None:
    if not os.path.lexists(folder / inspection.NAME):
        return
    try:
        inspection.inspect(folder)
    except Broken as broken:
        _replace(folder, broken, note)


def _replace(folder: Path, broken: Broken, note: Note) -> None:
    unfinished = inspection.is_unfinished(folder)
    inspection.move_aside(folder)
    if not unfinished:
        note("broken", f"was replaced by a new one, the old one is in its folder {inspection.ASIDE!r} ({broken})")


def _make(folder: Path) -> None:
    """Create the folders, for this user only, and keep them out of git and backups."""
    if os.path.islink(folder):
        raise OSError(f"{folder} is a symlink")
    if os.path.isdir(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        (folder / "CACHEDIR.TAG").write_text(f"{TAG}\n", encoding="ascii")


@contextlib.contextmanager
def _alone(folder: Path) -> Any:  # noqa: ANN401  a generator for contextmanager
    locks = FileLocks(folder.parent / "claims")
    with locks.hold(f"open {os.fspath(folder)}", deadline=time.monotonic() + WAIT, stop=threading.Event()) as ours:
        if not ours:
            raise OSError("another process has been opening it for too long")
        yield
