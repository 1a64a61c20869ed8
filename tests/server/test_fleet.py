"""Many nodes over one real PostgreSQL and one real S3 server: each image once, whatever ends in between."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from image_builder import chunk, png
from patience import until
from postgresql import PostgreSQL, needs_postgresql, postgresql
from real_servers import Program, cutting_proxy, s3_server
from server_process import Served

pytestmark = [*needs_postgresql, pytest.mark.slow]

LEASE = 3.0


def image(number: int) -> bytes:
    return png(chunk(b"tEXt", b"Comment\0" + str(number).encode() * 50))


class Fleet:
    """Nodes of one database and one bucket."""

    def __init__(self, folder: Path, server: PostgreSQL, store: Program) -> None:
        self.folder, self.server, self.store = folder, server, store
        self.database = server.new_database()
        self.asked = folder / "asked"
        self.nodes: list[Served] = []

    def node(self, *, jobs: int = 0, **more: object) -> Served:
        """Start a node; with `jobs` it works."""
        config = {"asked": str(self.asked), "limits": {"lease": LEASE}, **more}
        node = Served(
            self.folder / f"node{len(self.nodes)}",
            jobs=jobs,
            **{"database": self.database, **config},  # type: ignore[arg-type]  # tables of the test's own
            blobs=f"s3://images/{self.database.rpartition('/')[2]}",
            key=self.nodes[0].key if self.nodes else "",
        )
        self.nodes.append(node)
        return node.start()

    def begun(self) -> int:
        """How many tries have begun, on all nodes."""
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0

    def counts(self) -> tuple[int, int, int]:
        """Accepted, completed and failed images."""
        (row,) = self.sql("SELECT SUM(accepted), SUM(completed), SUM(failed) FROM months")
        return tuple(int(str(value)) for value in row)  # type: ignore[return-value]  # three columns

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        return self.server.sql(statement, self.database.rpartition("/")[2])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A server that speaks S3, with an empty bucket."""
    with s3_server(tmp_path_factory.mktemp("s3"), "images") as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path, store: Program, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}", "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "SK", "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    fleet = Fleet(tmp_path, postgresql(), store)
    yield fleet
    for node in fleet.nodes:
        node.__exit__()


def test_one_node_takes_what_another_does(fleet: Fleet) -> None:
    """An image that one node accepts is shrunk by another, and downloaded from a third."""
    first, _, third = fleet.node(), fleet.node(jobs=2), fleet.node()
    number = first.accepted(image(1))
    data = third.ended(number)
    assert data["status"] == "completed"
    path = "/direct-file/" + data["optimized_url"].partition("/direct-file/")[2]
    original = "/direct-file/" + data["original_url"].partition("/direct-file/")[2]
    assert [len(third.get(path, "").content), first.get(path, "").content] == [data["optimized_size"], png()]
    assert third.get(original, "").content == image(1)
    assert fleet.begun() == 1


def test_many_clients(fleet: Fleet) -> None:
    """Two nodes for requests, two that work, 16 clients: each image once, and the counts are exact."""
    answering = [fleet.node(), fleet.node()]
    for _ in range(2):
        fleet.node(jobs=2)

    def client(number: int) -> list[str]:
        node, other = answering[number % 2], answering[1 - number % 2]
        numbers = [node.accepted(image(100 * number + index)) for index in range(10)]
        return [other.ended(accepted)["status"] for accepted in numbers]

    with ThreadPoolExecutor(16) as clients:
        ends = Counter(state for states in clients.map(client, range(16)) for state in states)
    assert (ends, fleet.begun(), fleet.counts()) == ({"completed": 160}, 160, (160, 160, 0))


def test_quota_is_exact(fleet: Fleet) -> None:
    """Sixteen uploads at once on two nodes: exactly as many are accepted as the quota allows."""
    nodes = [fleet.node(), fleet.node()]
    key = nodes[0].add_key("small", 25)

    def client(number: int) -> list[int]:
        return [nodes[number % 2].post(image(number), key).status_code for _ in range(4)]

    with ThreadPoolExecutor(16) as clients:
        codes = Counter(code for codes in clients.map(client, range(16)) for code in codes)
    assert codes == {200: 25, 403: 39}


def test_two_nodes_make_the_tables_at_once(fleet: Fleet) -> None:
    """Two nodes that start at once with an empty database both serve, and there is one first key."""
    fleet.database = fleet.server.new_database()
    with ThreadPoolExecutor(4) as starts:
        nodes = [Served(fleet.folder / f"new{number}", jobs=1, database=fleet.database, key="none",
                        blobs="s3://images/new") for number in range(4)]  # fmt: skip
        fleet.nodes += nodes
        list(starts.map(Served.start, nodes))
    assert [node.get("/health", "").status_code for node in nodes] == [200] * 4
    assert fleet.sql("SELECT name FROM keys") == [("first",)]


def test_killed_worker(fleet: Fleet) -> None:
    """What a killed node had begun is done by another one, and counted once."""
    answering, doomed = fleet.node(), fleet.node(jobs=1, seconds=600)
    number = answering.accepted(image(1))
    until(lambda: fleet.begun() == 1)
    doomed.kill()
    fleet.node(jobs=1)
    assert answering.ended(number)["status"] == "completed"
    assert (fleet.begun(), fleet.counts()) == (2, (1, 1, 0))


def test_stopped_worker_wakes(fleet: Fleet) -> None:
    """A node that stood still and goes on after another has done its image changes nothing: one result, one count."""
    answering, asleep = fleet.node(), fleet.node(jobs=1, seconds=1)
    number = answering.accepted(image(1))
    until(lambda: fleet.begun() == 1)
    os.kill(asleep.pid, signal.SIGSTOP)
    fleet.node(jobs=1)
    data = answering.ended(number)
    os.kill(asleep.pid, signal.SIGCONT)
    until(lambda: "its lease was lost" in asleep.log.read_text())
    path = "/direct-file/" + data["optimized_url"].partition("/direct-file/")[2]
    assert (answering.get(path, "").content, fleet.counts()) == (png(), (1, 1, 0))
    again = asleep.accepted(image(2))
    assert answering.ended(again)["status"] == "completed"


def test_clocks_that_differ(fleet: Fleet) -> None:
    """Nodes whose clocks are an hour wrong neither lease what another works on nor let what another made expire."""
    limits = {"lease": LEASE, "kept": 1800.0}
    answering = [fleet.node(limits=limits, clock_ahead=shift) for shift in (3600, -3600)]
    working = [fleet.node(jobs=1, seconds=2 * LEASE, limits=limits, clock_ahead=-3600)]
    number = answering[0].accepted(image(1))
    until(lambda: fleet.begun() == 1)
    working.append(fleet.node(jobs=1, limits=limits, clock_ahead=3600))
    for node in (*answering, *working):
        data = node.ended(number)
        path = "/direct-file/" + data["optimized_url"].partition("/direct-file/")[2]
        assert (data["status"], node.get(path, "").content) == ("completed", png())
    assert (fleet.begun(), fleet.counts()) == (1, (1, 1, 0))


def test_node_that_ends_in_order(fleet: Fleet) -> None:
    """A node that is told to end gives its images back at once, and the tries do not count."""
    answering, leaving = fleet.node(), fleet.node(jobs=2, seconds=600, grace=0.5, limits={"lease": 600.0})
    numbers = [answering.accepted(image(number)) for number in range(5)]
    until(lambda: fleet.begun() == 2)
    assert leaving.stop() == 0
    assert fleet.sql("SELECT DISTINCT state, tries FROM jobs") == [("queued", 0)]
    fleet.node(jobs=2)
    assert {answering.ended(number)["status"] for number in numbers} == {"completed"}


@pytest.mark.parametrize("gone", ["database", "store"])
def test_outage(fleet: Fleet, gone: str) -> None:
    """While the database or the store is away uploads get 503 and when to come again; none is lost or counted twice."""
    answering = fleet.node()
    fleet.node(jobs=2, seconds=0.05)
    codes: Counter[int] = Counter()
    accepted: list[int] = []
    over = threading.Event()

    def client(number: int) -> None:
        for index in range(1000):
            if over.is_set():
                return
            while not over.is_set():
                headers = {"Idempotency-Key": f"{number}-{index}"}
                try:
                    reply = answering.post(image(1000 * number + index), headers=headers)
                except httpx.TransportError:
                    continue
                codes[reply.status_code] += 1
                if reply.status_code == 200:
                    accepted.append(reply.json()["data"]["image_id"])
                    break
                assert (reply.status_code, "retry-after" in reply.headers) == (503, True), reply.text

    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in clients:
        thread.start()
    until(lambda: len(accepted) > 10)
    (fleet.server if gone == "database" else fleet.store).stop()
    until(lambda: codes[503] > 3)
    before = len(accepted)
    (fleet.server if gone == "database" else fleet.store).start()
    until(lambda: len(accepted) > before + 10)
    over.set()
    for thread in clients:
        thread.join()
    assert len(set(accepted)) == len(accepted)
    assert {answering.ended(number)["status"] for number in accepted} == {"completed"}
    done, completed, failed = fleet.counts()
    # An upload whose answer was lost counts as well, once: its client would have sent it again.
    assert (done, failed) == (completed, 0)
    assert len(accepted) <= done <= len(accepted) + 4
    assert fleet.sql("SELECT COUNT(*) FROM jobs WHERE tries > 3") == [(0,)]


def test_restarts_cost_no_try(fleet: Fleet) -> None:
    """However often the database restarts while an image is in work: its node says so, and begins another meanwhile."""
    answering = fleet.node(limits={"lease": 8.0})
    fleet.node(jobs=2, seconds=600, limits={"lease": 8.0})
    answering.accepted(image(1))
    until(lambda: fleet.begun() == 1)
    for _ in range(3):
        fleet.server.stop()
        fleet.server.start()
        (restarted,) = fleet.sql("SELECT now()")
        until(lambda: fleet.sql(f"SELECT 1 FROM pgqueuer WHERE heartbeat > '{restarted[0]}'"))  # noqa: B023  at once
    until(lambda: answering.get("/health/ready", "").status_code == 200)
    answering.accepted(image(2))
    until(lambda: fleet.begun() == 2)
    assert fleet.sql("SELECT DISTINCT state, tries FROM jobs") == [("leased", 1)]


def test_answer_to_a_commit_is_lost(fleet: Fleet) -> None:
    """Where nobody knows whether the database took an upload, its image stays: the client's repetition is that job."""
    with cutting_proxy(fleet.server.port) as (port, cut):
        url = fleet.database.replace(f":{fleet.server.port}/", f":{port}/")
        answering = fleet.node(database=url)
        fleet.node(jobs=1)
        headers = {"Idempotency-Key": "once"}
        cut.set()
        first = answering.post(image(1), headers=headers)
        cut.clear()
        again = answering.post(image(1), headers=headers)
        assert (first.status_code, again.status_code) == (503, 200)
        assert answering.ended(again.json()["data"]["image_id"])["status"] == "completed"
        assert fleet.counts() == (1, 1, 0)


def test_second_row_of_a_job_in_work(fleet: Fleet) -> None:
    """Further rows of an image that a node works on cost it no try."""
    answering = fleet.node()
    number = answering.accepted(image(1))
    rows = "INSERT INTO pgqueuer (priority, entrypoint, payload, status) SELECT 0, 'imgshrink', payload, 'queued' "
    for _ in range(2):
        fleet.sql(rows + "FROM pgqueuer")
    fleet.node(jobs=4, seconds=1)
    assert answering.ended(number)["status"] == "completed"
    assert (fleet.begun(), fleet.counts()) == (1, (1, 1, 0))


def test_silent_database(fleet: Fleet) -> None:
    """A database that accepts connections and does not answer costs a request seconds, not for ever."""
    answering = fleet.node(limits={"answer_seconds": 1.0})
    assert answering.post(image(1)).status_code == 200
    fleet.server.pause()
    try:
        codes = [answering.post(image(2)).status_code, answering.get("/api/v1/stats").status_code]
    finally:
        fleet.server.resume()
    assert codes == [503, 503]
    until(lambda: answering.post(image(3)).status_code == 200)


def test_lost_row(fleet: Fleet) -> None:
    """A job that pgqueuer has lost is put into its queue again."""
    answering = fleet.node()
    number = answering.accepted(image(1))
    fleet.sql("DELETE FROM pgqueuer")
    fleet.node(jobs=1)
    assert answering.ended(number)["status"] == "completed"


def test_row_without_a_job(fleet: Fleet) -> None:
    """A row whose job has ended, or never was, is worked off and nothing happens."""
    answering = fleet.node()
    number = answering.accepted(image(1))
    rows = "INSERT INTO pgqueuer (priority, entrypoint, payload, status) SELECT 0, 'imgshrink', {}, 'queued' "
    fleet.sql(rows.format("payload") + "FROM pgqueuer")
    fleet.sql(rows.format("'999999'"))
    fleet.node(jobs=1)
    assert answering.ended(number)["status"] == "completed"
    until(lambda: fleet.sql("SELECT COUNT(*) FROM pgqueuer") == [(0,)])
    assert fleet.counts() == (1, 1, 0)


@pytest.mark.long
def test_many_jobs_and_random_kills(fleet: Fleet) -> None:
    """Hundreds of jobs, four nodes of which one is killed again and again: each ends, none counts twice."""
    answering = fleet.node(limits={"lease": 1.0, "tries": 1000, "queue": 10_000})
    config = {"limits": {"lease": 1.0, "tries": 1000, "queue": 10_000}, "seconds": 0.02}
    workers = [fleet.node(jobs=2, **config) for _ in range(3)]
    dice = random.Random(5)
    with ThreadPoolExecutor(8) as clients:
        numbers = list(clients.map(lambda number: answering.accepted(image(number)), range(600)))
    for _ in range(6):
        doomed = dice.choice(workers)
        begun = fleet.begun()
        until(lambda: fleet.begun() >= begun + 5 or fleet.counts()[1] == 600)  # noqa: B023  called at once
        doomed.kill()
        doomed.start()
    states = Counter(answering.ended(number)["status"] for number in numbers)
    assert (states, fleet.counts()) == ({"completed": 600}, (600, 600, 0))
