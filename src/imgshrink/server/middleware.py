"""Wraps every request: bounds their number, adds headers, counts and logs each, closes in order.

An error reply may be sent before the whole request has arrived. Closing the connection then could destroy the reply in
transit (RFC 9112, section 9.6), so the rest of the request is read and discarded for `LINGER_SECONDS` first.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import BUSY, RETRY_SECONDS, SHUTTING_DOWN, ApiError
from .limits import Limits
from .logs import fields
from .metrics import OTHER
from .operations import UNBOUNDED, Operations
from .request_ids import current, header, request_id

log = logging.getLogger("imgshrink.access")

LINGER_SECONDS = 2.0
CLOSE = (b"connection", b"close")
BODY_HEADERS = (b"content-length", b"transfer-encoding")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),
]
# A file's name is the permission to download it, whatever stands before it.
_FILE_NAME = re.compile(r"(direct-file/+[^/]*/+).*|[0-9a-f]{32}.*", re.IGNORECASE | re.DOTALL)


class RequestMiddleware:
    """The outermost ASGI application; `routes` maps each endpoint to the template of its path."""

    def __init__(
        self, app: ASGIApp, limits: Limits, operations: Operations, routes: Mapping[Callable[..., object], str]
    ) -> None:
        self._app = app
        self._limits = limits
        self._operations = operations
        self._metrics = operations.metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        current.set(request_id(scope))
        exchange = _Exchange(scope, receive, send, last=self._operations.draining.is_set())
        self._metrics.in_flight += 1
        try:
            if self._metrics.in_flight > self._limits.requests and scope["path"] not in UNBOUNDED:
                await ApiError(503, BUSY, retry_after=1).response()(scope, exchange.receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # uvicorn's, at the end of the grace period
            await exchange.cancel()
        finally:
            self._metrics.in_flight -= 1
            self._record(exchange, self._routes.get(scope.get("endpoint", None), OTHER))

    def _record(self, exchange: _Exchange, route: str) -> None:
        self._metrics.request(route, exchange.method, exchange.status, exchange.seconds())
        log.info("%s", exchange.log_line(), extra=fields(route=route, **exchange.log_fields()))


class _Exchange:
    """Observes one request and its reply."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, last: bool) -> None:
        """`last` asks the client to use this connection for no other request."""
        self._scope, self._receive, self._send, self._last = scope, receive, send, last
        self._started = time.monotonic()
        declared = {name: value for name, value in scope["headers"] if name in BODY_HEADERS}
        self._arrived = declared in ({}, {b"content-length": b"0"})
        self.status = 0
        self.method: str = scope["method"]
        self._linger_seconds = LINGER_SECONDS
        self._sent = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._arrived = self._arrived or message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = list(message.get("headers", []))
            added = [(name, value) for name, value in HEADERS if name not in dict(own)]
            close = [CLOSE] if self._last or not self._arrived else []
            named = header(request_id(self._scope))
            await self._send({**message, "headers": [*own, *added, named, *close]})
            return
        self._sent += len(message.get("body", b""))
        if message.get("more_body", False) or self._arrived:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._linger()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def cancel(self) -> None:
        """Reply 503 without lingering if there was no reply yet."""
        if not self.status:
            self._linger_seconds = 0
            await ApiError(503, SHUTTING_DOWN, retry_after=RETRY_SECONDS).response()(
                self._scope, self.receive, self.send
            )

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(self._linger_seconds):
                while not self._arrived:
                    await self.receive()
        except TimeoutError:
            pass

    def seconds(self) -> float:
        """Return the time since the request began."""
        return time.monotonic() - self._started

    def log_line(self) -> str:
        """Return the line of the access log, without keys, queries, file names and control characters."""
        found = self.log_fields()
        names = "{client} {key} {method} {path} {status} {bytes} bytes {milliseconds} ms"
        return names.format_map(found)

    def log_fields(self) -> dict[str, str | int]:
        """Return what the line holds, by name."""
        return {
            "client": (self._scope.get("client") or ("-",))[0],
            "key": self._scope.get("state", {}).get("key_name", "-"),
            "method": ascii(self.method)[1:-1],
            "path": ascii(_FILE_NAME.sub(r"\1...", self._scope["path"]))[1:-1][:200],
            "status": self.status,
            "bytes": self._sent,
            "milliseconds": round(1000 * self.seconds()),
        }
