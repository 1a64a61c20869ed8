"""Originals and results, each under a random name: the Protocol, and a folder of files."""

from __future__ import annotations

import logging
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from ..core.errors import EngineError, Unavailable
from ..core.model import Format
from .limits import Limits

log = logging.getLogger("imgshrink.server")

STRAY_SECONDS = 3600.0
ORIGINALS, RESULTS = "originals", "results"

_CHUNK = 1 << 16
_NO_FOLDER = "the store of images: the folder {} is not there: mount it, or start the server again"
_GONE = "folder {}: a file of the {} was deleted: nothing but the server may delete what is younger than three days"


class StoreTrouble(Unavailable):
    """The store did not answer, or not as one; the text is a few words for the log."""


class Missing(EngineError):
    """What should be in the store is not there; `where` says for the log where, and what to do."""

    def __init__(self, where: str) -> None:
        super().__init__("the image is gone")
        self.where = where


@dataclass(frozen=True)
class Blob:
    """What is stored under a name: its size, and its bytes, to be read once."""

    size: int
    chunks: Iterator[bytes]


class Blobs(Protocol):
    """Names come from `new_name` and the database, never from a request. Every method may raise `StoreTrouble`."""

    def has_space(self) -> bool:
        """Whether there is room for another image."""

    def check(self) -> None:
        """Raise if the store does not answer."""

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Store bytes durably. `kind` is `ORIGINALS` or `RESULTS`."""

    def get(self, kind: str, name: str) -> bytes:
        """Return the bytes; raises `Missing`."""

    def open(self, kind: str, name: str) -> Blob | None:
        """Return what is stored, to be read in pieces; None if nothing is."""

    def remove(self, kind: str, name: str) -> None:
        """Delete what is stored, if anything is."""

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield kind and name of what is older than any upload or try in progress can be: most of them have jobs."""


class FolderBlobs:
    """Two folders of files. `shared` is for one that other servers use: what is not known here may be theirs.

    What can't be done is an `OSError` without the file's name; a folder that is not there, such as one that is not
    mounted, is `StoreTrouble`.
    """

    def __init__(self, data: Path, limits: Limits, *, shared: bool = False) -> None:
        self._limits = limits
        self._shared = shared
        self._data = data
        for kind in (ORIGINALS, RESULTS):
            (data / kind).mkdir(parents=True, exist_ok=True, mode=0o700)

    def has_space(self) -> bool:
        """Whether the disk has more than the reserved free space."""
        return shutil.disk_usage(self._data).free > self._limits.free

    def check(self) -> None:
        """Raise `OSError` if a folder can't be read."""
        for kind in (ORIGINALS, RESULTS):
            next(os.scandir(self._data / kind), None)

    def put(self, kind: str, name: str, data: bytes) -> None:
        """Write a file and sync it to the disk."""
        path = self._path(kind, name)
        with _nameless(path.parent):
            self._require_folder(kind)
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)

    def get(self, kind: str, name: str) -> bytes:
        """Return the bytes of a file; raises `Missing`."""
        with _nameless(self._data / kind):
            try:
                return self._path(kind, name).read_bytes()
            except FileNotFoundError:
                self._require_folder(kind)
                raise Missing(_GONE.format(self._data, kind)) from None

    def open(self, kind: str, name: str) -> Blob | None:
        """Open a file."""
        with _nameless(self._data / kind):
            try:
                file = self._path(kind, name).open("rb")
            except FileNotFoundError:
                self._require_folder(kind)
                return None
        return Blob(os.fstat(file.fileno()).st_size, _pieces(file))

    def remove(self, kind: str, name: str) -> None:
        """Delete a file, if it exists."""
        with _nameless(self._data / kind):
            self._require_folder(kind)
            self._path(kind, name).unlink(missing_ok=True)

    def strays(self) -> Iterator[tuple[str, str]]:
        """Yield the old files, unless other servers may know them."""
        if self._shared:
            return
        before = time.time() - STRAY_SECONDS
        for kind in (ORIGINALS, RESULTS):
            for entry in os.scandir(self._data / kind):
                if _changed(entry) < before:
                    yield kind, entry.name

    def _require_folder(self, kind: str) -> None:
        if not os.path.isdir(self._data / kind):
            raise StoreTrouble(_NO_FOLDER.format(self._data / kind)) from None

    def _path(self, kind: str, name: str) -> Path:
        return self._data / kind / name


def discard(blobs: Blobs, kind: str, name: str) -> None:
    """Delete what is not needed; if that fails, it is a stray."""
    try:
        blobs.remove(kind, name)
    except (StoreTrouble, OSError) as error:
        # The name would let everybody who reads the log download the image.
        log.warning("a file of the %s can't be deleted: %s", kind, why(error))


def why(error: StoreTrouble | OSError) -> str:
    """Return the words for the log."""
    return str(getattr(error, "strerror", None) or error)


@contextmanager
def _nameless(folder: Path) -> Iterator[None]:
    """Name the folder in an error, not the file: whoever reads that in the log could download the image."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror or type(error).__name__} (in {folder})") from None


def new_name(format: Format) -> str:
    """Return an unguessable file name: 128 random bits and the extension of `format`."""
    return secrets.token_hex(16) + format.extension


def is_name(text: str) -> bool:
    """Whether `new_name` may have returned it: other text need not be looked for."""
    return re.fullmatch(r"[0-9a-f]{32}\.[a-z]+", text) is not None


def _changed(entry: os.DirEntry[str]) -> float:
    """Return when the file was written last; if it is gone meanwhile it is no stray."""
    with _nameless(Path(entry.path).parent):
        try:
            return entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:
            return math.inf


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_CHUNK):
            yield piece


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
