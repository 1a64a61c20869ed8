"""One process at a time for one key: a file lock each, which the system takes back from a process that dies."""

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
    """Hands out claims on keys, between all processes that name the same `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._ready: bool | None = None

    @contextmanager
    def claim(self, key: str, *, deadline: float | None, stop: threading.Event) -> Iterator[bool]:
        """Hold `key` for the context: True if it is ours, False if others held it until `deadline` or `stop`.

        `deadline` is monotonic seconds, None for no end; one try is always made. Where the folder can't be written,
        everything is ours: without coordination, but never in the way.
        """
        lock = self._file_lock(key)
        held = lock is None or self._acquire(lock, deadline, stop)
        try:
            yield held
        finally:
            if lock is not None and lock.is_locked:
                lock.release()

    def _file_lock(self, key: str) -> BaseFileLock | None:
        if not self._prepared():
            return None
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return _file_lock(self._folder / f"{name}.lock")

    def _acquire(self, lock: BaseFileLock, deadline: float | None, stop: threading.Event) -> bool:
        from filelock import Timeout

        while True:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                left = POLL if deadline is None else deadline - time.monotonic()
                if left <= 0 or stop.wait(min(left, POLL)):
                    return False
            except (OSError, NotImplementedError):
                return True
            else:
                _touch(Path(lock.lock_file))
                return True

    def _prepared(self) -> bool:
        with self._lock:
            if self._ready is None:
                self._ready = self._prepare()
            return self._ready

    def _prepare(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._folder / ".gitignore").write_text("*\n", encoding="ascii")
        except OSError:
            return False
        _sweep(self._folder, before=time.time() - STALE)
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
    """Remove the lock files that nobody has held since `before`, each while it is held by us."""
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


TICK = 0.1


class KeyedLock:
    """Hands out turns by name; who waits for one watches the stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._taken: set[str] = set()

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Enter with True once the turn is ours, with False when the run was stopped before."""
        ours = self._take(name)
        try:
            yield ours
        finally:
            if ours:
                self._give_back(name)

    def _take(self, name: str) -> bool:
        with self._changed:
            while name in self._taken:
                if self._stop.is_set():
                    return False
                self._changed.wait(TICK)
            self._taken.add(name)
        return True

    def _give_back(self, name: str) -> None:
        with self._changed:
            self._taken.remove(name)
            self._changed.notify_all()
