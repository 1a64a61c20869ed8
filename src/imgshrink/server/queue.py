"""The job queue in SQLite: `JobQueue` for requests, `Leases` for the threads that process jobs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from ..core.tinyjpg import Json
from . import usage
from .database import Database
from .jobs import Job, NewJob, read_job
from .keys import Key
from .limits import Limits
from .metrics import FormatTotals, QueueMeasurement

GRACE = 60.0
"""Seconds that files stay after they expire, for downloads in progress."""


class CapacityReached(Exception):
    """The queue or the storage is full; the text says which."""


class QuotaExceeded(Exception):
    """The monthly quota of the key is used up."""


class IdempotencyKeyReused(Exception):
    """The `Idempotency-Key` was sent before with another body."""


class JobQueue:
    """Every method is one transaction, safe for threads and for several processes."""

    def __init__(self, database: Database, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def accept(self, key: Key, upload: NewJob) -> tuple[Job, bool]:
        """Queue an image and count it against the quota; return its job, and whether the job is new.

        The same `Idempotency-Key` and body within a day return the existing job.
        Raises `IdempotencyKeyReused`, `QuotaExceeded` or `CapacityReached`.
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
                    *(key.id, usage.month_of(now), now, upload.format.value, upload.quality, upload.body_digest),
                    *(upload.idempotency, upload.original_name, upload.optimized_name, upload.size),
                ),
            ).fetchone()
            connection.execute("UPDATE stored SET bytes = bytes + ?", (upload.size,))
            usage.count(connection, key.id, row["month"], row["format"], accepted=1)
        return read_job(row), True

    def check_room(self, key: Key, size: int, idempotency: str | None) -> None:
        """Raise what `accept` would raise for an image of `size` bytes, before its body is read."""
        values = (key.id, idempotency)
        with self._database.reading() as connection:
            if not connection.execute("SELECT 1 FROM jobs WHERE key_id = ? AND idempotency = ?", values).fetchone():
                self._require_room(connection, key, size, self._clock())

    def _known(self, connection: sqlite3.Connection, key: Key, upload: NewJob, now: float) -> Job | None:
        values = (key.id, upload.idempotency)
        row = connection.execute("SELECT * FROM jobs WHERE key_id = ? AND idempotency = ?", values).fetchone()
        if row is None:
            return None
        if row["accepted"] <= now - self._limits.kept:
            connection.execute("UPDATE jobs SET idempotency = NULL WHERE id = ?", (row["id"],))
            return None
        if (row["body_digest"], row["quality"]) != (upload.body_digest, upload.quality):
            raise IdempotencyKeyReused
        return read_job(row)

    def _require_room(self, connection: sqlite3.Connection, key: Key, size: int, now: float) -> None:
        if usage.used(connection, key.id, usage.month_of(now)) >= key.monthly_limit:
            raise QuotaExceeded
        if self._waiting(connection) >= self._limits.queue:
            raise CapacityReached("The queue is full")
        if connection.execute("SELECT bytes FROM stored").fetchone()[0] + size > self._limits.storage:
            raise CapacityReached("The storage is full")

    def _waiting(self, connection: sqlite3.Connection) -> int:
        statement = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'leased')"
        return int(connection.execute(statement).fetchone()[0])

    def find(self, key: Key, number: int) -> Job | None:
        """Return a job of this key until it expires; None for jobs of other keys."""
        return self._one("id = ? AND key_id = ?", number, key.id)

    def original(self, name: str) -> Job | None:
        """Return the job of the original with this name."""
        return self._one("original_name = ?", name)

    def optimized(self, name: str) -> Job | None:
        """Return the completed job of the result with this name."""
        return self._one("optimized_name = ? AND state = 'completed'", name)

    def _one(self, where: str, *values: object) -> Job | None:
        statement = f"SELECT * FROM jobs WHERE {where} AND (expires IS NULL OR expires > ?)"  # noqa: S608 - constant conditions
        with self._database.reading() as connection:
            row = connection.execute(statement, (*values, self._clock())).fetchone()
        return read_job(row) if row else None

    def usage(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/usage` for a key."""
        with self._database.reading() as connection:
            return usage.usage(connection, key.id, self._clock())

    def stats(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/stats` for a key."""
        with self._database.reading() as connection:
            return usage.stats(connection, key.id, key.monthly_limit, self._clock())

    def expired(self, most: int = 500) -> list[Job]:
        """Return expired jobs: delete their files first, then `forget` them."""
        statement = "SELECT * FROM jobs WHERE expires <= ? ORDER BY expires LIMIT ?"
        with self._database.reading() as connection:
            return [read_job(row) for row in connection.execute(statement, (self._clock() - GRACE, most))]

    def forget(self, jobs: Sequence[Job]) -> None:
        """Delete these jobs; the monthly counters stay."""
        with self._database.transaction() as connection:
            for job in jobs:
                if connection.execute("DELETE FROM jobs WHERE id = ?", (job.id,)).rowcount:
                    connection.execute("UPDATE stored SET bytes = bytes - ?", (job.original_size + job.optimized_size,))

    def measure(self) -> QueueMeasurement:
        """Return what metrics show of the queue; its cost grows with keys and months, not with images."""
        counts = "SELECT state, COUNT(*) FROM jobs WHERE state IN ('queued', 'leased') GROUP BY state"
        oldest = "SELECT accepted FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1"
        totals = (
            "SELECT format, SUM(accepted), SUM(completed), SUM(failed), SUM(original_bytes), SUM(optimized_bytes),"
            " SUM(seconds) FROM months GROUP BY format ORDER BY format"
        )
        with self._database.reading() as connection:
            states = dict(connection.execute(counts).fetchall())
            first = connection.execute(oldest).fetchone()
            stored = connection.execute("SELECT bytes FROM stored").fetchone()[0]
            rows = connection.execute(totals).fetchall()
        return QueueMeasurement(
            queued=states.get("queued", 0),
            leased=states.get("leased", 0),
            oldest=max(0.0, self._clock() - first[0]) if first else 0.0,
            stored=stored,
            totals=tuple(FormatTotals(*row) for row in rows),
        )

    def knows_file(self, name: str) -> bool:
        """Whether a file of this name belongs to a job."""
        statement = "SELECT 1 FROM jobs WHERE original_name = ? OR optimized_name = ?"
        with self._database.reading() as connection:
            return connection.execute(statement, (name, name)).fetchone() is not None


NO_TRIES_LEFT = "the image could not be optimized in {} tries"


class Leases:
    """Every method is one transaction, safe for threads and for several processes."""

    def __init__(self, database: Database, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def lease(self) -> Job | None:
        """Lease the oldest job that nobody holds, or None. Jobs without a try left end as failed.

        Each lease has a new fencing token. A worker whose lease expired holds a stale one; its updates are ignored.
        """
        if not self._any_ready():
            return None
        now = self._clock()
        with self._database.transaction() as connection:
            while row := self._next(connection, now):
                if row["tries"] < self._limits.tries:
                    statement = (
                        "UPDATE jobs SET state = 'leased', tries = tries + 1, token = token + 1, leased_until = ?"
                        " WHERE id = ? RETURNING *"
                    )
                    return read_job(connection.execute(statement, (now + self._limits.lease, row["id"])).fetchone())
                self._fail(connection, row, row["message"] or NO_TRIES_LEFT.format(row["tries"]))
        return None

    def _any_ready(self) -> bool:
        with self._database.reading() as connection:
            return self._next(connection, self._clock()) is not None

    def _next(self, connection: sqlite3.Connection, now: float) -> sqlite3.Row | None:
        statement = (
            "SELECT * FROM jobs WHERE state = 'queued' OR (state = 'leased' AND leased_until <= ?) ORDER BY id LIMIT 1"
        )
        row: sqlite3.Row | None = connection.execute(statement, (now,)).fetchone()
        return row

    def renew(self, jobs: Iterable[Job]) -> None:
        """Extend these leases, except those that were lost."""
        until = self._clock() + self._limits.lease
        with self._database.transaction() as connection:
            statement = "UPDATE jobs SET leased_until = ? WHERE id = ? AND token = ? AND state = 'leased'"
            connection.executemany(statement, [(until, job.id, job.token) for job in jobs])

    def complete(self, job: Job, size: int, seconds: float, place: Callable[[], None]) -> bool:
        """Complete a job with a result of `size` bytes, which `place` moves to its path; False if the lease is lost."""
        now = self._clock()
        with self._database.transaction() as connection:
            row = self._held(connection, job)
            if row is None:
                return False
            place()
            connection.execute(
                "UPDATE jobs SET state = 'completed', message = '', optimized_size = ?, seconds = ?, expires = ?"
                " WHERE id = ?",
                (size, seconds, now + self._limits.kept, job.id),
            )
            connection.execute("UPDATE stored SET bytes = bytes + ?", (size,))
            sizes = {"original_bytes": row["original_size"], "optimized_bytes": size}
            usage.count(connection, row["key_id"], row["month"], row["format"], completed=1, seconds=seconds, **sizes)
        return True

    def fail(self, job: Job, message: str, *, final: bool) -> bool:
        """Record a failed try; if it is `final` or the last one the job fails and the quota is refunded."""
        with self._database.transaction() as connection:
            row = self._held(connection, job)
            if row is None:
                return False
            if final or row["tries"] >= self._limits.tries:
                self._fail(connection, row, message)
            else:
                connection.execute("UPDATE jobs SET state = 'queued', message = ? WHERE id = ?", (message, job.id))
        return True

    def release(self, job: Job) -> None:
        """Return a job to the queue; the try does not count."""
        statement = (
            "UPDATE jobs SET state = 'queued', tries = tries - 1 WHERE id = ? AND token = ? AND state = 'leased'"
        )
        with self._database.transaction() as connection:
            connection.execute(statement, (job.id, job.token))

    def _held(self, connection: sqlite3.Connection, job: Job) -> sqlite3.Row | None:
        statement = "SELECT * FROM jobs WHERE id = ? AND token = ? AND state = 'leased'"
        row: sqlite3.Row | None = connection.execute(statement, (job.id, job.token)).fetchone()
        return row

    def _fail(self, connection: sqlite3.Connection, row: sqlite3.Row, message: str) -> None:
        statement = "UPDATE jobs SET state = 'failed', message = ?, expires = ? WHERE id = ?"
        connection.execute(statement, (message, self._clock() + self._limits.kept, row["id"]))
        usage.count(connection, row["key_id"], row["month"], row["format"], failed=1)
