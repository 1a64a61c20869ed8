"""Times that several nodes compare are the database's: a node whose own clock is wrong does no harm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from imgshrink.core.model import Format
from imgshrink.server.blobs import new_name
from imgshrink.server.database import Database
from imgshrink.server.jobs import Job, NewJob
from imgshrink.server.keys import Key, Keys
from imgshrink.server.leases import Leases
from imgshrink.server.limits import Limits
from imgshrink.server.queue import JobQueue
from imgshrink.server.usage import month_of
from postgresql import needs_postgresql, postgresql

HOUR = 3600.0
DAYS = 40 * 24 * HOUR
pytestmark = needs_postgresql


class Node:
    """A node whose clock is `ahead` seconds wrong."""

    def __init__(self, database: Database, ahead: float) -> None:
        self._ahead = ahead
        limits = Limits(kept=HOUR / 2)
        self.keys, self.jobs, self.leases = Keys(database), JobQueue(database, limits), Leases(database, limits)

    @contextmanager
    def time(self) -> Iterator[None]:
        right = time.time
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: right() + self._ahead)
            yield

    def key(self) -> Key:
        with self.time():
            key = self.keys.check(self.keys.add(f"key {self._ahead}"))
        assert key is not None
        return key

    def accepted(self, key: Key, idempotency: str) -> Job:
        upload = NewJob(Format.PNG, 80, 1000, "body", new_name(Format.PNG), new_name(Format.PNG), idempotency)
        with self.time():
            return self.jobs.accept(key, upload)[0]

    def completed(self) -> Job:
        with self.time():
            job = self.leases.lease_oldest()
            assert job is not None
            assert self.leases.complete(job, f"{job.optimized_name}.1", 400, 1.0)
            return job

    def knows(self, job: Job) -> bool:
        with self.time():
            return self.jobs.optimized(job.optimized_name) is not None

    def expired(self) -> list[int]:
        with self.time():
            return [job.id for job in self.jobs.expired()]


@pytest.fixture
def nodes() -> Iterator[Callable[[float], Node]]:
    """A function that returns a node with a wrong clock; all use one database."""
    with closing(Database(postgresql().new_database())) as database:
        yield lambda ahead: Node(database, ahead)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_expiry(nodes: Callable[[float], Node], ahead: float) -> None:
    """What a node with a wrong clock has made expires when results do, for all nodes; no node deletes it before."""
    wrong, right = nodes(ahead), nodes(0)
    wrong.accepted(wrong.key(), "a")
    before = time.time()
    job = wrong.completed()
    found = right.jobs.optimized(job.optimized_name)
    assert found is not None
    assert found.expires is not None
    assert before - 5 <= found.expires - HOUR / 2 <= time.time() + 5
    assert [node.knows(job) for node in (right, wrong, nodes(-ahead))] == [True] * 3
    assert [node.expired() for node in (right, wrong, nodes(DAYS))] == [[]] * 3


def test_repeated_upload(nodes: Callable[[float], Node]) -> None:
    """An upload that is repeated at a node an hour ahead is the same job."""
    right, wrong = nodes(0), nodes(HOUR)
    key = right.key()
    assert right.accepted(key, "a").id == wrong.accepted(key, "a").id


def test_months(nodes: Callable[[float], Node]) -> None:
    """A node that is weeks ahead counts in the month that it is, and refills no quota."""
    wrong = nodes(DAYS)
    key = wrong.key()
    wrong.accepted(key, "a")
    with wrong.time():
        used, trends = wrong.jobs.stats(key)["used"], wrong.jobs.usage(key)["monthly_trends"]
        (listed,) = wrong.keys.all()
    assert isinstance(trends, list)
    assert (used, listed.used, [month["month"] for month in trends]) == (1, 1, [month_of(time.time())])
    assert abs(listed.created - time.time()) < HOUR / 2


def test_age_of_the_queue(nodes: Callable[[float], Node]) -> None:
    """How long images wait does not depend on which node is asked."""
    right, wrong = nodes(0), nodes(HOUR)
    right.accepted(right.key(), "a")
    with wrong.time():
        assert wrong.jobs.measure().oldest < HOUR / 2
