"""Bounds the number of connections and the time that the head of a request may take.

uvicorn's options bound neither. Of 400 half-open connections it closes none in 30 s; `limit_concurrency` then replies
503 to all other clients, and at the limit of open files none is accepted.
"""

from __future__ import annotations

import asyncio
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

RESERVE = 256
"""File descriptors reserved for the database, images, workers and the log."""


def protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol class of a server with these `limits` and the open files that the system allows."""

    class LimitedConnection(Connection):
        limit = connection_limit(limits.connections)
        head_seconds = limits.head_seconds

    return LimitedConnection


class Connection(H11Protocol):
    """Aborts beyond `limit` connections, and if the head of a request takes more than `head_seconds`."""

    limit: int
    head_seconds: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start the timer for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.limit:
            transport.abort()
        else:
            self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Parse data; stop the timer when a head is complete, restart it when another one begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def connection_limit(wanted: int) -> int:
    """Return how many of the `wanted` connections have file descriptors, after raising the soft limit for them."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVE
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        soft = needed
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - RESERVE))
