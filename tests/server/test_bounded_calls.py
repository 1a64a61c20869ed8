"""A request waits for a blocking call for a bounded time; the call keeps its place until its thread has ended."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
import pytest

from image_builder import png
from imgshrink.server.app import create_app
from imgshrink.server.backend import Backend
from imgshrink.server.blobs import FolderBlobs
from imgshrink.server.bounded_calls import BoundedCalls
from imgshrink.server.database import Database
from imgshrink.server.dispatch import Threads
from imgshrink.server.errors import ApiError
from imgshrink.server.keys import Keys
from imgshrink.server.limits import Limits
from imgshrink.server.work import Work
from patience import ENDLESS, PATIENCE
from server_process import Served, Trim, judge

SHORT = 0.05


class Stuck:
    """A call that returns when the test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = threading.Event()

    def __call__(self, result: int = 0) -> int:
        self.begun += 1
        assert self.end.wait(PATIENCE)
        return result


async def until(happens: Callable[[], object]) -> None:
    """Wait for a condition on the event loop."""
    async with asyncio.timeout(PATIENCE):
        while not happens():
            await asyncio.sleep(0.01)


async def refused(call: Awaitable[object]) -> int:
    """The status of the error that a call ends with."""
    with pytest.raises(ApiError) as error:
        await call
    return error.value.status


def test_abandoned_calls_keep_their_places() -> None:
    """While calls that nobody waits for any more are in their threads, no further one begins; then one does."""

    async def body() -> None:
        calls, stuck = BoundedCalls(2, SHORT), Stuck()
        assert [await refused(calls.run(stuck)) for _ in range(5)] == [503] * 5
        assert stuck.begun == 2
        stuck.end.set()
        await until(lambda: not calls.running)
        assert await calls.run(stuck, 7) == 7

    asyncio.run(body())


def test_call_that_was_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    """A request that leaves while it waits for a place takes none, and what a call raises later is nobody's."""

    async def body() -> None:
        calls, stuck = BoundedCalls(1, ENDLESS), Stuck()

        def fail() -> None:
            stuck()
            raise ValueError

        first = asyncio.create_task(calls.run(fail))
        await until(lambda: stuck.begun)
        second = asyncio.create_task(calls.run(stuck))
        await asyncio.sleep(0)
        for task in (first, second):
            task.cancel()
        await asyncio.wait({first, second})
        stuck.end.set()
        await until(lambda: not calls.running)
        assert (await calls.run(int, "3"), stuck.begun) == (3, 1)

    asyncio.run(body())
    assert not caplog.text


def test_what_a_call_holds() -> None:
    """What is held for a call is let go of when its thread ends, not before; at once where it can't begin."""

    async def body() -> None:
        calls, stuck, closed = BoundedCalls(1, SHORT), Stuck(), []
        for name in ("begun", "not begun"):
            async with AsyncExitStack() as held:
                held.callback(closed.append, name)
                assert await refused(calls.run(stuck, held=held)) == 503
        assert closed == ["not begun"]
        stuck.end.set()
        await until(lambda: closed == ["not begun", "begun"])

    asyncio.run(body())


def test_uploads_to_a_silent_store(tmp_path: Path) -> None:
    """However many uploads give up while the store is silent, no more are in work than may be stored at once."""
    stuck = Stuck()

    class SilentStore(FolderBlobs):
        def put(self, kind: str, name: str, data: bytes) -> None:
            stuck()
            super().put(kind, name, data)

    async def body(database: Database) -> None:
        limits = Limits(storing=2, answer_seconds=0.3, key_uploads=4)
        key = Keys(database).add("tests")
        backend = Backend(database, SilentStore(tmp_path, limits), Threads(), lambda: None)
        app = create_app(Work(Trim(), judge), backend, public_url="http://a", limits=limits)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:

            async def upload() -> int:
                files = {"image": ("image.png", png())}
                return (await client.post("/api/optimize", headers={"X-API-Key": key}, files=files)).status_code

            assert await asyncio.gather(*(upload() for _ in range(4))) == [503] * 4
            assert [await upload(), stuck.begun] == [503, 2]
            stuck.end.set()
            async with asyncio.timeout(PATIENCE):
                while await upload() != 200:
                    pass

    with closing(Database(tmp_path)) as database:
        asyncio.run(body(database))


@pytest.mark.skipif(os.name != "posix", reason="a file that nobody answers for is a FIFO")
def test_end_beside_a_call_that_never_returns(tmp_path: Path) -> None:
    """A call that a silent store never answers costs its request a bounded time, and keeps the server from no end."""
    with Served(tmp_path / "data", limits={"answer_seconds": 0.3}) as server:
        original = server.ended(server.accepted(png()))["original_url"]
        file = server.data / "originals" / original.rpartition("/")[2]
        file.unlink()
        os.mkfifo(file)
        assert server.get(original, "").status_code == 503
        assert server.get("/health/live", "").status_code == 200
        assert server.stop() == 0
