"""Network backend with cancellation, deadlines and a check of the peer address.

The only module that imports the HTTP library: httpx, or its successor httpx2 where httpx is not installed.
"""

from __future__ import annotations

import concurrent.futures
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from .proxy import Proxy, connect_request, read_reply

try:
    import httpcore
    import httpx
except ImportError:
    import httpcore2 as httpcore  # type: ignore[import-not-found, no-redef]  # the successor has the same names
    import httpx2 as httpx  # type: ignore[import-not-found, no-redef]  # the successor has the same names

__all__ = ["ForbiddenPeer", "SocketTransport", "Sockets", "httpcore", "httpx"]

IDLE = 2.0
"""Seconds that an idle connection is kept: fewer than servers keep theirs (5 s or more), which would close it first."""

PIECE = 64 * 1024
TICK = 0.1

Result = TypeVar("Result")
Check = Callable[[str], str]


class ForbiddenPeer(httpcore.NetworkError):
    """The connection reached a forbidden address; nothing was sent."""


class Sockets(httpcore.NetworkBackend):
    """Every connection of one client. `check` is given the address that was reached and returns why not, or "".

    With a `proxy` it is the proxy that is reached, which connects to the host; only encrypted connections may follow.

    Name resolution, connecting and the TLS handshake run in a thread of their own, since nothing can interrupt them.
    """

    def __init__(self, stop: threading.Event, check: Check, proxy: Proxy | None = None) -> None:
        self.peer = ""
        self._proxy = proxy
        self._stop = stop
        self._check = check
        self._plain = httpcore.SyncBackend()
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        self._local = threading.local()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """End every socket operation of this thread at `deadline`, in monotonic seconds."""
        self._local.deadline = deadline
        try:
            yield
        finally:
            self._local.deadline = None

    def left(self, timeout: float | None) -> float:
        """Return the seconds that an operation may take; raises a timeout if there are none."""
        deadline = getattr(self._local, "deadline", None)
        left = min(timeout or 30.0, 30.0 if deadline is None else deadline - time.monotonic())
        if left <= 0 or self._stop.is_set() or self._closed.is_set():
            raise httpcore.ReadTimeout("took too long")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Connect; raises `ForbiddenPeer` if `check` refuses the address that was reached."""
        left = self.left(timeout)
        options = socket_options or []
        first, gate = (host, port) if self._proxy is None else (self._proxy.host, self._proxy.port)
        plain = self.run_until(lambda: self._plain.connect_tcp(first, gate, left, local_address, options), left)
        self.peer = plain.get_extra_info("server_addr")[0]
        if why := self._check(self.peer):
            plain.close()
            raise ForbiddenPeer(why)
        stream = self.admit(plain)
        if self._proxy is not None:
            _open_tunnel(stream, self._proxy, host, port, timeout)
        return stream

    def run_until(self, work: Callable[[], Result], seconds: float) -> Result:
        """Return what `work` returns within `seconds` and before the stop; a later result is closed."""
        future: concurrent.futures.Future[Result] = concurrent.futures.Future()
        threading.Thread(target=_run, args=(work, future), daemon=True).start()
        end = time.monotonic() + seconds
        while not concurrent.futures.wait([future], TICK).done:
            if self._stop.is_set() or self._closed.is_set() or time.monotonic() > end:
                future.add_done_callback(_close_late)
                raise httpcore.ConnectTimeout("no connection in time")
        return future.result()

    def admit(self, plain: httpcore.NetworkStream) -> Stream:
        """Return `plain` with cancellation and deadlines."""
        stream = Stream(plain, self)
        with self._lock:
            self._streams.add(stream)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="imgshrink-watch", daemon=True)
                self._watcher.start()
        return stream

    def forget(self, stream: Stream) -> None:
        """Stop watching a stream."""
        with self._lock:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every connection at once, and refuse new ones."""
        self._closed.set()
        self._abort()

    def _watch(self) -> None:
        while not self._closed.wait(TICK):
            if self._stop.is_set():
                self._abort()

    def _abort(self) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.abort()


class Stream(httpcore.NetworkStream):
    """One connection."""

    def __init__(self, plain: httpcore.NetworkStream, sockets: Sockets) -> None:
        self._plain = plain
        self._sockets = sockets

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read the bytes that are available."""
        return self._plain.read(max_bytes, self._sockets.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of `buffer` in pieces, each with its own check of the deadline."""
        for start in range(0, len(buffer), PIECE):
            self._plain.write(buffer[start : start + PIECE], self._sockets.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._sockets.forget(self)
        self._plain.close()

    def abort(self) -> None:
        """Shut the connection down, so that a thread that waits on it returns.

        On the plain socket below TLS: the TLS `shutdown` would let a late write through unencrypted.
        """
        with suppress(OSError):
            socket.socket.shutdown(self._plain.get_extra_info("socket"), socket.SHUT_RDWR)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """Begin TLS."""
        left = self._sockets.left(timeout)
        self._sockets.forget(self)
        secure = self._sockets.run_until(lambda: self._plain.start_tls(ssl_context, server_hostname, left), left)
        return self._sockets.admit(secure)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's own signature
        """Return the plain stream's information."""
        return self._plain.get_extra_info(info)


class SocketTransport(httpx.BaseTransport):
    """Sends httpx's requests over these sockets, HTTP/1.1 only."""

    def __init__(self, sockets: Sockets, context: ssl.SSLContext | None) -> None:
        self._sockets = sockets
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=None, keepalive_expiry=IDLE, network_backend=sockets
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response, the body unread."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """End every connection."""
        self._sockets.close()
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _open_tunnel(stream: Stream, proxy: Proxy, host: str, port: int, timeout: float | None) -> None:
    try:
        stream.write(connect_request(proxy, host, port), timeout)
        why = read_reply(lambda: stream.read(PIECE, timeout))
    except BaseException:
        stream.close()
        raise
    if why:
        stream.close()
        raise httpcore.ConnectError(f"the proxy {proxy.authority} {why}")


def _run(work: Callable[[], Result], future: concurrent.futures.Future[Result]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
        future.set_exception(error)


def _close_late(future: concurrent.futures.Future[Any]) -> None:
    if future.exception() is None:
        future.result().close()
