"""Blocking calls in threads that do not keep the program from ending, as those of asyncio's and anyio's pools do."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def in_daemon_thread(call: Callable[[], Answer], name: str) -> Answer:
    """Return what `call` returns, or raise what it raises; who is cancelled leaves the thread to itself."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Answer] = loop.create_future()
    context = contextvars.copy_context()

    def end(settle: Callable[[Any], None], value: object) -> None:
        if not ended.cancelled():
            settle(value)

    def run() -> None:
        try:
            settled: tuple[Callable[[Any], None], object] = ended.set_result, context.run(call)
        except Exception as error:  # noqa: BLE001  it is raised in the loop
            settled = ended.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end, *settled)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await ended
