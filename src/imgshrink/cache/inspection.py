"""Inspects the cache's database before diskcache opens it, and reads it where nothing may be written.

A database can come from anywhere (a CI's cache, a shared disk). diskcache would run the SQL that it holds (triggers,
views) and would set any attribute of its own that a row of the settings table names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from .disk import LOOKS, SETTINGS, StrictDisk

NAME = "cache.db"
JOURNAL = f"{NAME}-journal"
PARTS = (NAME, f"{NAME}-wal", f"{NAME}-shm", JOURNAL)
WAL_MODE = b"\2\2"  # https://www.sqlite.org/fileformat2.html#file_format_version_numbers
PAGE = 4096  # SQLite's default
ASIDE = "broken"
SECONDS = 2.0
# Hashes of what sqlite_master lists once diskcache 5.6.3 has made its tables.
SCHEMA = frozenset(
    (
        "1609245ab9385ad3 20449cc051481e07 288284b4c5dac98a 314f99712c1a0440 7c77a1c1b40a9c03 aac61ccafe9c61bb "
        "aae37c3acd1d6a1d b6aea2528f5e2c65 b9221b950916e1eb c3e6e14c99048362 "
    ).split()
)
METADATA = ("count", "size", "hits", "misses")


class Broken(Exception):
    """The database is damaged, or holds something that diskcache and imgshrink did not write."""


def connect(folder: Path, *, mode: str = "rw") -> sqlite3.Connection:
    """Open the existing database in `folder` without diskcache; `mode` is `rw`, `ro` or `immutable`."""
    query = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
    path = quote(os.fsencode((folder / NAME).absolute()))
    return sqlite3.connect(f"file:{path}?{query}", uri=True, timeout=SECONDS, isolation_level=None)


def inspect(folder: Path, *, mode: str = "rw", thorough: bool = False) -> None:
    """Raise `Broken` unless the database is intact and holds only what a cache holds; `thorough` reads every page.

    A database whose creation was cut off by a killed process passes: diskcache completes it.
    """
    if os.path.islink(folder / NAME):
        raise Broken("it is a symlink")
    if os.path.lexists(folder / JOURNAL):
        # SQLite would roll it back, and delete the file that it names as its master. In WAL mode there is none.
        raise Broken("it has a journal that is not the cache's")
    try:
        with closing(connect(folder, mode=mode)) as database:
            _inspect(database, thorough=thorough)
    except sqlite3.OperationalError:
        raise  # locked, unreadable or a folder: its content is unknown
    except sqlite3.DatabaseError as error:
        raise Broken(str(error)) from error


def _inspect(database: sqlite3.Connection, *, thorough: bool) -> None:
    found = schema(database)
    if not found:
        return
    if not found <= SCHEMA:
        raise Broken("it holds tables or triggers that are not the cache's")
    settings = dict(database.execute("SELECT key, value FROM Settings LIMIT 100").fetchall())
    if not {name: value for name, value in settings.items() if name not in METADATA}.items() <= SETTINGS.items():
        raise Broken("it holds settings that are not the cache's")
    if thorough and database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise Broken("it is damaged")


def schema(database: sqlite3.Connection) -> frozenset[str]:
    """Return a hash of each table, index, trigger and view in the database, its SQL included."""
    listed = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 100").fetchall()
    return frozenset(hashlib.sha256(repr(row).encode()).hexdigest()[:16] for row in listed)


def is_unfinished(folder: Path) -> bool:
    """Return whether a process was killed while it created the database: there is a journal, and no table yet.

    The change to WAL mode, which comes before the tables, uses a journal too; a table does not fit into one page.
    """
    if not os.path.lexists(folder / JOURNAL) or os.path.islink(folder / NAME):
        return False
    with (folder / NAME).open("rb") as database:
        start = database.read(PAGE + 1)
    return start[18:20] != WAL_MODE or len(start) <= PAGE


def move_aside(folder: Path) -> None:
    """Move the database's files into a subfolder, replacing those moved there before; raises `OSError`."""
    aside = folder / ASIDE
    if os.path.islink(aside):
        aside.unlink()
    aside.mkdir(exist_ok=True)
    for name in PARTS:
        with contextlib.suppress(FileNotFoundError):
            (aside / name).unlink()
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(aside / name)


class Reader:
    """Reads a cache that may not be written; changes no row, no setting and no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._disk = StrictDisk(str(folder))
        self._local = threading.local()
        self.mode = self._working_mode()

    def get(self, key: str) -> bytes | None:
        """Return the record under `key`, or None; raises one of `disk.ERRORS`."""
        query = "SELECT mode, filename, value FROM Cache WHERE key = ? AND raw = 1"
        for _ in range(LOOKS):
            row = self._connection().execute(query, (key,)).fetchone()
            if row is None:
                break
            mode, name, value = row
            with contextlib.suppress(FileNotFoundError):
                return self._disk.fetch(mode, name, value, False)
        return None

    def has(self, key: str) -> bool:
        """Return whether there is a record under `key`; raises one of `disk.ERRORS`."""
        found = self._connection().execute("SELECT 1 FROM Cache WHERE key = ? AND raw = 1", (key,)).fetchone()
        return found is not None

    def close(self) -> None:
        """Close the connection of this thread."""
        if connection := getattr(self._local, "connection", None):
            connection.close()
            self._local = threading.local()

    def _working_mode(self) -> str:
        # A database in WAL mode needs its -shm file; where that can't be created, it is read as immutable.
        try:
            inspect(self._folder, mode="ro")
        except sqlite3.OperationalError:
            inspect(self._folder, mode="immutable")
            return "immutable"
        return "ro"

    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(self._folder, mode=self.mode)
        found: sqlite3.Connection = self._local.connection
        return found
