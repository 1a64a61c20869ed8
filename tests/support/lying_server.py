"""A small API on a real socket, whose every step can be made to fail: the faults are queued, the rest is honest.

Written on bare sockets, since no server library would send what a broken one does.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

STATS = {"limit": 100, "used": 63, "reset_at": "2026-12-01T00:00:00Z"}

Shrink = Callable[[bytes], bytes]


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)


@dataclass
class Work:
    """One job; `done` is when it is, in monotonic seconds."""

    image: bytes
    result: bytes
    done: float
    asked: int = 0


class Reset(Exception):
    """The connection ends at once, with a reset."""


class Connection:
    """What a fault may do to one connection."""

    def __init__(self, plain: socket.socket) -> None:
        self.socket = plain

    def send(self, code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send a whole response."""
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        lines = [f"HTTP/1.1 {code} Whatever", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        self.raw("\r\n".join(lines).encode("latin-1") + body)

    def json(self, code: int, value: object, headers: dict[str, str] | None = None) -> None:
        """Send a JSON response."""
        self.send(code, json.dumps(value).encode(), headers)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)


Fault = Callable[[Connection, "LyingServer", Seen], None]


class LyingServer:
    """The server. `faults` maps a step (accept, head, upload, status, download, stats, usage) to faults still to come.

    A job takes `seconds`; its result is `shrink(image)`. With `keeps` faults are repeated for ever.
    """

    def __init__(self, shrink: Shrink | None = None, seconds: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        self.shrink = shrink or (lambda image: image[: len(image) * 6 // 10])
        self.seconds = seconds
        self.seen: list[Seen] = []
        self.jobs: dict[int, Work] = {}
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.reports_time = True
        self.tls = tls
        self.lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open = True
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """The API's address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def finish(self) -> None:
        """Let every job be done now, and those to come at once."""
        self.seconds = 0.0
        for work in self.jobs.values():
            work.done = time.monotonic()

    @property
    def connections(self) -> int:
        """How many connections were taken."""
        return len(self._sockets)

    @property
    def posts(self) -> int:
        """How many uploads arrived, whole or not."""
        return self.count("POST")

    def count(self, method: str, part: str = "") -> int:
        """How many requests arrived whose path holds `part`."""
        return sum(seen.method == method and part in seen.path for seen in self.seen)

    def next(self, step: str, *faults: Fault) -> None:
        """Let the next times at `step` go wrong."""
        self.faults[step].extend(faults)

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self._open = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        while self._open:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(plain)
            threading.Thread(target=self._connection, args=(plain,), daemon=True).start()

    def _connection(self, plain: socket.socket) -> None:
        try:
            if self._fault("accept", Connection(plain), Seen("", "", {})):
                return
            if self.tls:
                plain = self.tls.wrap_socket(plain, server_side=True)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = plain.makefile("rb")
            while self._request(Connection(plain), stream):
                pass
        except Reset:
            reset(plain)
        except (OSError, ValueError):
            pass
        finally:
            plain.close()

    def _request(self, connection: Connection, stream: object) -> bool:
        first = stream.readline().decode("latin-1").split()  # type: ignore[attr-defined]
        if len(first) < 2:
            return False
        headers = dict(_headers(stream))
        seen = Seen(first[0], first[1], headers)
        with self.lock:
            self.seen.append(seen)
        if seen.method == "POST" and self._fault("head", connection, seen):
            return False
        seen.body = stream.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
        step = self._step(seen)
        if self._fault(step, connection, seen):
            return False
        self.answer(step, connection, seen)
        return True

    def _fault(self, step: str, connection: Connection, seen: Seen) -> bool:
        with self.lock:
            fault = self.faults[step].popleft() if self.faults[step] else self.always.get(step)
        if fault is None:
            return False
        fault(connection, self, seen)
        return True

    def _step(self, seen: Seen) -> str:
        if seen.method == "POST":
            return "upload"
        for step, part in (("status", "/api/status/"), ("download", "/direct-file/"), ("stats", "/api/v1/stats")):
            if part in seen.path:
                return step
        return "usage" if "/api/v1/usage" in seen.path else "other"

    def answer(self, step: str, connection: Connection, seen: Seen) -> None:
        """Answer honestly."""
        if step == "upload":
            connection.json(200, {"success": True, "message": "queued", "data": self.accept(seen)})
        elif step == "status":
            connection.json(200, {"success": True, "data": self.status(int(seen.path.rpartition("/")[2]))})
        elif step == "download":
            connection.send(200, self.jobs[int(seen.path.rpartition("/")[2])].result, {"Content-Type": "image/png"})
        elif step == "stats":
            connection.json(200, {"success": True, "data": STATS})
        else:
            connection.json(404, {"success": False, "message": "Not found"})

    def accept(self, seen: Seen) -> dict[str, object]:
        """Take a job in; return what the reply says of it."""
        image = uploaded(seen)
        with self.lock:
            number = len(self.jobs) + 1
            self.jobs[number] = Work(image, self.shrink(image), time.monotonic() + self.seconds)
        return {"image_id": number, "status": "processing", "original_size": len(image)}

    def status(self, number: int) -> dict[str, object]:
        """Return what a status reply says of a job."""
        work = self.jobs[number]
        work.asked += 1
        if time.monotonic() < work.done:
            return {"image_id": number, "status": "processing", "original_size": len(work.image)}
        return {
            "image_id": number,
            "status": "completed",
            "original_size": len(work.image),
            "optimized_size": len(work.result),
            "optimized_url": f"{self.url}/direct-file/optimized/{number}",
            **({"processing_time": self.seconds} if self.reports_time else {}),
        }


def uploaded(seen: Seen) -> bytes:
    """Return the image in an upload."""
    boundary = seen.headers["content-type"].partition("boundary=")[2].encode()
    part = next(part for part in seen.body.split(b"--" + boundary) if b'name="image"' in part)
    return part.partition(b"\r\n\r\n")[2][:-2]


def upload_name(seen: Seen) -> str:
    """Return the file name in an upload."""
    found = re.search(rb'filename="([^"]*)"', seen.body)
    assert found is not None
    return found[1].decode()


def reset(plain: socket.socket) -> None:
    """Cut a connection the hard way."""
    with suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


@contextmanager
def lying_server(
    shrink: Shrink | None = None, seconds: float = 0.0, tls: ssl.SSLContext | None = None
) -> Iterator[LyingServer]:
    """Serve while the block runs."""
    server = LyingServer(shrink, seconds, tls)
    try:
        yield server
    finally:
        server.close()


def replies(code: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Fault:
    """Answer with this, whatever was asked."""
    return lambda connection, server, seen: connection.send(code, body, headers)


def says(code: int, value: object, headers: dict[str, str] | None = None) -> Fault:
    """Answer with this JSON, whatever was asked."""
    return lambda connection, server, seen: connection.json(code, value, headers)


def raw(data: bytes) -> Fault:
    """Send these bytes, and hang up."""
    return lambda connection, server, seen: connection.raw(data)


def resets(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Cut the connection here."""
    raise Reset


def resets_inside_the_body(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Cut the connection when some of the body has come."""
    connection.socket.recv(1000)
    raise Reset


def accepts_and_resets(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Take the job in, and cut the connection instead of answering."""
    server.accept(seen)
    raise Reset


def hangs(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Say nothing until the server is closed."""
    while server._open:
        time.sleep(0.1)


def drips(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Send a response header by header, slowly, for ever."""
    connection.raw(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        connection.raw(f"X-{number}: 1\r\n".encode())
        time.sleep(0.02)


def drips_a_body(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Send a body byte by byte, slowly, for ever."""
    connection.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100_000):
        connection.raw(b"x")
        time.sleep(0.02)


def continues(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Say `100 Continue` for ever."""
    for _ in range(10_000):
        connection.raw(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def stays_processing(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Answer a status request: the job is still in work, and nobody need ask again soon."""
    data = {"image_id": int(seen.path.rpartition("/")[2]), "status": "processing"}
    connection.json(200, {"success": True, "data": data}, {"Retry-After": "1000"})


def sends_half(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Send half of a result, and hang up."""
    result = server.jobs[int(seen.path.rpartition("/")[2])].result
    connection.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(result)}\r\n\r\n".encode() + result[: len(result) // 2])


def sends_half_unsaid(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Send half of a result as if it were the whole."""
    result = server.jobs[int(seen.path.rpartition("/")[2])].result
    connection.raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + result[: len(result) // 2])


def _headers(stream: object) -> Iterator[tuple[str, str]]:
    while line := stream.readline().decode("latin-1").strip():  # type: ignore[attr-defined]
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()
