"""Where a server keeps what it knows: a data folder, or a database and a bucket that many nodes share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..core.errors import SettingsError
from .blobs import Blobs, FolderBlobs
from .data_lock import DataFolderInUse, locked
from .database import SCALE_EXTRA, Database, is_of_earlier_version, postgresql_url
from .dispatch import Dispatcher, Threads
from .limits import Limits


@dataclass(frozen=True)
class Places:
    """The data folder, the URL of a PostgreSQL database and the URL of a bucket; a URL may be ""."""

    data: Path
    database: str = ""
    blobs: str = ""

    def __str__(self) -> str:
        """For the operator, without passwords."""
        database = f"database {postgresql_url(self.database).host or 'localhost'}" if self.database else ""
        kept = database or f"data in {self.data}"
        return f"{kept}, images in {self.blobs}" if self.blobs else kept


@dataclass(frozen=True)
class Backend:
    """A database, a store of images, and who works on which job. `mend` puts lost jobs into the queue again."""

    database: Database
    blobs: Blobs
    dispatcher: Dispatcher
    mend: Callable[[], None]


@contextmanager
def open_backend(places: Places, limits: Limits) -> Iterator[Backend]:
    """Open what the places name; a data folder belongs to one server at a time. Raises `SettingsError`."""
    if places.database:
        yield _shared(places, limits)
        return
    with locked(places.data):
        database = Database(places.data)
        yield Backend(database, open_blobs(places, limits), Threads(), lambda: None)


def open_database(places: Places) -> Database:
    """Open the database alone, which a running server may use too, unless it is one of an earlier version."""
    if places.database:
        return Database(places.database)
    if not is_of_earlier_version(places.data):
        return Database(places.data)
    try:
        with locked(places.data):
            return Database(places.data)
    except DataFolderInUse as error:
        raise SettingsError(
            f"the server that uses {places.data} is of an earlier version: restart it with this version first"
        ) from error


def open_blobs(places: Places, limits: Limits) -> Blobs:
    """Return the store of images at a URL, by default in the data folder. Raises `SettingsError`."""
    if not places.blobs:
        return FolderBlobs(places.data, limits)
    if places.blobs.startswith("file:"):
        return FolderBlobs(folder_of(places.blobs), limits, shared=True)
    try:
        from .buckets import BucketBlobs
    except ModuleNotFoundError as error:
        raise SettingsError(SCALE_EXTRA) from error
    return BucketBlobs(places.blobs)


def folder_of(url: str) -> Path:
    """Return the folder that a `file:` URL names. Raises `SettingsError`."""
    parts = urlsplit(url)
    folder = Path(url2pathname(parts.path))
    if parts.netloc or parts.query or parts.fragment or not folder.is_absolute():
        raise SettingsError(f"--blobs names a folder as file:///srv/images, with three slashes, not {url!a}")
    return folder


def _shared(places: Places, limits: Limits) -> Backend:
    postgresql_url(places.database)
    if not places.blobs:
        raise SettingsError("--database needs --blobs, where all nodes find the images: a bucket, or a shared folder")
    database = Database(places.database)
    try:
        from .pgqueue import PgQueue
    except ModuleNotFoundError as error:
        raise SettingsError(SCALE_EXTRA) from error
    assert database.postgresql is not None
    queue = PgQueue(database.postgresql, limits.lease)
    queue.prepare()
    return Backend(database, open_blobs(places, limits), queue, lambda: queue.mend(database))
