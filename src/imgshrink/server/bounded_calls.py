"""Blocking calls of requests, in threads: bounded are the time that a request waits, and the number of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from typing import TypeVar, TypeVarTuple

from .daemon_thread import in_daemon_thread
from .errors import BUSY, RETRY_SECONDS, ApiError

Values = TypeVarTuple("Values")
Answer = TypeVar("Answer")


class BoundedCalls:
    """At most `most` calls at once, each in a thread; used on the event loop only.

    A thread can't be stopped: one that nobody waits for any more keeps its place until it ends, so that a silent
    database or store does not make threads pile up.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._places = asyncio.Semaphore(most)
        self._seconds = seconds
        self.running: set[asyncio.Task[object]] = set()
        """The calls whose threads have not ended."""

    async def run(
        self, call: Callable[[*Values], Answer], *values: *Values, held: AsyncExitStack | None = None
    ) -> Answer:
        """Return what `call` returns; raises `ApiError` 503 if it has not within the time, a wait for a place included.

        What `held` holds belongs to the call from its begin on, and is closed when its thread ends.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
                return await asyncio.shield(self._begun(partial(call, *values), held))
        except TimeoutError as error:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=RETRY_SECONDS) from error

    def _begun(self, call: Callable[[], Answer], held: AsyncExitStack | None) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._in_thread(call, held.pop_all() if held else AsyncExitStack()))
        self.running.add(task)
        task.add_done_callback(self._end)
        return task

    async def _in_thread(self, call: Callable[[], Answer], held: AsyncExitStack) -> Answer:
        async with held:
            return await in_daemon_thread(call, "imgshrink-call")

    def _end(self, task: asyncio.Task[object]) -> None:
        self.running.discard(task)
        self._places.release()
        if not task.cancelled():
            task.exception()  # or asyncio logs an error that nobody waits for any more
