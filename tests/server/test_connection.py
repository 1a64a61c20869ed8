"""Slow and malformed clients: the server bounds them and keeps serving others."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from image_builder import chunk, png
from server_process import Served, until

HALF = b"GET /health HTTP/1.1\r\nHost: a\r\n"


@contextmanager
def serving(folder: Path, **limits: float) -> Iterator[Served]:
    """A server with these limits."""
    with Served(folder / "data", limits=limits) as server:
        yield server


def rest(sock: socket.socket) -> bytes:
    """The bytes that the server sends until it closes the connection."""
    received = b""
    try:
        while piece := sock.recv(4000):
            received += piece
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize("said", [b"", b"G", HALF])
def test_head_that_does_not_come(tmp_path: Path, said: bytes) -> None:
    """A connection is closed if its request does not start, or its head does not end, in time."""
    with serving(tmp_path, head_seconds=0.3) as server, server.connected(said) as sock:
        assert rest(sock) == b""


def test_second_head_that_does_not_end(tmp_path: Path) -> None:
    """The same holds for the next request of a connection."""
    with serving(tmp_path, head_seconds=0.3) as server, server.connected(HALF + b"\r\n") as sock:
        answer = b""
        while not answer.endswith(b"}"):
            answer += sock.recv(4000)
        sock.sendall(HALF)
        assert rest(sock) == b""


def test_more_connections_than_are_allowed(tmp_path: Path) -> None:
    """Connections beyond the limit are closed at once; when silent ones have timed out, new ones are served."""
    with serving(tmp_path, head_seconds=2, connections=10) as server, ExitStack() as stack:
        first = [stack.enter_context(server.connected()) for _ in range(10)]
        over = [stack.enter_context(server.connected()) for _ in range(10)]
        assert {rest(sock) for sock in (*over, *first)} == {b""}
        assert server.get("/health", "").status_code == 200


UPLOAD = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: 9999\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)


def test_stalled_uploads_keep_nobody_out_for_ever(tmp_path: Path) -> None:
    """Uploads that wait behind slow ones for too long get 503 with `Retry-After`."""
    with serving(tmp_path, uploads=2, slot_wait_seconds=0.3, stall_seconds=60) as server, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(server.connected(UPLOAD.format(server.key).encode()))
        until(lambda: server.post(png()).status_code == 503)
        reply = server.post(png())
        assert (reply.json()["message"], reply.headers["retry-after"]) == ("The server is busy", "1")
        stack.close()
        until(lambda: server.post(png()).status_code == 200)


def test_upload_that_stalls(tmp_path: Path) -> None:
    """An upload that stalls gets 408."""
    with serving(tmp_path, stall_seconds=0.3) as server, server.connected(UPLOAD.format(server.key).encode()) as sock:
        assert sock.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("charset", ["undefined", "punycode", "nowhere"])
def test_odd_charset(tmp_path: Path, charset: str) -> None:
    """A form in an unknown encoding is a bad request."""
    with serving(tmp_path) as server:
        kind = f"multipart/form-data; boundary=b; charset={charset}"
        body = b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--b--\r\n'
        reply = server.request("POST", "/api/optimize", content=body, headers={"Content-Type": kind})
        assert reply.status_code in (400, 422)
        assert reply.json()["success"] is False


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of a file's size")
def test_no_room_for_temporary_files(tmp_path: Path) -> None:
    """Without space for temporary files uploads get 503; nothing is accepted."""
    with Served(tmp_path / "data", file_size=500_000) as server:
        reply = server.post(png(chunk(b"tEXt", b"Comment\0" + b"x" * 1_500_000)))
        assert (reply.status_code, reply.json()["message"]) == (503, "The server is busy")
        assert reply.headers["retry-after"] == "10"
        assert server.ended(server.accepted(png()))["status"] == "completed"


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of open files")
@pytest.mark.parametrize(("soft", "hard", "room"), [(300, 300, 44), (100, 300, 44), (256, 256, 1), (300, 3000, 2000)])
def test_room_for_connections(soft: int, hard: int, room: int) -> None:
    """Connections are limited by file descriptors, after the soft limit is raised as far as needed."""
    code = "from imgshrink.server.connection import connection_limit; print(connection_limit(2000))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{room}\n"
