"""One holder at a time for one key: between threads, and between processes by a file lock for each key.

The operating system releases the file locks of a process that dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


POLL = 0.05
STALE = 86400


class FileLocks:
    """Locks by key, between all processes that use the same `folder`; without a folder, between threads only."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._threads = _ThreadLocks()
        self._guard = threading.Lock()
        self._ready: bool | None = None

    @contextmanager
    def hold(self, key: str, *, deadline: float | None, stop: threading.Event) -> Iterator[bool]:
        """Hold `key` for the context: True if it is held, False if others held it until `deadline` or `stop`.

        `deadline` is in monotonic seconds, None for no limit; at least one attempt is made. Where the folder can't be
        written, only the threads of this process exclude each other, so that a read-only home blocks nobody.
        """
        with self._threads.hold(key, deadline, stop) as first:
            lock = self._file_lock(key) if first else None
            held = first and (lock is None or _acquire(lock, deadline, stop))
            try:
                yield held
            finally:
                if lock is not None and lock.is_locked:
                    lock.release()

    def _file_lock(self, key: str) -> BaseFileLock | None:
        folder = self._folder
        if folder is None or not self._prepared(folder):
            return None
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return _file_lock(folder / f"{name}.lock")

    def _prepared(self, folder: Path) -> bool:
        with self._guard:
            if self._ready is None:
                self._ready = _prepare(folder)
            return self._ready


class _ThreadLocks:
    """Locks by key between the threads of this process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: set[str] = set()

    @contextmanager
    def hold(self, key: str, deadline: float | None, stop: threading.Event) -> Iterator[bool]:
        held = self._acquire(key, deadline, stop)
        try:
            yield held
        finally:
            if held:
                self._release(key)

    def _acquire(self, key: str, deadline: float | None, stop: threading.Event) -> bool:
        with self._changed:
            while key in self._held:
                left = _left(deadline)
                if left <= 0 or stop.is_set():
                    return False
                self._changed.wait(left)
            self._held.add(key)
        return True

    def _release(self, key: str) -> None:
        with self._changed:
            self._held.remove(key)
            self._changed.notify_all()


def _left(deadline: float | None) -> float:
    """Return the seconds until the next attempt, 0 or less once `deadline` has passed."""
    return POLL if deadline is None else min(POLL, deadline - time.monotonic())


def _acquire(lock: BaseFileLock, deadline: float | None, stop: threading.Event) -> bool:
    from filelock import Timeout

    while True:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            left = _left(deadline)
            if left <= 0 or stop.wait(left):
                return False
        except (OSError, NotImplementedError):
            return True
        else:
            _touch(Path(lock.lock_file))
            return True


def _prepare(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError:
        return False
    _sweep(folder, before=time.time() - STALE)
    return True


def _file_lock(path: Path) -> BaseFileLock:
    from filelock import FileLock

    try:
        # The soft lock that newer versions fall back to would stay after a crash.
        return FileLock(path, fallback_to_soft=False)
    except TypeError:
        return FileLock(path)


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _sweep(folder: Path, *, before: float) -> None:
    """Remove the lock files that have not been used since `before`, each while it is held."""
    from filelock import Timeout

    for path in folder.glob("*.lock"):
        with contextlib.suppress(OSError, Timeout, NotImplementedError):
            if path.lstat().st_mtime < before:
                lock = _file_lock(path)
                lock.acquire(blocking=False)
                try:
                    path.unlink()
                finally:
                    lock.release()
