"""Whether a node is alive, whether it is ready, and how it leaves: drained, with no request lost."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from image_builder import png
from imgshrink.server.health import ANSWER_SECONDS, KEPT_SECONDS, Health, Probe
from server_process import Served, until

WELL = {"success": True, "message": "ok"}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_well(server: Served, path: str) -> None:
    """A node that works says so, without a key; the reply is not cached."""
    reply = server.get(path, "")
    assert (reply.status_code, reply.json(), reply.headers["cache-control"]) == (200, WELL, "no-store")


def assert_not_ready(server: Served, problem: str) -> None:
    """`/health` and `/health/ready` name the problem, and `/health/live` is not concerned."""
    until(lambda: server.get("/health/ready", "").status_code == 503)
    for path in ("/health", "/health/ready"):
        reply = server.get(path, "")
        assert (reply.status_code, reply.json()) == (503, {"success": False, "message": f"Not ready: {problem}"})
        assert (reply.headers["retry-after"], reply.headers["cache-control"]) == ("10", "no-store")
    assert server.get("/health/live", "").json() == WELL


def test_database_does_not_answer(tmp_path: Path) -> None:
    """Without its table the node is alive and not ready."""
    with Served(tmp_path / "data") as server:
        server.break_database()
        assert_not_ready(server, "no answer from the database")


def test_store_does_not_answer(tmp_path: Path) -> None:
    """Without its folder the node is not ready; it is again when the folder is back."""
    with Served(tmp_path / "data") as server:
        folder = server.data / "originals"
        folder.rename(server.data / "away")
        assert_not_ready(server, "no answer from the store")
        (server.data / "away").rename(folder)
        until(lambda: server.get("/health", "").status_code == 200)
        log = server.log.read_text()
        assert (log.count("no answer from the store: FileNotFoundError"), log.count("the store answers again")) == (
            1,
            1,
        )


UPLOAD = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)
FORM = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + png() + b"\r\n--b--\r\n"


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
def test_drain(tmp_path: Path) -> None:
    """After SIGTERM a node says that it is not ready, and serves all that comes until the drain ends."""
    with Served(tmp_path / "data", operating={"drain": 3600}, grace=60) as server:
        with server.connected(UPLOAD.format(server.key, len(FORM)).encode()) as sock:
            assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
            os.kill(server.pid, signal.SIGTERM)
            assert_not_ready(server, "the server is shutting down")
            sock.sendall(FORM)  # begun before the signal
            assert sock.recv(4000).startswith(b"HTTP/1.1 200 ")
        number = server.accepted(png())  # begun after it
        assert server.ended(number)["status"] == "completed"
        assert server.get("/api/v1/stats").headers["connection"] == "close"
        os.kill(server.pid, signal.SIGTERM)  # a second signal ends the drain
        assert server.exit_code() == 0


def test_no_drain(tmp_path: Path) -> None:
    """By default the end is not put off."""
    with Served(tmp_path / "data") as server:
        assert server.stop() == 0


class Asked:
    """A question that waits until it is released, and counts."""

    def __init__(self) -> None:
        self.times = 0
        self.free = threading.Event()

    def __call__(self) -> int:
        self.times += 1
        assert self.free.wait(60)
        return self.times


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_question_at_a_time() -> None:
    """Many who ask at once share one question, and its answer is repeated for a second."""
    asked, clock = Asked(), Clock()

    async def ask() -> list[int | None]:
        probe = Probe(asked, "part", clock)
        several = [asyncio.ensure_future(probe.answer()) for _ in range(20)]
        await asyncio.sleep(0)
        asked.free.set()
        answers = await asyncio.gather(*several)
        clock.now += KEPT_SECONDS - 0.1
        answers.append(await probe.answer())
        clock.now += 0.2
        return [*answers, await probe.answer()]

    assert asyncio.run(ask()) == [*[1] * 21, 2]


def test_question_without_an_answer() -> None:
    """Who asks while a question hangs waits no longer than its bound, and no second thread begins; later it answers."""
    asked, clock = Asked(), Clock()

    async def ask() -> list[int | None]:
        probe = Probe(asked, "part", clock)
        first = asyncio.ensure_future(probe.answer())
        await asyncio.sleep(0)
        clock.now += ANSWER_SECONDS
        hanging = [await probe.answer() for _ in range(5)]
        asked.free.set()
        return [*hanging, await first, await probe.answer()]

    assert asyncio.run(ask()) == [*[None] * 5, 1, 1]
    assert asked.times == 1


def test_every_silent_part_is_named() -> None:
    """The problem names each part that does not answer."""

    def silent() -> None:
        raise OSError

    health = Health({"database": silent, "store": silent, "other": lambda: None}, threading.Event())
    assert asyncio.run(health.problem()) == "no answer from the database and the store"


def test_answer_after_the_loop_is_closed() -> None:
    """A question that outlives its server is not heard, and harms nobody."""
    asked = Asked()

    async def leave() -> None:
        left = asyncio.ensure_future(Probe(asked, "part").answer())
        await asyncio.sleep(0)
        assert not left.done()

    asyncio.run(leave())
    asked.free.set()
    thread = next((one for one in threading.enumerate() if one.name == "imgshrink-probe"), None)
    if thread is not None:
        thread.join(60)
    assert not [one for one in threading.enumerate() if one.name == "imgshrink-probe"]
