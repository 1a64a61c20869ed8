"""Requests that the HTTP parser rejects: every error reply has the JSON envelope."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from server_process import Served

HOST = b"Host: a\r\n"
POST = b"POST /api/optimize HTTP/1.1\r\n" + HOST
FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(189)


def replies(server: Served, data: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of every reply to `data`, until the server closes the connection."""
    with server.connected() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        received = read_all(sock)
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        size = int(headers.get("content-length", 0))
        found.append((int(line.split()[1]), headers, received[:size]))
        received = received[size:]
    return found


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionError:
            return received
        if not piece:
            return received
        received += piece


def assert_envelope(reply: tuple[int, dict[str, str], bytes]) -> None:
    status, headers, body = reply
    envelope = json.loads(body)
    assert 400 <= status < 600
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert envelope.keys() == {"success", "message"}
    assert envelope["success"] is False


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"bad name: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n", 400),
        (TLS_HELLO + b"\r\n\r\n", 400),
        (POST + b"Content-Length: 1x\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 20_000, 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 4_000_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    ],
)
def test_rejected_head(server: Served, data: bytes, status: int) -> None:
    """A head that can't be parsed, or is too large, gets the envelope, also while the client still sends."""
    (reply,) = replies(server, data)
    assert reply[0] == status
    assert reply[1]["connection"] == "close"
    assert_envelope(reply)


def test_rejected_body(server: Served) -> None:
    """A body in malformed chunks gets the envelope."""
    key = b"X-API-Key: " + server.key.encode() + b"\r\n"
    (reply,) = replies(server, POST + key + FORM + CHUNKED + b"5\r\n--b\r\n\r\nnonsense\r\n")
    assert reply[0] == 400
    assert_envelope(reply)


def test_rejected_body_after_the_reply(server: Served) -> None:
    """A malformed rest of a body whose request was refused already adds no second reply."""
    (reply,) = replies(server, POST + FORM + CHUNKED + b"5\r\n--b\r\n\r\nnonsense\r\n")
    assert reply[0] in (400, 401)
    assert_envelope(reply)


def test_second_request_is_malformed(server: Served) -> None:
    """After a good request on the same connection a malformed one gets the envelope."""
    first, second = replies(server, b"GET /health HTTP/1.1\r\n" + HOST + b"\r\nnonsense\r\n\r\n")
    assert (first[0], second[0]) == (200, 400)
    assert_envelope(second)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS * HTTP/1.1", 404),
        (b"GET /api HTTP/9.9", 404),
        (b"CONNECT a:80 HTTP/1.1", 404),
        (b"GET http://b/health HTTP/1.1", 404),
        (b"GET //b/health HTTP/1.1", 404),
        (b"NONSENSE /health HTTP/1.1", 405),
        (b"PUT /api/optimize HTTP/1.1", 405),
        (b"GET /api/optimize HTTP/1.1", 405),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1", 404),
    ],
)
def test_unusual_request_line(server: Served, line: bytes, status: int) -> None:
    """Request lines that are valid and unusual get the envelope."""
    (reply,) = replies(server, line + b"\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert reply[0] == status
    assert_envelope(reply)


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
def test_upgrade(server: Served, upgrade: bytes) -> None:
    """A request to change the protocol is served as HTTP/1.1."""
    head = b"GET /nothing HTTP/1.1\r\n" + HOST + b"Connection: upgrade, close\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    (reply,) = replies(server, head)
    assert reply[0] == 404
    assert_envelope(reply)


HEADS = st.lists(
    st.sampled_from(
        [
            b"GET ",
            b"POST ",
            b"/",
            b"/health",
            b" HTTP/1.1",
            b"\r\n",
            b"\n",
            HOST,
            b":",
            b"Content-Length: 5",
            b"\r\n\r\n",
            CHUNKED,
        ]
    )
    | st.binary(max_size=8)
).map(b"".join)


@settings(deadline=None)
@given(HEADS)
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(b"")
def test_any_bytes(server: Served, data: bytes) -> None:
    """Whatever bytes arrive, every error reply has the envelope and the server keeps serving."""
    for reply in replies(server, data):
        if reply[0] >= 400:
            assert_envelope(reply)
    assert server.get("/health", "").status_code == 200
