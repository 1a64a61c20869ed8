"""How the server listens and shuts down, and what it needs for that: its socket, its data folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from image_builder import png
from imgshrink.server.connection import Connection, protocol
from imgshrink.server.limits import Limits
from imgshrink.server.run import Address, open_listener
from server_process import PATIENCE, Served


async def no_delay_of_accepted_socket(listener: socket.socket) -> int:
    """The option TCP_NODELAY of a connection that asyncio accepts from `listener`."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(
            writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        )
        writer.close()

    async with await asyncio.start_server(connected, sock=listener):
        with socket.create_connection(listener.getsockname()):
            return await accepted


def test_replies_are_not_delayed() -> None:
    """Accepted connections have TCP_NODELAY: otherwise replies wait 40 ms for the client's delayed ACK."""
    with open_listener(Address(port=0)) as listener:
        assert asyncio.run(no_delay_of_accepted_socket(listener)) != 0


UPLOAD = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
def test_requests_during_the_shutdown(tmp_path: Path) -> None:
    """Requests on connections that arrive with the signal are served, each as the last one of its connection."""
    with Served(tmp_path / "data", grace=PATIENCE / 2) as server, ExitStack() as stack:
        early = stack.enter_context(server.connected())
        os.kill(server.pid, signal.SIGSTOP)
        request = f"GET /api/v1/stats HTTP/1.1\r\nHost: a\r\nX-API-Key: {server.key}\r\n\r\n".encode()
        early.sendall(request)
        during = [stack.enter_context(server.connected(request)) for _ in range(20)]
        os.kill(server.pid, signal.SIGTERM)
        time.sleep(0.3)  # uvicorn looks for signals every 0.1 s: now it finds all at once
        os.kill(server.pid, signal.SIGCONT)
        for sock in (early, *during):
            reply = rest(sock)
            assert reply.startswith(b"HTTP/1.1 200 ")
            assert reply.lower().count(b"connection: close") == 1
        assert server.exit_code() == 0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
def test_connections_during_the_shutdown(tmp_path: Path) -> None:
    """Connections that arrive with the signal are closed: the server does not wait for them, and logs no error."""
    limits = {"head_seconds": PATIENCE}
    with Served(tmp_path / "data", grace=PATIENCE / 2, limits=limits) as server, ExitStack() as stack:
        before = [stack.enter_context(server.connected(data)) for data in (b"", b"GET / HTTP/1.1\r\n")]
        os.kill(server.pid, signal.SIGSTOP)
        during = [stack.enter_context(server.connected()) for _ in range(20)]
        os.kill(server.pid, signal.SIGTERM)
        time.sleep(0.3)  # uvicorn looks for signals every 0.1 s: now it finds both at once
        os.kill(server.pid, signal.SIGCONT)
        assert {rest(sock) for sock in (*before, *during)} == {b""}
        assert server.exit_code() == 0
        assert server.log.read_text() == ""


async def first_bytes(connection: type[Connection], seconds: float) -> bytes:
    """What a silent client receives from a server with this protocol class; raises TimeoutError."""
    config = uvicorn.Config(PlainTextResponse("unused"), http=connection, ws="none", log_config=None)
    loop, state = asyncio.get_running_loop(), uvicorn.server.ServerState()
    async with await loop.create_server(lambda: connection(config, state, {}), "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(reader.read(), seconds)
        finally:
            writer.close()


def test_connection_accepted_after_the_shutdown_began() -> None:
    """A silent connection is aborted soon if the server began to shut down while it was being accepted."""
    connection = protocol(Limits())
    with pytest.raises(TimeoutError):
        asyncio.run(first_bytes(connection, 1))
    connection.closing = True
    with contextlib.suppress(ConnectionError):
        assert asyncio.run(first_bytes(connection, PATIENCE)) == b""


def test_upload_at_the_end_of_the_grace(tmp_path: Path) -> None:
    """An upload that is not finished within the grace period gets 503 in the envelope, and the log has no traceback."""
    with Served(tmp_path / "data", grace=1) as server, server.connected(UPLOAD.format(server.key).encode()) as sock:
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        assert server.stop() == 0
        head, _, body = rest(sock).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert body == b'{"success":false,"message":"The server is shutting down"}'
        assert "Traceback" not in server.log.read_text()


def rest(sock: socket.socket) -> bytes:
    """The bytes that the server sends until it closes the connection."""
    received = b""
    try:
        while piece := sock.recv(4000):
            received += piece
    except ConnectionError:
        pass
    return received


def test_second_server_on_the_same_data(tmp_path: Path) -> None:
    """A second server on the data folder of a running one refuses to start and names the cure."""
    with Served(tmp_path / "data") as first:
        second = Served(tmp_path / "other")
        cure = "is used by another imgshrink server: stop it first, or choose another --data"
        with pytest.raises(AssertionError, match=cure):
            second.start(data=str(first.data))
        assert second.exit_code() != 0
        assert first.ended(first.accepted(png()))["status"] == "completed"


def test_start_after_a_crash(tmp_path: Path) -> None:
    """The data folder of a killed server is free at once."""
    with Served(tmp_path / "data") as server:
        for _ in range(3):
            server.kill()
            server.start()
        assert server.ended(server.accepted(png()))["status"] == "completed"


def test_keys_of_a_running_server(tmp_path: Path) -> None:
    """Keys can be added while the server runs."""
    with Served(tmp_path / "data") as server:
        assert server.get("/api/v1/stats", server.add_key("another")).status_code == 200
