"""The server's SQLite file: its tables and durable transactions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import SettingsError

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    monthly_limit INTEGER NOT NULL,
    created REAL NOT NULL,
    revoked REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS keys_in_force ON keys (name) WHERE revoked IS NULL;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL,
    month TEXT NOT NULL,
    accepted REAL NOT NULL,
    format TEXT NOT NULL,
    quality INTEGER NOT NULL,
    body_digest TEXT NOT NULL,
    idempotency TEXT,
    original_name TEXT NOT NULL UNIQUE,
    optimized_name TEXT NOT NULL UNIQUE,
    original_size INTEGER NOT NULL,
    optimized_size INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'queued',
    tries INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    leased_until REAL NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    expires REAL,
    message TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, id);
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (expires);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_once ON jobs (key_id, idempotency) WHERE idempotency IS NOT NULL;
CREATE TABLE IF NOT EXISTS months (
    key_id TEXT NOT NULL,
    month TEXT NOT NULL,
    format TEXT NOT NULL,
    accepted INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    original_bytes INTEGER NOT NULL DEFAULT 0,
    optimized_bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, month, format)
);
CREATE TABLE IF NOT EXISTS stored (bytes INTEGER NOT NULL);
INSERT INTO stored SELECT 0 WHERE NOT EXISTS (SELECT * FROM stored);
"""

NAME = "server.sqlite3"
VERSION = 1
_BUSY_SECONDS = 30.0


class UnusableDatabase(SettingsError):
    """The file can't be created, or belongs to another program or version; the text names the cure."""


class Database:
    """One connection for writing and one for reading, each for one thread at a time; processes may share the file."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        self._writing, self._reading = threading.RLock(), threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._writer = _connect(path)
            path.chmod(0o600)
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute("PRAGMA synchronous = FULL")
            self._create(path)
        except (sqlite3.DatabaseError, OSError) as error:
            raise UnusableDatabase(f"{path} can't be used: {error}") from error
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")

    def _create(self, path: Path) -> None:
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise UnusableDatabase(
                    f"{path} was written by another version: update imgshrink, or choose another --data"
                )
            for statement in SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Exclude all other writers of all processes; commit durably at the end, roll back if the block raises."""
        with self._writing:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give one consistent snapshot for reading, without waiting for writers."""
        with self._reading:
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection
