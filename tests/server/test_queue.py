"""The server's queue in real SQLite files and in a real PostgreSQL: accepting, leasing, ending, deleting jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imgshrink.core.model import Format
from imgshrink.server.blobs import new_name
from imgshrink.server.database import Database
from imgshrink.server.jobs import Job, NewJob
from imgshrink.server.keys import Key, Keys
from imgshrink.server.leases import Leases
from imgshrink.server.limits import Limits
from imgshrink.server.queue import CapacityReached, IdempotencyKeyReused, JobQueue, QuotaExceeded
from imgshrink.server.tables import metadata, versions
from postgresql import needs_postgresql, postgresql
from timed_database import TimedDatabase

DAY = 24 * 3600
NOVEMBER = 1_795_000_000.0  # 2026-11-18


class Clock:
    def __init__(self) -> None:
        self.now = NOVEMBER

    def __call__(self) -> float:
        return self.now


@dataclass
class Queue:
    """One process's connection to the queue, and its key."""

    database: Database
    jobs: JobQueue
    leases: Leases
    key: Key
    clock: Clock

    def accept(self, *, idempotency: str | None = None, body: str = "body", quality: int = 80, size: int = 1000) -> Job:
        return self.jobs.accept(self.key, upload(idempotency=idempotency, body=body, quality=quality, size=size))[0]

    def complete(self, job: Job, size: int = 400) -> bool:
        return self.leases.complete(job, f"{job.optimized_name}.{job.token}", size, 1.5)

    def begun(self) -> Job:
        """The next job, leased."""
        job = self.leases.lease_oldest()
        assert job is not None
        return job

    def state(self, job: Job) -> str | None:
        found = self.jobs.find(self.key, job.id)
        return found.state if found else None

    def used(self) -> object:
        return self.jobs.stats(self.key)["used"]


def upload(
    *,
    idempotency: str | None = None,
    body: str = "body",
    quality: int = 80,
    size: int = 1000,
    format: Format = Format.PNG,
) -> NewJob:
    return NewJob(format, quality, size, body, new_name(format), new_name(format), idempotency)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def where(request: pytest.FixtureRequest) -> str | None:
    """The URL of a PostgreSQL database, None for a file of SQLite's."""
    return postgresql().new_database() if request.param == "postgresql" else None


@pytest.fixture
def opened(where: str | None, tmp_path: Path) -> Iterator[Callable[..., Queue]]:
    """A function that opens the same queue again, as another process would."""
    clock = Clock()
    if where:
        empty(where)
    databases: list[Database] = []

    def open_queue(monthly_limit: int = 5, limits: Limits | None = None) -> Queue:
        database = TimedDatabase(where or tmp_path / "server", clock)
        databases.append(database)
        keys = Keys(database)
        secret = keys.add(f"key {len(databases)}", monthly_limit)
        key = keys.check(secret)
        assert key is not None
        bounds = limits or Limits()
        return Queue(database, JobQueue(database, bounds), Leases(database, bounds), key, clock)

    yield open_queue
    for database in databases:
        database.close()


def empty(where: str) -> None:
    """Delete all rows: quicker than a database for each test."""
    database = Database(where)
    with database.transaction() as connection:
        for table in metadata.sorted_tables:
            if table is not versions:
                connection.execute(table.delete())
    database.close()


@pytest.fixture
def queue(opened: Callable[..., Queue]) -> Queue:
    return opened()


def test_life_of_a_job(queue: Queue) -> None:
    """A job is queued, leased and completed, and records its sizes and duration."""
    job = queue.accept()
    states = [queue.state(job)]
    leased = queue.begun()
    states.append(queue.state(job))
    assert queue.complete(leased)
    done = queue.jobs.find(queue.key, job.id)
    assert done is not None
    assert [*states, done.state] == ["queued", "leased", "completed"]
    assert (done.original_size, done.optimized_size, done.seconds) == (1000, 400, 1.5)
    assert done.expires == queue.clock.now + DAY
    assert done.ended


def test_oldest_first(queue: Queue) -> None:
    """Jobs are leased in the order in which they were accepted."""
    accepted = [queue.accept().id for _ in range(3)]
    assert [queue.begun().id for _ in range(3)] == accepted


def test_nothing_to_do(queue: Queue) -> None:
    """An empty queue leases nothing."""
    assert queue.leases.lease_oldest() is None


def test_someone_elses_job(opened: Callable[..., Queue]) -> None:
    """A job is found with the key that brought it, and with no other."""
    ours, theirs = opened(), opened()
    job = ours.accept()
    assert (ours.state(job), theirs.state(job)) == ("queued", None)


def test_quota_ends(queue: Queue) -> None:
    """When the month's quota is spent, nothing more is accepted, and nothing was counted for the attempt."""
    for _ in range(5):
        queue.accept()
    with pytest.raises(QuotaExceeded):
        queue.accept()
    assert queue.used() == 5


def test_failed_is_refunded(queue: Queue) -> None:
    """A failed job gives its place in the quota back."""
    queue.accept()
    queue.accept()
    queue.leases.fail(queue.begun(), "no", final=True)
    assert queue.used() == 1


def test_refund_goes_to_its_month(queue: Queue) -> None:
    """A job that fails in the next month is refunded in the month that it was counted in."""
    queue.accept()
    queue.clock.now += 31 * DAY
    queue.accept()
    queue.leases.fail(queue.begun(), "no", final=True)
    trends = queue.jobs.usage(queue.key)["monthly_trends"]
    assert isinstance(trends, list)
    assert [(month["month"], month["accepted"], month["failed"]) for month in trends[-2:]] == [
        ("2026-11", 1, 1),
        ("2026-12", 1, 0),
    ]


def test_quota_begins_anew(queue: Queue) -> None:
    """The quota is whole again with the next month."""
    for _ in range(5):
        queue.accept()
    queue.clock.now += 31 * DAY
    assert queue.jobs.stats(queue.key) == {"limit": 5, "used": 0, "remaining": 5, "resets_at": "2027-01-01T00:00:00Z"}


def test_quota_is_exact_under_concurrency(opened: Callable[..., Queue]) -> None:
    """However many threads and processes upload at once, exactly the quota is accepted."""
    first = opened(monthly_limit=20)
    views = [first, *(opened() for _ in range(3))]
    accepted: list[int] = []

    def fill(view: Queue) -> None:
        for _ in range(10):
            try:
                accepted.append(view.jobs.accept(first.key, upload())[0].id)
            except QuotaExceeded:
                return

    threads = [threading.Thread(target=fill, args=(view,)) for view in views for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(accepted), len(set(accepted)), first.used()) == (20, 20, 20)


def test_queue_is_bounded(opened: Callable[..., Queue]) -> None:
    """Images that wait or are in work count; when there are as many as may be, one more is refused."""
    queue = opened(limits=Limits(queue=2))
    queue.accept()
    queue.accept()
    queue.begun()
    with pytest.raises(CapacityReached, match="queue"):
        queue.accept()
    assert queue.used() == 2


def test_place_in_the_queue_is_free_again(opened: Callable[..., Queue]) -> None:
    """A job that has ended no longer fills the queue."""
    queue = opened(limits=Limits(queue=1))
    queue.accept()
    queue.complete(queue.begun())
    assert queue.accept()


def test_storage_is_bounded(opened: Callable[..., Queue]) -> None:
    """Originals and results count together; when they fill the storage, nothing more is accepted."""
    queue = opened(limits=Limits(storage=2400))
    queue.accept(size=1000)
    queue.complete(queue.begun(), size=500)
    with pytest.raises(CapacityReached, match="storage"):
        queue.accept(size=1000)


def test_storage_is_free_again(opened: Callable[..., Queue]) -> None:
    """What was forgotten no longer fills the storage."""
    queue = opened(limits=Limits(storage=2400))
    queue.accept(size=1000)
    queue.complete(queue.begun(), size=500)
    queue.clock.now += DAY + 3600
    queue.jobs.forget(queue.jobs.expired())
    assert queue.accept(size=2400)


def test_room_is_checked_before_the_body(queue: Queue) -> None:
    """What would be refused anyway is refused before its body is read."""
    for _ in range(5):
        queue.accept()
    with pytest.raises(QuotaExceeded):
        queue.jobs.check_room(queue.key, 1, None)


def test_same_key_and_body(queue: Queue) -> None:
    """The same Idempotency-Key and body are the same job and cost once."""
    job = queue.accept(idempotency="a")
    again, new = queue.jobs.accept(queue.key, upload(idempotency="a"))
    assert (again.id, new, queue.used()) == (job.id, False, 1)


def test_known_upload_needs_no_room(queue: Queue) -> None:
    """A job that is there already is told of again, also when the quota is spent since."""
    job = queue.accept(idempotency="a")
    for _ in range(4):
        queue.accept()
    queue.jobs.check_room(queue.key, 1, "a")
    assert queue.accept(idempotency="a").id == job.id


@pytest.mark.parametrize("other", [{"body": "other"}, {"quality": 81}])
def test_same_key_other_body(queue: Queue, other: dict[str, object]) -> None:
    """The same Idempotency-Key with another image or quality is a mistake of the client."""
    queue.accept(idempotency="a")
    with pytest.raises(IdempotencyKeyReused):
        queue.accept(idempotency="a", **other)  # type: ignore[arg-type]  # the rows of the table are of several types


def test_same_key_of_someone_else(opened: Callable[..., Queue]) -> None:
    """Two clients may choose the same Idempotency-Key."""
    ours, theirs = opened(), opened()
    assert ours.accept(idempotency="a").id != theirs.accept(idempotency="a").id


def test_same_key_next_day(queue: Queue) -> None:
    """After a day an Idempotency-Key means a new job, whatever its body."""
    job = queue.accept(idempotency="a")
    queue.clock.now += DAY
    assert queue.accept(idempotency="a", body="other").id != job.id


def test_one_lease_at_a_time(opened: Callable[..., Queue]) -> None:
    """A leased job is not the oldest queued one any more."""
    ours, theirs = opened(), opened()
    ours.accept()
    assert ours.leases.lease_oldest()
    assert theirs.leases.lease_oldest() is None


def test_every_job_is_leased_once(opened: Callable[..., Queue], where: str | None) -> None:
    """Many threads begin every job exactly once between them."""
    if where:
        pytest.skip("with PostgreSQL pgqueuer says who leases which job")
    views = [opened(monthly_limit=40) for _ in range(3)]
    accepted = [views[0].accept().id for _ in range(40)]
    begun: list[int] = []

    def work(view: Queue) -> None:
        while job := view.leases.lease_oldest():
            begun.append(job.id)

    threads = [threading.Thread(target=work, args=(view,)) for view in views for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(begun) == accepted


def test_lost_lease_stays_lost(queue: Queue) -> None:
    """A worker whose job was leased to another one holds a stale fencing token; its updates are ignored."""
    queue.accept()
    late = queue.begun()
    current = queue.leases.lease(late.id)
    assert current is not None
    queue.leases.release(late)
    assert not queue.leases.fail(late, "no", final=True)
    assert not queue.complete(late, size=100)
    assert queue.complete(current, size=300)
    ended = queue.jobs.find(queue.key, late.id)
    assert ended is not None
    assert (ended.state, ended.optimized_size, ended.tries, queue.used()) == ("completed", 300, 2, 1)
    assert ended.result_name == f"{current.optimized_name}.{current.token}"


def test_ended_jobs_are_not_leased(queue: Queue) -> None:
    """A job that has ended can't be leased any more, nor one that is not there."""
    queue.accept()
    job = queue.begun()
    queue.complete(job)
    assert (queue.leases.lease(job.id), queue.leases.lease(job.id + 1)) == (None, None)


def test_recovered(queue: Queue) -> None:
    """What a server that died had leased is in the queue again when the next one starts; the tries count."""
    job = queue.accept()
    late = queue.begun()
    queue.leases.recover()
    assert queue.state(job) == "queued"
    assert (queue.begun().tries, queue.complete(late)) == (2, False)


def test_completed_again(queue: Queue) -> None:
    """Completing a job may be repeated where nobody knows whether it took place; it counts once."""
    queue.accept()
    job = queue.begun()
    assert [queue.complete(job), queue.complete(job)] == [True, True]
    statistics = queue.jobs.usage(queue.key)["compression_statistics"]
    assert isinstance(statistics, dict)
    assert statistics["images"] == 1


def test_ended_once(queue: Queue) -> None:
    """A job that is completed can't be completed or failed again."""
    queue.accept()
    job = queue.begun()
    assert queue.complete(job)
    assert not queue.leases.complete(job, "another", 300, 1.5)
    assert not queue.leases.fail(job, "no", final=True)
    statistics = queue.jobs.usage(queue.key)["compression_statistics"]
    assert isinstance(statistics, dict)
    assert (statistics["images"], statistics["saved_bytes"]) == (1, 600)


def test_three_tries(queue: Queue) -> None:
    """A job that fails is begun three times, then it has failed, with the last message."""
    job = queue.accept()
    for number in range(3):
        queue.leases.fail(queue.begun(), f"message {number}", final=False)
    ended = queue.jobs.find(queue.key, job.id)
    assert ended is not None
    assert (ended.state, ended.tries, ended.message, queue.used()) == ("failed", 3, "message 2", 0)


def test_final_failure(queue: Queue) -> None:
    """A verdict ends a job at the first try."""
    job = queue.accept()
    queue.leases.fail(queue.begun(), "not for us", final=True)
    assert queue.state(job) == "failed"


def test_three_silent_tries(queue: Queue) -> None:
    """A job whose server died three times has failed."""
    job = queue.accept()
    for _ in range(3):
        queue.begun()
        queue.leases.recover()
    assert queue.leases.lease_oldest() is None
    ended = queue.jobs.find(queue.key, job.id)
    assert ended is not None
    assert (ended.state, ended.message, queue.used()) == ("failed", "the image could not be optimized in 3 tries", 0)


def test_release_does_not_count(queue: Queue) -> None:
    """A released job is leased again at once, and the try does not count."""
    queue.accept()
    for _ in range(5):
        queue.leases.release(queue.begun())
    assert queue.begun().tries == 1


def test_requeued(opened: Callable[..., Queue]) -> None:
    """Trouble that is not its own puts a job back as often as it comes, at no cost of a try, for a day."""
    queue = opened(limits=Limits(requeues=5))
    job = queue.accept()
    for _ in range(6):
        assert queue.leases.requeue(queue.begun())
    queue.clock.now += DAY - 1
    assert queue.leases.requeue(queue.begun())
    queue.clock.now += 1
    assert not queue.leases.requeue(queue.begun())
    ended = queue.jobs.find(queue.key, job.id)
    assert ended is not None
    assert (ended.state, ended.message, queue.used()) == (
        "failed",
        "the image could not be optimized within 24 hours",
        0,
    )


def test_old_job_meets_trouble(queue: Queue) -> None:
    """A job that waited in a long queue for a day is put back like any other: age alone ends none."""
    queue.accept()
    queue.clock.now += 2 * DAY
    assert queue.leases.requeue(queue.begun())
    late = queue.begun()
    assert queue.leases.lease(late.id)
    assert (late.tries, queue.leases.requeue(late)) == (1, True)


def test_forgotten_after_a_day(queue: Queue) -> None:
    """A day after its end a job is not known any more, its files are free to go, and the statistics stay."""
    job = queue.accept()
    queue.complete(queue.begun())
    queue.clock.now += DAY
    assert (queue.state(job), queue.jobs.optimized(job.optimized_name), queue.jobs.expired()) == (None, None, [])
    queue.clock.now += 61
    expired = queue.jobs.expired()
    queue.jobs.forget(expired)
    queue.jobs.forget(expired)
    assert [one.id for one in expired] == [job.id]
    assert not queue.jobs.knows_file(job.original_name)
    assert queue.used() == 1


def test_kept_while_it_waits(queue: Queue) -> None:
    """A job that has not ended is not forgotten, however old it is."""
    job = queue.accept()
    queue.clock.now += 40 * DAY
    assert queue.state(job) == "queued"


def test_files_are_found_by_name(queue: Queue) -> None:
    """An original is found from the beginning, a result once it is there; each by its own name."""
    job = queue.accept()
    before = queue.jobs.optimized(job.optimized_name)
    queue.complete(queue.begun())
    original, result = queue.jobs.original(job.original_name), queue.jobs.optimized(job.optimized_name)
    assert before is None
    assert original is not None
    assert result is not None
    assert original.id == result.id == job.id
    assert queue.jobs.optimized(job.original_name) is None


def test_usage(queue: Queue) -> None:
    """The month, the four types, and all together."""
    queue.jobs.accept(queue.key, upload(size=3000))
    queue.jobs.accept(queue.key, upload(size=1000, format=Format.JPEG))
    queue.jobs.accept(queue.key, upload(size=1000))
    queue.complete(queue.begun(), size=1000)
    queue.complete(queue.begun(), size=600)
    queue.leases.fail(queue.begun(), "no", final=True)
    usage = queue.jobs.usage(queue.key)
    trends, types, together = (usage[name] for name in usage)
    assert isinstance(trends, list)
    assert trends == [{
        "month": "2026-11", "accepted": 3, "completed": 2, "failed": 1,
        "original_bytes": 4000, "optimized_bytes": 1600, "saved_bytes": 2400, "compression_ratio": 60.0,
    }]  # fmt: skip
    assert types == {
        "jpeg": {"images": 1, "percentage": 50.0}, "png": {"images": 1, "percentage": 50.0},
        "gif": {"images": 0, "percentage": 0.0}, "webp": {"images": 0, "percentage": 0.0},
    }  # fmt: skip
    assert together == {
        "images": 2, "original_bytes": 4000, "optimized_bytes": 1600, "saved_bytes": 2400,
        "compression_ratio": 60.0, "average_processing_time": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize(("days", "shown"), [(0, ["2026-11"]), (61, ["2026-11", "2026-12", "2027-01"])])
def test_months_since_the_first_use(queue: Queue, days: int, shown: list[str]) -> None:
    """Trends begin with the month of the first use, and leave no month out from there on."""
    queue.accept()
    queue.clock.now += days * DAY
    trends = queue.jobs.usage(queue.key)["monthly_trends"]
    assert isinstance(trends, list)
    assert [month["month"] for month in trends] == shown


def test_a_year_of_months(queue: Queue) -> None:
    """Trends go back for twelve months, no further; an unused key has this month alone."""
    unused = queue.jobs.usage(queue.key)["monthly_trends"]
    for _ in range(14):
        queue.accept()
        queue.clock.now += 30 * DAY
    trends = queue.jobs.usage(queue.key)["monthly_trends"]
    assert isinstance(unused, list)
    assert isinstance(trends, list)
    assert [month["month"] for month in unused] == ["2026-11"]
    assert [month["month"] for month in trends] == [*(f"2027-{month:02d}" for month in range(2, 13)), "2028-01"]
