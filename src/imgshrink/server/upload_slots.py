"""Shares the reading of upload bodies among keys, so that slow uploads of one key leave room for the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

from .errors import BUSY, ApiError
from .limits import Limits


class UploadSlots:
    """Bounds the bodies that are read at the same time, of all keys and of each; used on the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = asyncio.Semaphore(limits.uploads)
        self._by_key: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def slot(self, key_id: str) -> AsyncGenerator[None]:
        """Hold a slot for the context; raises `ApiError` 503 after `slot_wait_seconds` or if too many wait already."""
        async with AsyncExitStack() as held:
            await self._wait(held, key_id)
            yield

    async def _wait(self, held: AsyncExitStack, key_id: str) -> None:
        if self._waiting[key_id] >= self._limits.key_waiting:
            raise self._busy()
        self._waiting[key_id] += 1
        try:
            async with asyncio.timeout(self._limits.slot_wait_seconds):
                await held.enter_async_context(self._of_key(key_id))
                await held.enter_async_context(self._all)
        except TimeoutError as error:
            raise self._busy() from error
        finally:
            self._waiting[key_id] -= 1

    def _of_key(self, key_id: str) -> asyncio.Semaphore:
        return self._by_key.setdefault(key_id, asyncio.Semaphore(self._limits.key_uploads))

    def _busy(self) -> ApiError:
        return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, BUSY, retry_after=self._limits.slot_wait_seconds)
