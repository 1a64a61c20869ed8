"""Servers on loopback that answer in every wrong way, and count what they are asked."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from patience import ENDLESS

HEAD = b'HTTP/1.1 200 OK\r\nLast-Modified: Fri, 27 Nov 2026 10:00:00 GMT\r\nETag: "x"\r\nContent-Length: %d\r\n\r\n'
Reply = Callable[[socket.socket, "BrokenServer"], None]


class BrokenServer:
    """Answers each request by `reply`, one on a connection; `requests` holds the heads of all."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/shared"
        self.requests: list[bytes] = []
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            self.requests.append(head)
            self._reply(connection, self)

    def close(self) -> None:
        """Let go of everything that hangs."""
        self.over.set()
        self._listener.close()


@contextlib.contextmanager
def broken(reply: Reply) -> Iterator[BrokenServer]:
    """A server for the time of a test."""
    server = BrokenServer(reply)
    yield server
    server.close()


def says(data: bytes) -> Reply:
    """Answer with these bytes."""
    return lambda connection, server: connection.sendall(data)


def status(code: int, *lines: str) -> Reply:
    """Answer with a status and no body."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {code} no", "Content-Length: 0", "Connection: close", *lines))
    return says(f"{head}\r\n".encode())


def body(data: bytes, *, length: int | None = None) -> Reply:
    """Answer 200 with a body, and the length that the head claims."""
    return says(HEAD % (len(data) if length is None else length) + data)


def hangs(connection: socket.socket, server: BrokenServer) -> None:
    """Accept the request and never answer."""
    server.over.wait(ENDLESS)


def drips(connection: socket.socket, server: BrokenServer) -> None:
    """Answer a byte at a time."""
    connection.sendall(HEAD % 50_000)
    while not server.over.is_set():
        connection.sendall(b"x")
        time.sleep(0.05)


def disconnects(connection: socket.socket, server: BrokenServer) -> None:
    """Close without an answer."""


HTML = b"<!doctype html><title>Sign in</title>"
LARGE = 10_000_000_000

BROKEN: dict[str, tuple[Reply, str]] = {
    "503": (status(503), "not answering, went on without it (status 503)"),
    "403": (status(403), "access refused, went on without it (status 403)"),
    "401": (status(401), "access refused, went on without it (status 401)"),
    "cut body": (body(b"abc", length=1000), "not answering, went on without it (an answer cut off)"),
    "10 GB": (body(b"abc", length=LARGE), "not answering, went on without it (an answer of 10000000000 bytes)"),
    "no length": (
        says(b"HTTP/1.1 200 OK\r\n\r\nabc"), "not answering, went on without it (an answer without a length)",
    ),
    "302 to a dead host": (
        status(302, "Location: http://127.0.0.1:1/x"), "not answering, went on without it (no connection)",
    ),
    "hangs": (hangs, "not answering, went on without it (time-out)"),
    "drips": (drips, "not answering, went on without it (time-out)"),
    "disconnects": (disconnects, "not answering, went on without it (an answer cut off)"),
    "no HTTP": (says(b"nonsense\r\n\r\n"), "not answering, went on without it (GenericError)"),
    "200 HTML": (body(HTML), "its answers are not signed with this key, went on without it (unsigned)"),
}  # fmt: skip
"""How a server is broken, and what a run says of it after a single call."""
