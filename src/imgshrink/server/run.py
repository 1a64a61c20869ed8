"""Runs the server from its settings until a signal ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from ..core.errors import SettingsError
from .app import create_app
from .backend import Places, open_backend
from .connection import Connection, protocol
from .database import Database
from .keys import KeyAdminError, Keys
from .limits import MONTHLY_LIMIT, Limits
from .logs import TEXT, configure
from .operations import Operations
from .work import Work

FIRST_KEY = "first"
KEEP_ALIVE = 15
BACKLOG = 128
TICK_SECONDS = 0.1


class StartError(SettingsError):
    """The server can't start; the text names the reason and the cure."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and the prefix of URLs in replies: on loopback the address itself by default."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""


@dataclass(frozen=True)
class Operating:
    """How the server is watched and taken out of service; `drain` is seconds, `metrics_token` opens `/metrics`."""

    drain: float = 0
    log_format: str = TEXT
    metrics_token: str = field(default="", repr=False)


def serve(
    work: Work,
    places: Places,
    *,
    address: Address,
    limits: Limits,
    jobs: int,
    grace: float,
    announce: Callable[[str], None],
    operating: Operating = Operating(),
) -> None:
    """Serve until SIGTERM or Ctrl-C, then shut down in order; `announce` prints a line for the operator.

    The first start with a database creates a key and announces it. `jobs` may be 0 where other nodes do the work.
    Raises `SettingsError` before it listens.
    """
    if not (jobs or places.database):
        raise StartError("--jobs 0 needs --database: only other nodes of the same database can do the work")
    operations = Operations(operating.metrics_token)
    with open_backend(places, limits) as backend, open_listener(address) as listener:
        public_url = _public_url(address, listener)
        app = create_app(
            work, backend, public_url=public_url, limits=limits, jobs=jobs, grace=grace, operations=operations
        )
        _announce_key(backend.database, announce)
        configure(operating.log_format, operations.images)
        server = _Server(app, protocol(limits, operations.metrics), grace, operations, operating.drain)
        with _stopped_by_signals(server):
            listener.listen(BACKLOG)
            announce(f"imgshrink server: listening on {_own_url(listener)}, replies say {public_url}, {places}")
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Drains before it shuts down, and then loses no connection that a client had opened already."""

    def __init__(
        self, app: ASGIApp, connection: type[Connection], grace: float, operations: Operations, drain: float
    ) -> None:
        super().__init__(_config(app, connection, grace))
        self._connection = connection
        self._operations = operations
        self._drain = drain
        self._hurried = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down; a second signal ends the drain."""
        self._hurried = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, stop accepting, wait for running requests within the grace period, then end the application."""
        self._operations.draining.set()
        end = time.monotonic() + self._drain
        while time.monotonic() < end and not self._hurried:
            await self.on_tick(0)  # keeps the date of replies
            await asyncio.sleep(TICK_SECONDS)
        self._connection.closing = True
        accepted = [asyncio.ensure_future(self._connect(each)) for each in _pending(sockets or [])]
        await super().shutdown(sockets)
        await asyncio.gather(*accepted, return_exceptions=True)

    async def _connect(self, accepted: socket.socket) -> None:
        def connection() -> Connection:
            return self._connection(self.config, self.server_state, self.lifespan.state)

        await asyncio.get_running_loop().connect_accepted_socket(connection, accepted)


def _pending(listeners: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """Accept the connections that closing the listening sockets would reset."""
    for listener in listeners:
        with suppress(BlockingIOError):
            while True:
                accepted, _ = listener.accept()
                accepted.setblocking(False)
                yield accepted


def _config(app: ASGIApp, connection: type[Connection], grace: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, int(grace)),
        backlog=BACKLOG,
    )


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end `server` before uvicorn handles them, and after, when uvicorn raises them again."""

    def stop(*_: object) -> None:
        server.should_exit = True

    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def open_listener(address: Address) -> socket.socket:
    """Return a bound socket. asyncio sets TCP_NODELAY only on connections of sockets with the protocol named."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, proto, _, address_info = found[0]
        listener = socket.socket(family, kind, proto)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address_info)
    except OSError as error:
        raise StartError(f"can't listen on {address.host} port {address.port}: {error.strerror}") from error
    return listener


def _own_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _public_url(address: Address, listener: socket.socket) -> str:
    if not address.public_url:
        if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            raise StartError(
                f"listening on {address.host} needs --public-url, the URL that clients know this server by"
            )
        return _own_url(listener)
    url = urlsplit(address.public_url)
    valid = url.scheme in ("http", "https") and url.hostname and not (url.query or url.fragment or "@" in url.netloc)
    if not valid or not address.public_url.isascii() or not address.public_url.isprintable():
        raise StartError(
            f"--public-url is an http or https URL such as https://images.example.org, not {address.public_url!a}"
        )
    return address.public_url.rstrip("/")


def _announce_key(database: Database, announce: Callable[[str], None]) -> None:
    keys = Keys(database)
    if keys.all():
        return
    try:
        secret = keys.add(FIRST_KEY)
    except KeyAdminError:  # another node was quicker
        return
    announce(f"imgshrink server: the first API key ({MONTHLY_LIMIT:,} images a month), shown only now: {secret}")
