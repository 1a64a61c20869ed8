"""The queue as requests see it: what is accepted, what is known of it, what is forgotten after a day."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence

from . import months
from .database import Database
from .jobs import Job, Upload, read_job
from .keys import Key
from .limits import Limits
from .months import Json

GRACE = 60.0
"""Seconds that files stay after their day, for downloads that have begun."""


class Full(Exception):
    """The server has taken all it can hold for now; the text says what is full."""


class QuotaUsed(Exception):
    """The key has spent its month."""


class KeyReused(Exception):
    """The `Idempotency-Key` was sent before, with another body."""


class Store:
    """Every method is one transaction; safe from any thread and from several processes."""

    def __init__(self, database: Database, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def accept(self, key: Key, upload: Upload) -> tuple[Job, bool]:
        """Take an image into the queue and reserve its place in the quota; return it, and whether it is a new one.

        The same `Idempotency-Key` and body within a day give the job there is. Raises `KeyReused`, `QuotaUsed`, `Full`.
        """
        now = self._clock()
        with self._database.transaction() as connection:
            if upload.idempotency and (known := self._known(connection, key, upload, now)):
                return known, False
            self._require_room(connection, key, upload.size, now)
            row = connection.execute(
                "INSERT INTO jobs (key_id, month, accepted, format, quality, body_digest, idempotency, original_name,"
                " optimized_name, original_size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    *(key.id, months.month_of(now), now, upload.format.value, upload.quality, upload.body_digest),
                    *(upload.idempotency, upload.original_name, upload.optimized_name, upload.size),
                ),
            ).fetchone()
            connection.execute("UPDATE stored SET bytes = bytes + ?", (upload.size,))
            months.count(connection, key.id, row["month"], row["format"], accepted=1)
        return read_job(row), True

    def check_room(self, key: Key, size: int, idempotency: str | None) -> None:
        """Raise what `accept` would raise for an image of `size` bytes, before its body is read."""
        asked = (key.id, idempotency)
        with self._database.reading() as connection:
            if not connection.execute("SELECT 1 FROM jobs WHERE key_id = ? AND idempotency = ?", asked).fetchone():
                self._require_room(connection, key, size, self._clock())

    def _known(self, connection: sqlite3.Connection, key: Key, upload: Upload, now: float) -> Job | None:
        asked = (key.id, upload.idempotency)
        row = connection.execute("SELECT * FROM jobs WHERE key_id = ? AND idempotency = ?", asked).fetchone()
        if row is None:
            return None
        if row["accepted"] <= now - self._limits.kept:
            connection.execute("UPDATE jobs SET idempotency = NULL WHERE id = ?", (row["id"],))
            return None
        if (row["body_digest"], row["quality"]) != (upload.body_digest, upload.quality):
            raise KeyReused
        return read_job(row)

    def _require_room(self, connection: sqlite3.Connection, key: Key, size: int, now: float) -> None:
        if months.used(connection, key.id, months.month_of(now)) >= key.monthly_limit:
            raise QuotaUsed
        if self._waiting(connection) >= self._limits.queue:
            raise Full("The queue is full")
        if connection.execute("SELECT bytes FROM stored").fetchone()[0] + size > self._limits.storage:
            raise Full("The storage is full")

    def _waiting(self, connection: sqlite3.Connection) -> int:
        statement = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'leased')"
        return int(connection.execute(statement).fetchone()[0])

    def find(self, key: Key, number: int) -> Job | None:
        """Return a key's own job while it is known; None for everybody else's."""
        return self._one("id = ? AND key_id = ?", number, key.id)

    def original(self, name: str) -> Job | None:
        """Return the job whose original has this name."""
        return self._one("original_name = ?", name)

    def optimized(self, name: str) -> Job | None:
        """Return the completed job whose result has this name."""
        return self._one("optimized_name = ? AND state = 'completed'", name)

    def _one(self, where: str, *values: object) -> Job | None:
        statement = f"SELECT * FROM jobs WHERE {where} AND (expires IS NULL OR expires > ?)"  # noqa: S608 - our own words
        with self._database.reading() as connection:
            row = connection.execute(statement, (*values, self._clock())).fetchone()
        return read_job(row) if row else None

    def usage(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/usage` for a key."""
        with self._database.reading() as connection:
            return months.usage(connection, key.id, self._clock())

    def stats(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/stats` for a key."""
        with self._database.reading() as connection:
            return months.stats(connection, key.id, key.monthly_limit, self._clock())

    def expired(self, most: int = 500) -> list[Job]:
        """Return jobs whose day is over; their files may go, then they."""
        statement = "SELECT * FROM jobs WHERE expires <= ? ORDER BY expires LIMIT ?"
        with self._database.reading() as connection:
            return [read_job(row) for row in connection.execute(statement, (self._clock() - GRACE, most))]

    def forget(self, jobs: Sequence[Job]) -> None:
        """Drop these jobs; what they add to the months stays."""
        with self._database.transaction() as connection:
            for job in jobs:
                if connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,)).rowcount:
                    connection.execute("UPDATE stored SET bytes = bytes - ?", (job.original_size + job.optimized_size,))

    def knows_file(self, name: str) -> bool:
        """Whether a file of this name belongs to a job."""
        statement = "SELECT 1 FROM jobs WHERE original_name = ? OR optimized_name = ?"
        with self._database.reading() as connection:
            return connection.execute(statement, (name, name)).fetchone() is not None
