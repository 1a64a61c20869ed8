"""The job queue for requests: accepting images, finding, counting and forgetting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, or_, select, update

from ..core.tinyjpg import Json
from . import usage
from .job_table import JobTable
from .jobs import Job, NewJob, read_job
from .keys import Key
from .metrics import QueueMeasurement
from .tables import jobs, keys

WAITING = ("queued", "leased")

GRACE = 60.0
"""Seconds that files stay after they expire, for downloads in progress."""


class CapacityReached(Exception):
    """The queue or the storage is full; the text says which."""


class QuotaExceeded(Exception):
    """The monthly quota of the key is used up."""


class IdempotencyKeyReused(Exception):
    """The `Idempotency-Key` was sent before with another body."""


class JobQueue(JobTable):
    """What requests do with jobs."""

    def accept(self, key: Key, upload: NewJob) -> tuple[Job, bool]:
        """Queue an image and count it against the quota; return its job, and whether the job is new.

        The same `Idempotency-Key` and body within a day return the existing job.
        Raises `IdempotencyKeyReused`, `QuotaExceeded` or `CapacityReached`.
        """
        with self._database.transaction() as connection:
            connection.execute(select(keys.c.id).where(keys.c.id == key.id).with_for_update())  # its uploads in turn
            now = self._database.now(connection)
            if upload.idempotency and (known := self._known(connection, key, upload, now)):
                return known, False
            self._require_room(connection, key, upload.size, now)
            added = insert(jobs).values(**_row(key, upload, now)).returning(jobs)
            job = read_job(connection.execute(added).mappings().one())
            usage.add_bytes(connection, key.id, upload.size)
            usage.count(connection, key.id, usage.month_of(now), upload.format.value, accepted=1)
            self._enqueue(connection, job.id)
        return job, True

    def check_room(self, key: Key, size: int, idempotency: str | None) -> None:
        """Raise what `accept` would raise for an image of `size` bytes, before its body is read."""
        with self._database.reading() as connection:
            if not connection.execute(select(jobs.c.id).where(_same(key, idempotency))).first():
                self._require_room(connection, key, size, self._database.now(connection))

    def _known(self, connection: Connection, key: Key, upload: NewJob, now: float) -> Job | None:
        row = connection.execute(select(jobs).where(_same(key, upload.idempotency))).mappings().first()
        if row is None:
            return None
        if row["accepted"] <= now - self._limits.kept:
            connection.execute(update(jobs).where(jobs.c.id == row["id"]).values(idempotency=None))
            return None
        if (row["body_digest"], row["quality"]) != (upload.body_digest, upload.quality):
            raise IdempotencyKeyReused
        return read_job(row)

    def _require_room(self, connection: Connection, key: Key, size: int, now: float) -> None:
        if usage.used(connection, key.id, usage.month_of(now)) >= key.monthly_limit:
            raise QuotaExceeded
        waiting = select(func.count()).select_from(jobs).where(jobs.c.state.in_(WAITING))
        if (connection.scalar(waiting) or 0) >= self._limits.queue:
            raise CapacityReached("The queue is full")
        if usage.stored(connection) + size > self._limits.storage:
            raise CapacityReached("The storage is full")

    def find(self, key: Key, number: int) -> Job | None:
        """Return a job of this key until it expires; None for jobs of other keys."""
        return self._one(and_(jobs.c.id == number, jobs.c.key_id == key.id))

    def original(self, name: str) -> Job | None:
        """Return the job of the original with this name."""
        return self._one(jobs.c.original_name == name)

    def optimized(self, name: str) -> Job | None:
        """Return the completed job of the result with this name."""
        return self._one(and_(jobs.c.optimized_name == name, jobs.c.state == "completed"))

    def _one(self, condition: ColumnElement[bool]) -> Job | None:
        kept = or_(jobs.c.expires.is_(None), jobs.c.expires > self._database.moment())
        with self._database.reading() as connection:
            row = connection.execute(select(jobs).where(condition, kept)).mappings().first()
        return read_job(row) if row else None

    def usage(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/usage` for a key."""
        with self._database.reading() as connection:
            return usage.usage(connection, key.id, self._database.now(connection))

    def stats(self, key: Key) -> Json:
        """Return the data of `GET /api/v1/stats` for a key."""
        with self._database.reading() as connection:
            return usage.stats(connection, key.id, key.monthly_limit, self._database.now(connection))

    def expired(self, most: int = 500) -> list[Job]:
        """Return expired jobs: delete their files first, then `forget` them."""
        ended = jobs.c.expires <= self._database.moment() - GRACE
        found = select(jobs).where(ended).order_by(jobs.c.expires).limit(most)
        with self._database.reading() as connection:
            return [read_job(row) for row in connection.execute(found).mappings()]

    def forget(self, forgotten: Sequence[Job]) -> None:
        """Delete these jobs; the monthly counters stay."""
        freed: Counter[str] = Counter()
        with self._database.transaction() as connection:
            for job in forgotten:
                deleted = delete(jobs).where(jobs.c.id == job.id).returning(jobs.c.key_id)
                if key_id := connection.scalar(deleted):
                    freed[key_id] += job.original_size + job.optimized_size
            for key_id, size in sorted(freed.items()):
                usage.add_bytes(connection, key_id, -size)

    def measure(self) -> QueueMeasurement:
        """Return what metrics show of the queue; its cost grows with keys, months and what waits."""
        waiting = select(jobs.c.state, func.count()).where(jobs.c.state.in_(WAITING)).group_by(jobs.c.state)
        waited = self._database.moment() - jobs.c.accepted
        oldest = select(waited).where(jobs.c.state == "queued").order_by(jobs.c.id).limit(1)
        with self._database.reading() as connection:
            states: dict[str, int] = dict(connection.execute(waiting).all())
            longest = connection.scalar(oldest)
            stored, totals = usage.stored(connection), usage.totals(connection)
        return QueueMeasurement(
            queued=states.get("queued", 0),
            leased=states.get("leased", 0),
            oldest=max(0.0, longest or 0.0),
            stored=stored,
            totals=totals,
        )

    def knows_file(self, name: str) -> bool:
        """Whether a file of this name belongs to a job."""
        with self._database.reading() as connection:
            named = or_(jobs.c.original_name == name, jobs.c.result_name == name)
            return connection.execute(select(jobs.c.id).where(named)).first() is not None


def _same(key: Key, idempotency: str | None) -> ColumnElement[bool]:
    if idempotency is None:  # which would compare as IS NULL
        return false()
    return and_(jobs.c.key_id == key.id, jobs.c.idempotency == idempotency)


def _row(key: Key, upload: NewJob, now: float) -> Json:
    return {
        "key_id": key.id,
        "month": usage.month_of(now),
        "accepted": now,
        "format": upload.format.value,
        "quality": upload.quality,
        "body_digest": upload.body_digest,
        "idempotency": upload.idempotency,
        "original_name": upload.original_name,
        "optimized_name": upload.optimized_name,
        "original_size": upload.size,
        "apart": key.apart,
    }
