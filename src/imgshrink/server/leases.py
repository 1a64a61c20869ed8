"""The queue as workers see it: each image leased to one of them at a time, ended exactly once.

A lease has an end, which its worker keeps moving, and a token, which grows with every lease: who comes back after
its lease went to somebody else carries an old token, and nothing that it does counts any more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable

from . import months
from .database import Database
from .jobs import Job, read_job
from .limits import Limits

GAVE_UP = "the image could not be optimized in {} tries"


class Leases:
    """Every method is one transaction; safe from any thread and from several processes."""

    def __init__(self, database: Database, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def lease(self) -> Job | None:
        """Begin the oldest image that nobody works on, or None; one that was begun too often ends as failed instead."""
        if not self._anything():
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
                self._fail(connection, row, row["message"] or GAVE_UP.format(row["tries"]))
        return None

    def _anything(self) -> bool:
        with self._database.reading() as connection:
            return self._next(connection, self._clock()) is not None

    def _next(self, connection: sqlite3.Connection, now: float) -> sqlite3.Row | None:
        statement = (
            "SELECT * FROM jobs WHERE state = 'queued' OR (state = 'leased' AND leased_until <= ?) ORDER BY id LIMIT 1"
        )
        row: sqlite3.Row | None = connection.execute(statement, (now,)).fetchone()
        return row

    def renew(self, jobs: Iterable[Job]) -> None:
        """Move the end of these leases; those that are lost already stay lost."""
        until = self._clock() + self._limits.lease
        with self._database.transaction() as connection:
            statement = "UPDATE jobs SET leased_until = ? WHERE id = ? AND token = ? AND state = 'leased'"
            connection.executemany(statement, [(until, job.id, job.token) for job in jobs])

    def complete(self, job: Job, size: int, seconds: float, place: Callable[[], None]) -> bool:
        """End a job with a result of `size` bytes, which `place` puts where it belongs; False if the lease was lost."""
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
            months.count(connection, row["key_id"], row["month"], row["format"], completed=1, seconds=seconds, **sizes)
        return True

    def fail(self, job: Job, message: str, *, final: bool) -> bool:
        """End a job without a result and give its place in the quota back, at once or after the last try."""
        with self._database.transaction() as connection:
            row = self._held(connection, job)
            if row is None:
                return False
            if final or row["tries"] >= self._limits.tries:
                self._fail(connection, row, message)
            else:
                connection.execute("UPDATE jobs SET state = 'queued', message = ? WHERE id = ?", (message, job.id))
        return True

    def hand_back(self, job: Job) -> None:
        """Let somebody else begin this image; the try does not count."""
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
        months.count(connection, row["key_id"], row["month"], row["format"], failed=1)
