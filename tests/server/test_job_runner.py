"""Every accepted image ends exactly once, whatever happens to the engine, the server or the power."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from image_builder import chunk, png
from imgshrink.core.errors import Unavailable
from imgshrink.core.model import Format
from imgshrink.server import job_runner
from imgshrink.server.blobs import ORIGINALS, RESULTS, STRAY_SECONDS, FolderBlobs, new_name
from imgshrink.server.database import Database, first_line
from imgshrink.server.dispatch import Threads
from imgshrink.server.job_runner import JobRunner, _storable
from imgshrink.server.jobs import Job, NewJob
from imgshrink.server.keys import Key, Keys
from imgshrink.server.leases import Leases
from imgshrink.server.limits import Limits
from imgshrink.server.queue import JobQueue
from imgshrink.server.sweeper import Sweeper
from imgshrink.server.work import Work
from server_process import Served, Trim, judge, until
from timed_database import TimedDatabase


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """A function that starts a server in the test's folder; `asked` counts the calls of its engine."""
    running: list[Served] = []

    def start(**config: object) -> Served:
        limits = {"lease": 60.0, **config.pop("limits", {})}  # type: ignore[dict-item]  # a table of the test's own
        server = Served(tmp_path / f"data{len(running)}", asked=str(tmp_path / "asked"), limits=limits, **config)  # type: ignore[arg-type]
        running.append(server)
        return server.start()

    yield start
    for server in running:
        server.__exit__()


def asked(tmp_path: Path) -> int:
    log = tmp_path / "asked"
    return len(log.read_text().splitlines()) if log.exists() else 0


def images(count: int) -> list[bytes]:
    return [png(chunk(b"tEXt", b"Comment\0" + str(number).encode() * 50)) for number in range(count)]


def test_crashing_image(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image that crashes the codec fails after three tries, with the reason, and does not count."""
    server = served(engine="crash")
    data = server.ended(server.accepted(png()))
    assert list(data) == ["image_id", "status", "original_size", "message"]
    assert (data["status"], data["message"], asked(tmp_path)) == ("failed", "the codec crashed", 3)
    assert server.get("/api/v1/stats").json()["data"]["used"] == 0


def test_declined_image(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image that the engine declines fails at the first try, with the reason, and does not count."""
    server = served(engine="decline")
    data = server.ended(server.accepted(png()))
    assert (data["status"], data["message"], asked(tmp_path)) == ("failed", "not for this engine", 1)
    assert server.get("/api/v1/stats").json()["data"]["used"] == 0


def test_wrong_image(served: Callable[..., Served], tmp_path: Path) -> None:
    """A result that shows another image is never served: the image fails."""
    server = served(engine="swap")
    data = server.ended(server.accepted(png()))
    assert (data["status"], data["message"], asked(tmp_path)) == ("failed", "it shows another image", 1)


def test_fault_of_our_own(served: Callable[..., Served]) -> None:
    """Internal errors are logged, and not part of the reply."""
    server = served(engine="stumble")
    assert server.ended(server.accepted(png()))["message"] == "the image could not be optimized"
    assert "ZeroDivisionError: secret detail" in server.log.read_text()


def test_engine_that_can_not_work_for_a_while(served: Callable[..., Served], tmp_path: Path) -> None:
    """While the engine is unavailable an image waits, and no try is used up."""
    server = served(engine="absent", jobs=1)
    assert server.ended(server.accepted(png()))["status"] == "completed"
    assert asked(tmp_path) == 6


def test_trouble_of_the_machine_costs_no_try(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image whose worker the system killed three times is completed, and as if it had been tried once."""
    server = served(engine="killed", jobs=1, limits={"tries": 1})
    assert server.ended(server.accepted(png()))["status"] == "completed"
    assert asked(tmp_path) == 4


def test_image_that_always_troubles_the_machine(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image that the machine can't do ends as failed, with the reason, and does not count; the others go on."""
    server = served(engine="murdered", jobs=1)
    data = server.ended(server.accepted(png()))
    assert (data["status"], data["message"], asked(tmp_path)) == ("failed", "the worker was killed", 6)
    assert server.get("/api/v1/stats").json()["data"]["used"] == 0


def test_failed_image_has_no_result(served: Callable[..., Served]) -> None:
    """A failed image has no result."""
    server = served(engine="decline")
    reply = server.post(png()).json()["data"]
    server.ended(reply["image_id"])
    assert server.get(reply["optimized_url"], "").status_code == 404


@pytest.mark.slow
def test_image_that_kills_the_server(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image that kills the server three times has failed when the server starts again."""
    server = served(engine="die", jobs=1)
    number = server.accepted(png())
    for _ in range(2):
        assert server.exit_code() == 9
        server.start()
    assert server.exit_code() == 9
    server.start(engine="trim")
    data = server.ended(number)
    assert (data["status"], data["message"]) == ("failed", "the image could not be optimized in 3 tries")
    assert asked(tmp_path) == 3


def test_power_cut(served: Callable[..., Served], tmp_path: Path) -> None:
    """After a power cut every accepted image ends, and none counts twice."""
    server = served(seconds=0.4)
    numbers = [server.accepted(image) for image in images(6)]
    until(lambda: asked(tmp_path) >= 3)
    server.kill()
    server.start()
    assert {server.ended(number)["status"] for number in numbers} == {"completed"}
    month = server.get("/api/v1/usage").json()["data"]["monthly_trends"][-1]
    assert (month["accepted"], month["completed"], month["failed"]) == (6, 6, 0)


def test_results_survive(served: Callable[..., Served]) -> None:
    """Results can be fetched after a power cut."""
    server = served()
    data = server.ended(server.accepted(images(1)[0]))
    server.kill()
    server.start()
    path = "/direct-file/" + data["optimized_url"].partition("/direct-file/")[2]
    assert server.get(path, "").content == png()


def test_hanging_engine(served: Callable[..., Served], tmp_path: Path) -> None:
    """A try that exceeds its time loses its lease, and after three of them the image fails, with the reason."""
    server = served(seconds=600, jobs=4, limits={"job_seconds": 0.5})
    data = server.ended(server.accepted(png()))
    assert (data["status"], data["message"], asked(tmp_path)) == ("failed", "the image took too long", 3)


def test_original_damaged_on_disk(served: Callable[..., Served], tmp_path: Path) -> None:
    """An image whose original was damaged or deleted while it waited fails."""
    server = served(seconds=1, jobs=1)
    numbers = [server.accepted(image) for image in images(3)]
    until(lambda: asked(tmp_path) == 1)
    (_, damaged), (_, gone) = originals(server)[1:]
    (server.data / "originals" / damaged).write_bytes(b"damaged")
    (server.data / "originals" / gone).unlink()
    data = [server.ended(number) for number in numbers]
    assert [one["status"] for one in data] == ["completed", "failed", "failed"]
    assert [one["message"] for one in data[1:]] == ["the image can't be read", "the image is gone"]
    assert server.get("/api/v1/stats").json()["data"]["used"] == 1


def originals(server: Served) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(server.data / "server.sqlite3")) as connection:
        return connection.execute("SELECT id, original_name FROM jobs ORDER BY id").fetchall()


def alter(server: Served, statement: str) -> None:
    """Change the database while the server runs."""
    with closing(sqlite3.connect(server.data / "server.sqlite3", timeout=30, isolation_level=None)) as connection:
        connection.execute(statement)


def test_trouble_with_the_database(served: Callable[..., Served]) -> None:
    """While the database can't be used every request gets 503 and when to come again; then all works again."""
    server = served()
    number = server.accepted(png())
    server.ended(number)
    alter(server, "ALTER TABLE jobs RENAME TO elsewhere")
    upload, status = server.post(png()), server.get(f"/api/status/{number}")
    until(lambda: "the queue can't be read or written" in server.log.read_text())
    alter(server, "ALTER TABLE elsewhere RENAME TO jobs")
    assert (upload.status_code, upload.json()) == (503, {"success": False, "message": "The server is busy"})
    assert (status.status_code, status.json()) == (503, {"success": False, "message": "The server is busy"})
    assert (status.headers["x-content-type-options"], status.headers["retry-after"]) == ("nosniff", "10")
    assert server.ended(server.accepted(png()))["status"] == "completed"


@pytest.mark.parametrize("engine", ["trim", "decline"], ids=["completed", "failed"])
def test_end_that_can_not_be_recorded(served: Callable[..., Served], tmp_path: Path, engine: str) -> None:
    """An end that the database can't record is recorded later, and the image is not begun again before."""
    server = served(engine=engine, seconds=1, jobs=1)
    number = server.accepted(png())
    until(lambda: asked(tmp_path) == 1)
    alter(server, "ALTER TABLE months RENAME TO elsewhere")
    word = "its end can't be recorded yet" if engine == "trim" else "requeued"
    until(lambda: word in server.log.read_text())
    alter(server, "ALTER TABLE elsewhere RENAME TO months")
    assert server.ended(number)["status"] == ("completed" if engine == "trim" else "failed")
    month = server.get("/api/v1/usage").json()["data"]["monthly_trends"][-1]
    assert month["completed"] + month["failed"] == 1


def test_database_that_is_gone_for_longer(served: Callable[..., Served], tmp_path: Path) -> None:
    """A job whose end could not be recorded for the time of a lease is begun again; the first try does not count."""
    server = served(jobs=1, limits={"lease": 0.1, "tries": 1}, seconds=1)
    number = server.accepted(png())
    until(lambda: asked(tmp_path) == 1)
    alter(server, "ALTER TABLE jobs RENAME TO elsewhere")
    until(lambda: "requeued" in server.log.read_text())
    alter(server, "ALTER TABLE elsewhere RENAME TO jobs")
    assert server.ended(number)["status"] == "completed"


def test_orderly_end_finishes(served: Callable[..., Served], tmp_path: Path) -> None:
    """A stopped server finishes running jobs, starts no more, and exits with 0."""
    server = served(seconds=0.7, jobs=1, grace=20)
    numbers = [server.accepted(image) for image in images(2)]
    until(lambda: asked(tmp_path) == 1)
    assert server.stop() == 0
    server.start(engine="crash")
    assert [server.ended(number)["status"] for number in numbers] == ["completed", "failed"]


def test_orderly_end_releases(served: Callable[..., Served], tmp_path: Path) -> None:
    """Jobs that can't be finished in time are released: they start again at once, and the try does not count."""
    server = served(seconds=600, jobs=1, grace=1)
    number = server.accepted(png())
    until(lambda: asked(tmp_path) == 1)
    assert server.stop() == 0
    with sqlite3.connect(server.data / "server.sqlite3") as connection:
        assert connection.execute("SELECT state, tries FROM jobs").fetchall() == [("queued", 0)]
    server.start(seconds=0)
    assert server.ended(number)["status"] == "completed"


def test_interrupted(served: Callable[..., Served]) -> None:
    """Ctrl-C stops a server as SIGTERM does."""
    server = served()
    os.kill(server.pid, signal.SIGINT)
    assert server.exit_code() == 0


def test_upload_during_the_end(served: Callable[..., Served]) -> None:
    """Uploads during the shutdown are either accepted durably or not at all."""
    server = served(jobs=2)
    numbers: list[int] = []

    def upload() -> None:
        for image in images(200):
            try:
                numbers.append(server.accepted(image))
            except httpx.TransportError:
                return

    threads = [threading.Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: len(numbers) > 5)
    assert server.stop() == 0
    for thread in threads:
        thread.join()
    server.start()
    assert {server.ended(number)["status"] for number in numbers} == {"completed"}


@pytest.mark.slow
def test_power_cuts_at_random(served: Callable[..., Served]) -> None:
    """With power cuts at random moments every accepted image ends, and the quota is exact."""
    server = served(seconds=0.05, limits={"tries": 1000})
    dice = random.Random(7)
    accepted: dict[int, str] = {}
    over = threading.Event()

    def upload(client: int) -> None:
        for number in range(1000):
            headers = {"Idempotency-Key": f"{client}-{number}"}
            while not over.is_set():
                try:
                    accepted[server.accepted(images(number + 1)[-1], headers=headers)] = headers["Idempotency-Key"]
                    break
                except httpx.TransportError:
                    time.sleep(0.05)

    clients = [threading.Thread(target=upload, args=(client,)) for client in range(3)]
    for thread in clients:
        thread.start()
    for _ in range(12):
        time.sleep(dice.uniform(0.1, 1.0))
        server.kill()
        server.start()
    over.set()
    for thread in clients:
        thread.join()
    assert {server.ended(number)["status"] for number in accepted} == {"completed"}
    month = server.get("/api/v1/usage").json()["data"]["monthly_trends"][-1]
    assert len(set(accepted.values())) == len(accepted) <= month["accepted"] <= len(accepted) + 3


@dataclass
class Parts:
    """The parts of a server without its sockets, on the test's own clock."""

    queue: JobQueue
    leases: Leases
    blobs: FolderBlobs
    key: Key
    limits: Limits
    now: list[float]
    database: Database

    def runner(self, engine: Trim) -> JobRunner:
        return JobRunner(Work(engine, judge), self.leases, self.blobs, Threads(), self.limits, 1)

    def sweeper(self) -> Sweeper:
        return Sweeper(self.queue, self.blobs, lambda: None)

    def accept(self, image: bytes) -> Job:
        upload = NewJob(Format.PNG, 80, len(image), "", new_name(Format.PNG), new_name(Format.PNG))
        self.blobs.put(ORIGINALS, upload.original_name, image)
        return self.queue.accept(self.key, upload)[0]

    def state(self, job: Job) -> str | None:
        found = self.queue.find(self.key, job.id)
        return found.state if found else None

    def tries(self, job: Job) -> int:
        found = self.queue.find(self.key, job.id)
        return found.tries if found else 0


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    limits, now = Limits(), [time.time()]
    database = TimedDatabase(tmp_path / "data", lambda: now[0])
    key = Keys(database).check(Keys(database).add("first"))
    assert key is not None
    queue, leases = (kind(database, limits) for kind in (JobQueue, Leases))
    yield Parts(queue, leases, FolderBlobs(tmp_path / "data", limits), key, limits, now, database)
    database.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.png*"))


def test_sweeping(parts: Parts, tmp_path: Path) -> None:
    """A day after completion the original, the result and the job are deleted."""
    job, runner = parts.accept(images(1)[0]), parts.runner(Trim())
    runner.start()
    until(lambda: parts.state(job) == "completed")
    runner.stop(1)
    before = len(files(tmp_path))
    parts.now[0] += 2 * 24 * 3600
    sweeper = parts.sweeper()
    sweeper.start()
    until(lambda: not files(tmp_path))
    sweeper.stop(60)
    assert (before, parts.queue.expired()) == (2, [])


def test_file_that_can_not_be_deleted(parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One file that can't be deleted keeps none of the others; its job stays until it can be."""
    stuck, *others = [parts.accept(image) for image in images(3)]
    for job in (stuck, *others):
        parts.leases.fail(parts.leases.lease(job.id) or job, "no", final=True)
    parts.now[0] += 2 * 24 * 3600
    path = tmp_path / "data" / ORIGINALS / stuck.original_name
    path.unlink()
    path.mkdir()
    sweeper = parts.sweeper()
    sweeper.start()
    until(lambda: [job.id for job in parts.queue.expired()] == [stuck.id])
    sweeper.stop(60)
    assert files(tmp_path) == [stuck.original_name]
    assert f"image {stuck.id}: its files can't be deleted" in caplog.text
    assert stuck.original_name not in caplog.text


def test_store_that_may_be_away(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep ends after some files that can't be deleted, and the next one begins with the files it did not try."""
    monkeypatch.setattr("imgshrink.server.sweeper.MOST_FAILURES", 2)
    *stuck, last = [parts.accept(image) for image in images(4)]
    for job in (*stuck, last):
        parts.leases.fail(parts.leases.lease(job.id) or job, "no", final=True)
        parts.now[0] += 1
    for job in stuck:
        path = tmp_path / "data" / ORIGINALS / job.original_name
        path.unlink()
        path.mkdir()
    parts.now[0] += 2 * 24 * 3600
    sweeper = parts.sweeper()
    left = []
    for _ in range(2):
        sweeper._sweep_expired()
        left.append([job.id for job in parts.queue.expired()])
    assert left == [[*(job.id for job in stuck), last.id], [job.id for job in stuck]]


def test_folder_that_can_not_be_written(parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A result that can't be stored costs its image the tries; no name of a file is in the log."""
    job, runner = parts.accept(images(1)[0]), parts.runner(Trim())
    for token in (1, 2, 3):
        (tmp_path / "data" / RESULTS / f"{job.optimized_name}.{token}").mkdir()
    runner.start()
    until(lambda: parts.state(job) == "failed")
    runner.stop(1)
    assert "unexpected error" in caplog.text
    assert not [name for name in (job.original_name, job.optimized_name) if name in caplog.text]


@pytest.mark.parametrize("kind", [ORIGINALS, RESULTS])
def test_folder_that_is_not_mounted(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """While the folder of images is away an image waits and loses no try, however often; then it is completed."""
    monkeypatch.setattr(job_runner, "_POLL_SECONDS", 0.01)
    job, runner = parts.accept(images(1)[0]), parts.runner(Trim())
    folder = tmp_path / "data" / kind
    folder.rename(tmp_path / "away")
    runner.start()
    until(lambda: caplog.text.count(f"requeued: the store of images: the folder {folder} is not there: mount it") > 3)
    (tmp_path / "away").rename(folder)
    until(lambda: parts.state(job) == "completed")
    runner.stop(60)
    assert parts.tries(job) == 1
    assert job.original_name not in caplog.text


def test_trouble_that_does_not_end(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that waits again and again for a day fails, and does not count; a younger one waits on."""
    monkeypatch.setattr(job_runner, "_POLL_SECONDS", 0.01)
    parts.limits = replace(parts.limits, requeues=5)
    parts.leases = Leases(parts.database, parts.limits)
    old = parts.accept(images(1)[0])
    parts.now[0] += 24 * 3600
    young, runner = parts.accept(images(2)[1]), parts.runner(Trim())
    (tmp_path / "data" / ORIGINALS).rename(tmp_path / "away")
    runner.start()
    until(lambda: caplog.text.count(f"image {young.id}: requeued") > 5)
    runner.stop(60)
    assert caplog.text.count(f"image {old.id}: requeued") == 5
    assert f"image {old.id}: failed, after it was requeued for too long: the store of images" in caplog.text
    ended = parts.queue.find(parts.key, old.id)
    assert ended is not None
    assert (ended.state, ended.message) == ("failed", "the image could not be optimized within 24 hours")
    assert (parts.state(young), parts.queue.stats(parts.key)["used"]) == ("queued", 1)


def test_original_that_is_gone(parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says in which folder a file is missing, and why it may be; not its name."""
    job, runner = parts.accept(png()), parts.runner(Trim())
    (tmp_path / "data" / ORIGINALS / job.original_name).unlink()
    runner.start()
    until(lambda: parts.state(job) == "failed")
    runner.stop(60)
    told = (
        f"image {job.id}: folder {tmp_path / 'data'}: a file of the originals was deleted: nothing but the server may"
    )
    assert caplog.text.count(told) == 3
    assert job.original_name not in caplog.text


@pytest.mark.parametrize("message", ["a\0b", "a\ud800b", "x" * 999])
def test_messages_fit_every_database(message: str) -> None:
    """What PostgreSQL does not store, and what is too long, is left out of a message."""
    stored = _storable(message)
    assert stored in ("ab", "a?b", "x" * 300)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Unavailable("one\ntwo"), "one"),
        (Unavailable(), "Unavailable"),
        (OperationalError("SELECT 1", {}, TimeoutError("no answer\nfrom it")), "no answer"),
        (OperationalError("SELECT 1", {}, TimeoutError()), "TimeoutError"),
    ],
)
def test_errors_in_one_line(error: Exception, line: str) -> None:
    """An error is one line of the log, and never none, without the statement that met it."""
    assert first_line(error) == line


def test_strays(parts: Parts, tmp_path: Path) -> None:
    """A file without a job is deleted once it is too old to belong to an upload; others stay."""
    job = parts.accept(png())
    parts.leases.fail(parts.leases.lease(job.id) or job, "no", final=True)
    originals, results = tmp_path / "data" / ORIGINALS, tmp_path / "data" / RESULTS
    stray, known, young = originals / "0stray.png", originals / job.original_name, results / "0young.png.1"
    long_ago = time.time() - STRAY_SECONDS - 60
    for path in (stray, young):
        path.write_bytes(b"0")
    for path in (stray, known):
        os.utime(path, (long_ago, long_ago))
    sweeper = parts.sweeper()
    sweeper.start()
    until(lambda: not stray.exists())
    sweeper.stop(60)
    assert files(tmp_path) == sorted([young.name, known.name])


def test_late_result_is_dropped(parts: Parts, tmp_path: Path) -> None:
    """A result that comes after the lease was lost is discarded and leaves no file."""
    stolen: list[Job | None] = []

    class Late(Trim):
        def result(self, data: bytes) -> bytes:
            stolen.append(parts.leases.lease(job.id))
            return super().result(data)

    job, runner = parts.accept(images(1)[0]), parts.runner(Late())
    runner.start()
    until(lambda: stolen)
    runner.stop(60)
    assert (parts.state(job), files(tmp_path)) == ("leased", [job.original_name])


def test_result_that_ends_too_late(parts: Parts) -> None:
    """The job of a thread that can't be stopped is released, so that another server can start it."""
    began, end = threading.Event(), threading.Event()

    class Stuck(Trim):
        def result(self, data: bytes) -> bytes:
            began.set()
            end.wait(60)
            return data

    job, runner = parts.accept(png()), parts.runner(Stuck())
    runner.start()
    assert began.wait(60)
    runner.stop(0)
    state = parts.state(job)
    end.set()
    runner.stop(60)
    assert (state, parts.state(job)) == ("queued", "queued")


def test_idle_runner_stops(parts: Parts) -> None:
    """Stopping an idle runner takes none of the grace period."""
    runner = parts.runner(Trim())
    runner.start()
    begun = time.monotonic()
    runner.stop(600)
    assert time.monotonic() - begun < 60
