"""Leases: the right of a thread to end one try at one image, named by a fencing token."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from . import usage
from .job_table import JobTable
from .jobs import Job, read_job
from .tables import jobs

NO_TRIES_LEFT = "the image could not be optimized in {} tries"
TOO_LATE = "the image could not be optimized within {:g} hours"


class Leases(JobTable):
    """Each lease has a new token.

    A thread whose job was leased to another one since holds a stale token; its updates are ignored.
    """

    def lease_oldest(self) -> Job | None:
        """Lease the oldest queued job, or None. Jobs without a try left end as failed."""
        oldest = select(jobs).where(jobs.c.state == "queued").order_by(jobs.c.id).limit(1)
        with self._database.reading() as connection:
            if connection.execute(oldest).first() is None:
                return None
        with self._database.transaction() as connection:
            while row := connection.execute(oldest).mappings().first():
                if job := self._begin(connection, row):
                    return job
        return None

    def lease(self, number: int) -> Job | None:
        """Lease this job, from whoever holds it; None if it has ended, or has no try left and ends as failed now."""
        with self._database.transaction() as connection:
            found = select(jobs).where(jobs.c.id == number, jobs.c.state.in_(("queued", "leased"))).with_for_update()
            row = connection.execute(found).mappings().first()
            return self._begin(connection, row) if row else None

    def recover(self) -> None:
        """Return all leased jobs to the queue: for the start of the only server that works on them."""
        with self._database.transaction() as connection:
            connection.execute(update(jobs).where(jobs.c.state == "leased").values(state="queued"))

    def complete(self, job: Job, name: str, size: int, seconds: float) -> bool:
        """Complete a job with the result stored as `name`, of `size` bytes; False if the lease is lost.

        Safe to repeat where it is not known whether the transaction took place.
        """
        with self._database.transaction() as connection:
            row = self._held(connection, job)
            if row is None:
                return _completed_as(connection, job, name)
            ended = {"state": "completed", "message": "", "optimized_size": size, "result_name": name}
            _set(connection, job, **ended, seconds=seconds, expires=self._end_of_keeping())
            usage.add_bytes(connection, row["key_id"], size)
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
                _set(connection, job, state="queued", message=message)
                self._enqueue(connection, job.id)
        return True

    def release(self, job: Job) -> None:
        """Return a job to the queue; the try does not count."""
        with self._database.transaction() as connection:
            if row := self._held(connection, job):
                self._put_back(connection, row)

    def requeue(self, job: Job) -> bool:
        """Release a job after trouble that is not its own, and return whether it may be leased again.

        One that was accepted longer ago than results are kept, and was released many times, fails instead.
        """
        with self._database.transaction() as connection:
            row = self._held(connection, job)
            if row is None:
                return True
            if row["token"] - row["tries"] < self._limits.requeues or not self._is_late(connection, row):
                self._put_back(connection, row)
                return True
            self._fail(connection, row, TOO_LATE.format(self._limits.kept / 3600))
            return False

    def _put_back(self, connection: Connection, row: RowMapping) -> None:
        queued = update(jobs).where(jobs.c.id == row["id"]).values(state="queued", tries=row["tries"] - 1)
        connection.execute(queued)
        self._enqueue(connection, row["id"])

    def _is_late(self, connection: Connection, row: RowMapping) -> bool:
        return bool(row["accepted"] <= self._database.now(connection) - self._limits.kept)

    def _end_of_keeping(self) -> ColumnElement[float]:
        return self._database.moment() + self._limits.kept

    def _begin(self, connection: Connection, row: RowMapping) -> Job | None:
        if row["tries"] >= self._limits.tries:
            self._fail(connection, row, row["message"] or NO_TRIES_LEFT.format(row["tries"]))
            return None
        again = {"tries": row["tries"] + 1, "token": row["token"] + 1}
        begun = update(jobs).where(jobs.c.id == row["id"]).values(state="leased", **again).returning(jobs)
        return read_job(connection.execute(begun).mappings().one())

    def _held(self, connection: Connection, job: Job) -> RowMapping | None:
        held = select(jobs).where(jobs.c.id == job.id, jobs.c.token == job.token, jobs.c.state == "leased")
        return connection.execute(held.with_for_update()).mappings().first()

    def _fail(self, connection: Connection, row: RowMapping, message: str) -> None:
        failed = {"state": "failed", "message": message, "expires": self._end_of_keeping()}
        connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(**failed))
        usage.count(connection, row["key_id"], row["month"], row["format"], failed=1)


def _set(connection: Connection, job: Job, **values: object) -> None:
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(**values))


def _completed_as(connection: Connection, job: Job, name: str) -> bool:
    done = select(jobs.c.id).where(jobs.c.id == job.id, jobs.c.result_name == name)
    return connection.execute(done).first() is not None
