"""The images on disk: originals as they came, results as they were made, each under its own random name."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ..core.model import Format
from .limits import Limits

STRAY_SECONDS = 3600.0


class Folder:
    """Two folders of files. Names come from `new_name` and the database only, never from a request."""

    def __init__(self, place: Path, limits: Limits) -> None:
        self._limits = limits
        self._originals, self._results = place / "originals", place / "results"
        for folder in (self._originals, self._results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def original(self, name: str) -> Path:
        """Where the original of this name lies."""
        return self._originals / name

    def result(self, name: str) -> Path:
        """Where the result of this name lies."""
        return self._results / name

    def free(self) -> bool:
        """Whether the disk has room for more."""
        return shutil.disk_usage(self._originals).free > self._limits.free

    def keep_original(self, name: str, data: bytes) -> None:
        """Write an original through to the disk."""
        _write(self.original(name), data)

    def prepare_result(self, name: str, token: int, data: bytes) -> Path:
        """Write a result beside its place, under a name that no other lease has."""
        path = self._results / f"{name}.{token}"
        _write(path, data)
        return path

    def place_result(self, prepared: Path, name: str) -> None:
        """Move a prepared result to its place, at once or not at all."""
        prepared.replace(self.result(name))
        _sync_folder(self._results)

    def remove(self, original_name: str, optimized_name: str) -> None:
        """Delete the files of one job, those that are there."""
        self.original(original_name).unlink(missing_ok=True)
        self.result(optimized_name).unlink(missing_ok=True)

    def old(self) -> Iterator[Path]:
        """Every file that is older than any upload or try at an image can be."""
        before = time.time() - STRAY_SECONDS
        for folder in (self._originals, self._results):
            for entry in os.scandir(folder):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    yield Path(entry.path)


def new_name(format: Format) -> str:
    """Return a file name that nobody can guess: 128 random bits and the usual extension."""
    return secrets.token_hex(16) + format.extension


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
