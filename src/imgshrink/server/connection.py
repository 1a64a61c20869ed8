"""One connection: bounded in number, and in the time that the head of a request may take.

uvicorn bounds neither: who opens connections and says nothing, or one byte a minute, would keep everybody else out.
"""

from __future__ import annotations

import asyncio
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

RESERVE = 256
"""File descriptors for the database, images, workers and the log."""


def protocol(limits: Limits) -> type[asyncio.Protocol]:
    """Return the protocol of a server within `limits`, and within what the system allows this process."""

    class Bounded(Connection):
        limit = room(limits.connections)
        patience = limits.head_seconds

    return Bounded


class Connection(H11Protocol):
    """Ends where there are too many, and where a request's head is not complete `patience` seconds after it was due."""

    limit: int
    patience: float
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > self.limit:
            transport.abort()
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun must end."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_head()
        elif self._due is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._forget_head()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._due = self.loop.call_later(self.patience, self.transport.abort)

    def _forget_head(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


def room(most: int) -> int:
    """Return for how many connections, `most` at most, this process has file descriptors, having asked for enough."""
    if sys.platform == "win32":
        return most
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + RESERVE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, soft - RESERVE))
