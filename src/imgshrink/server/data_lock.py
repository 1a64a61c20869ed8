"""Keeps a second server away from the data folder of a running one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..core.errors import SettingsError

NAME = "server.lock"


class DataFolderInUse(SettingsError):
    """Another server uses the data folder; the text names the cure."""


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Create `data` if needed and hold its lock, which the system releases when the process ends, however it ends.

    Raises `DataFolderInUse`, or `SettingsError` where it can't be locked.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(data / NAME)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise DataFolderInUse(
            f"{data} is used by another imgshrink server: stop it first, or choose another --data"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise SettingsError(f"{data} can't be used: {error}") from error
    try:
        yield
    finally:
        lock.release()
