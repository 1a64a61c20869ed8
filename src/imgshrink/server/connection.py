"""One connection: bounds on their number and on the time of a head, and error replies of the parser in the envelope.

uvicorn's options bound neither. Of 400 half-open connections it closes none in 30 s; `limit_concurrency` then replies
503 to all other clients, and at the limit of open files none is accepted. Its parser's error replies are text/plain.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from http import HTTPStatus
from typing import cast

import h11
from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from .errors import plain
from .limits import Limits
from .logs import fields
from .metrics import OTHER, Metrics
from .middleware import CLOSE, HEADERS, LINGER_SECONDS
from .request_ids import current, header, new_id, request_id

log = logging.getLogger("imgshrink.access")

LAST_SECONDS = 0.5
"""Time for the head of a request on a connection that is new when the server shuts down."""
RESERVE = 256
"""File descriptors reserved for the database, images, workers and the log."""


class Connection(H11Protocol):
    """Aborts beyond `limit` connections, and if the head of a request takes more than `head_seconds`."""

    limit: int
    head_seconds: float
    metrics: Metrics
    closing = False
    """Whether the server shuts down: a new connection may then send one request, at once.

    A balancer has connected it before the listening socket was closed, and would not repeat an upload on it.
    """
    _timer: asyncio.TimerHandle | None = None
    _rejected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start the timer for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.limit:
            transport.abort()
        else:
            self._start_timer()

    def shutdown(self) -> None:
        """Close the connection: at once if it is idle, else after its request, which may still be to come."""
        if self.cycle is None:
            self._stop_timer()
            self._start_timer()
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse data; stop the timer when a head is complete, restart it when another one begins."""
        if self._rejected:
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Reply in the envelope to a request that the parser rejects, discard what still arrives, and close.

        uvicorn calls it where it handles the parser's error, which has the status.
        """
        self._rejected = True
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._reject(getattr(sys.exc_info()[1], "error_status_hint", 400))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _reject(self, status: int) -> None:
        """Reply; a request whose head was parsed keeps its id, and the middleware logs and counts it."""
        parsed = self.cycle is not None and not self.cycle.response_complete
        own = request_id(cast(Scope, self.scope)) if parsed else new_id()
        reply = plain(status)
        headers = [*self.server_state.default_headers, *reply.raw_headers, *HEADERS, header(own), CLOSE]
        head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        for event in (head, h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        if not parsed:
            self._record(status, len(reply.body), own)

    def _record(self, status: int, size: int, own: str) -> None:
        self.metrics.request(OTHER, OTHER, status, 0.0)
        client = self.client[0] if self.client else "-"
        found = fields(client=client, key="-", method="-", path="-", route=OTHER, status=status, bytes=size)
        token = current.set(own)
        log.info("%s - - - %d %d bytes, not parsed", client, status, size, extra=found)
        current.reset(token)

    def _start_timer(self) -> None:
        seconds = LAST_SECONDS if self.closing else self.head_seconds
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol(limits: Limits, counted: Metrics | None = None) -> type[Connection]:
    """Return the protocol class of a server with these `limits` and the open files that the system allows."""

    class LimitedConnection(Connection):
        metrics = counted or Metrics()
        limit = connection_limit(limits.connections)
        head_seconds = limits.head_seconds

    return LimitedConnection


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
