"""Copies a data folder into the database and the store of many nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Result, RowMapping, Select, Table, func, insert, select, text

from ..core.errors import SettingsError
from .backend import Places, folder_of, open_backend, open_blobs
from .blobs import ORIGINALS, RESULTS, Blobs, Missing
from .data_lock import locked
from .database import NAME, Database
from .limits import Limits
from .tables import jobs, keys, months, storage

TABLES = (keys, months, storage, jobs)
THREADS = 8
ROWS = 500
"""Rows of a table, and names of images, that are in memory at once."""


@dataclass(frozen=True)
class Migrated:
    """How many keys, jobs and images were copied, and how many images were gone."""

    keys: int
    jobs: int
    images: int
    gone: int


def migrate(places: Places) -> Migrated:
    """Copy what is in the data folder to the database and the store, which must be new; the folder stays as it is.

    Safe to repeat after an interruption: images are copied first, then all rows in one transaction. Raises
    `SettingsError`, also while a server uses the folder.
    """
    if not (places.database and places.blobs):
        raise SettingsError("migrate needs --database and --blobs: where keys, jobs and images of --data go")
    if not os.path.isfile(places.data / NAME):
        raise SettingsError(f"{places.data} holds no server's data: name its folder with --data")
    if places.blobs.startswith("file:") and folder_of(places.blobs).resolve() == places.data.resolve():
        raise SettingsError("--blobs names the folder that is migrated: choose another one, or a bucket")
    limits = Limits()
    with (
        locked(places.data),
        closing(Database(places.data)) as source,
        open_backend(places, limits) as target,
        closing(target.database),
        source.reading() as old,
    ):
        _require_new(target.database)
        images, gone = _copy_images(old, open_blobs(Places(places.data), limits), target.blobs)
        with target.database.transaction() as new:
            counts = {table: _copy_rows(old, new, table) for table in TABLES}
            new.execute(text("SELECT setval(pg_get_serial_sequence('jobs', 'id'), :last)"), {"last": _last(old)})
        target.mend()
    return Migrated(counts[keys], counts[jobs], images, gone)


def _require_new(database: Database) -> None:
    with database.reading() as connection:
        if connection.scalar(select(func.count()).select_from(keys)):
            raise SettingsError("the database has keys already: migrate into a new one")


def _copy_images(old: Connection, source: Blobs, target: Blobs) -> tuple[int, int]:
    def copy(image: tuple[str, str]) -> bool:
        try:
            data = source.get(*image)
        except Missing:
            return False
        target.put(*image, data)
        return True

    images, copied, seen = _images(old), 0, 0
    with ThreadPoolExecutor(THREADS) as threads:
        while batch := list(islice(images, ROWS)):
            copied += sum(threads.map(copy, batch))
            seen += len(batch)
    return copied, seen - copied


def _images(old: Connection) -> Iterator[tuple[str, str]]:
    for row in _streamed(old, select(jobs.c.original_name, jobs.c.result_name)):
        yield ORIGINALS, row.original_name
        if row.result_name:
            yield RESULTS, row.result_name


def _copy_rows(old: Connection, new: Connection, table: Table) -> int:
    copied = 0
    for rows in _streamed(old, select(table)).mappings().partitions():
        new.execute(insert(table), [_row(row) for row in rows])
        copied += len(rows)
    return copied


def _streamed(old: Connection, rows: Select[Any]) -> Result[Any]:
    """Return rows that are fetched a batch at a time."""
    return old.execute(rows, execution_options={"yield_per": ROWS})


def _row(row: RowMapping) -> dict[str, object]:
    """Return a row as it goes into a new database: what was in work when the server ended waits again."""
    return {**row, "state": "queued"} if row.get("state") == "leased" else dict(row)


def _last(old: Connection) -> int:
    """Return the highest number ever given, so that none is given twice."""
    last = old.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'"))
    return max(1, int(last or 1))
