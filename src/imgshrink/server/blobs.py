"""Originals and results as files, each under a random name."""

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


class BlobStore:
    """Two folders of files. Names come from `new_name` and the database, never from a request."""

    def __init__(self, data: Path, limits: Limits) -> None:
        self._limits = limits
        self._originals, self._results = data / "originals", data / "results"
        for folder in (self._originals, self._results):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def original(self, name: str) -> Path:
        """Return the path of the original with this name."""
        return self._originals / name

    def result(self, name: str) -> Path:
        """Return the path of the result with this name."""
        return self._results / name

    def has_space(self) -> bool:
        """Whether the disk has more than the reserved free space."""
        return shutil.disk_usage(self._originals).free > self._limits.free

    def store_original(self, name: str, data: bytes) -> None:
        """Write an original and sync it to the disk."""
        _write(self.original(name), data)

    def prepare_result(self, name: str, token: int, data: bytes) -> Path:
        """Write a result to a temporary path that no other lease uses, and return that path."""
        path = self._results / f"{name}.{token}"
        _write(path, data)
        return path

    def place_result(self, prepared: Path, name: str) -> None:
        """Rename a prepared result to its final path, atomically."""
        prepared.replace(self.result(name))
        _sync_folder(self._results)

    def remove(self, original_name: str, optimized_name: str) -> None:
        """Delete the files of one job, if they exist."""
        self.original(original_name).unlink(missing_ok=True)
        self.result(optimized_name).unlink(missing_ok=True)

    def old_files(self) -> Iterator[Path]:
        """Yield the files that are older than any upload or try in progress can be."""
        before = time.time() - STRAY_SECONDS
        for folder in (self._originals, self._results):
            for entry in os.scandir(folder):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    yield Path(entry.path)


def new_name(format: Format) -> str:
    """Return an unguessable file name: 128 random bits and the extension of `format`."""
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
