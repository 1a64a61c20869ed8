"""Wraps every request: bounds their number, adds security headers, writes the access log, closes in order.

An error reply may be sent before the whole request has arrived. Closing the connection then could destroy the reply in
transit (RFC 9112, section 9.6), so the rest of the request is read and discarded for `LINGER_SECONDS` first.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import BUSY, RETRY_SECONDS, SHUTTING_DOWN, ApiError
from .limits import Limits

log = logging.getLogger("imgshrink.access")

LINGER_SECONDS = 2.0
CLOSE = (b"connection", b"close")
BODY_HEADERS = (b"content-length", b"transfer-encoding")
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),
]
_FILE_NAME = re.compile(r"^(/direct-file/[a-z]+/).*")


class RequestMiddleware:
    """The outermost ASGI application."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        self._running += 1
        try:
            if self._running > self._limits.requests:
                await ApiError(503, BUSY, retry_after=1).response()(scope, exchange.receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # uvicorn's, at the end of the grace period
            await exchange.cancel()
        finally:
            self._running -= 1
            log.info("%s", exchange.log_line())


class _Exchange:
    """Observes one request and its reply."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._started = time.monotonic()
        declared = {name: value for name, value in scope["headers"] if name in BODY_HEADERS}
        self._arrived = declared in ({}, {b"content-length": b"0"})
        self._status = 0
        self._linger_seconds = LINGER_SECONDS
        self._sent = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._arrived = self._arrived or message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            own = list(message.get("headers", []))
            added = [(name, value) for name, value in HEADERS if name not in dict(own)]
            early = [] if self._arrived else [CLOSE]
            await self._send({**message, "headers": [*own, *added, *early]})
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
        if not self._status:
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

    def log_line(self) -> str:
        """Return the line of the access log, without keys, queries, file names and control characters."""
        client = (self._scope.get("client") or ("-",))[0]
        path = ascii(_FILE_NAME.sub(r"\1...", self._scope["path"]))[1:-1][:200]
        name = self._scope.get("state", {}).get("key_name", "-")
        milliseconds = 1000 * (time.monotonic() - self._started)
        method = ascii(self._scope["method"])[1:-1]
        return f"{client} {name} {method} {path} {self._status} {self._sent} bytes {milliseconds:.0f} ms"
