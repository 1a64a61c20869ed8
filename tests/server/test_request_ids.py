"""The id of a request: accepted, echoed in every reply, and named by every line of the log that it causes."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

from image_builder import png
from imgshrink.server.request_ids import ImageRequests
from server_process import Served, until

NEW = re.compile("[0-9a-f]{16}")
HOST = b"Host: a\r\n"


@pytest.mark.parametrize("own", ["a", "x" * 64, "0f8a-4.b_C"])
def test_own_id(server: Served, own: str) -> None:
    """A valid id of the client comes back."""
    assert server.get("/health/live", headers={"X-Request-ID": own}).headers["x-request-id"] == own


@pytest.mark.parametrize("own", [b"", b"x" * 65, b"two words", b"a\tb", b"sm\xf8r", b"a,b", b"a;b", b'"a"', b"a/b"])
def test_invalid_id(server: Served, own: bytes) -> None:
    """An id of another form is replaced by a new one."""
    named = server.get("/health/live", headers={"X-Request-ID": own}).headers["x-request-id"]
    assert NEW.fullmatch(named)


def test_two_ids(server: Served) -> None:
    """Two ids in one request are replaced by a new one."""
    headers = [("X-Request-ID", "a"), ("X-Request-ID", "b")]
    assert NEW.fullmatch(httpx.get(f"{server.url}/health/live", headers=headers).headers["x-request-id"])


def test_new_ids(server: Served) -> None:
    """Requests without an id get different ones."""
    ids = {server.get("/health/live").headers["x-request-id"] for _ in range(10)}
    assert len(ids) == 10
    assert all(NEW.fullmatch(one) for one in ids)


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/", None, 200),
        ("GET", "/api/v1/stats", None, 200),
        ("GET", "/api/v1/stats", "", 401),
        ("GET", "/nothing", None, 404),
        ("GET", "/direct-file/original/x.png", "", 404),
        ("DELETE", "/api/v1/stats", None, 405),
        ("POST", "/api/optimize", None, 422),
    ],
)
def test_every_reply(server: Served, method: str, path: str, key: str | None, status: int) -> None:
    """Replies of every status have the id once."""
    reply = server.request(method, path, key, headers={"X-Request-ID": "mine"})
    assert (reply.status_code, reply.headers.get_list("x-request-id")) == (status, ["mine"])


def reply_to(server: Served, data: bytes) -> str:
    """The bytes that the server sends in reply, until it closes the connection."""
    received = b""
    with server.connected(data) as sock:
        while piece := sock.recv(65536):
            received += piece
    return received.decode("latin-1")


def test_request_that_can_not_be_parsed(server: Served) -> None:
    """A reply of the parser has a new id, and the log names it."""
    reply = reply_to(server, b"GET / HTTP/1.1\r\nX-Request-ID: mine\r\nbad name: 1\r\n\r\n")
    found = re.search(r"(?m)^x-request-id: ([0-9a-f]{16})\r$", reply)
    assert found is not None
    until(lambda: re.search(rf"- - - 400 \d+ bytes, not parsed \[{found[1]}\]\n", server.log.read_text()))


def test_body_that_can_not_be_parsed(server: Served) -> None:
    """If the head could be parsed the reply has the client's id."""
    own = uuid.uuid4().hex
    head = b"POST /api/optimize HTTP/1.1\r\n" + HOST + f"X-API-Key: {server.key}\r\nX-Request-ID: {own}\r\n".encode()
    body = b"Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"
    reply = reply_to(server, head + body)
    assert reply.startswith("HTTP/1.1 400 ")
    assert reply.count(own) == 1
    until(lambda: f"[{own}]" in server.log.read_text())
    assert "not parsed" not in next(line for line in server.log.read_text().splitlines() if f"[{own}]" in line)


def test_text_log(server: Served) -> None:
    """A line of the access log ends with the id."""
    own = uuid.uuid4().hex
    server.get("/api/v1/stats", headers={"X-Request-ID": own})
    line = re.compile(
        rf"(?m)^[\d-]+ [\d:,]+ INFO    127\.0\.0\.1 tests GET /api/v1/stats 200 \d+ bytes \d+ ms \[{own}\]$"
    )
    until(lambda: line.search(server.log.read_text()))


def test_busy_server(tmp_path) -> None:
    """A refusal of a busy server has the id too; the health of a busy server can be asked."""
    with Served(tmp_path / "data", limits={"requests": 0}) as server:
        headers = {"X-Request-ID": "mine"}
        replies = [server.get(path, headers=headers) for path in ("/", "/health/live", "/health/ready", "/health")]
        assert [reply.status_code for reply in replies] == [503, 200, 200, 200]
        assert {reply.headers["x-request-id"] for reply in replies} == {"mine"}


def test_images_are_forgotten() -> None:
    """The requests of the last images are known."""
    images = ImageRequests(most=2)
    for number in (1, 2, 3):
        images.remember(number, f"request-{number}")
    assert [images.find(number) for number in (1, 2, 3, 4)] == ["", "request-2", "request-3", ""]


def test_upload_with_an_idempotency_key(server: Served) -> None:
    """Every reply names its own request, also for an image that another request brought."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    replies = [server.post(png(), headers=headers | {"X-Request-ID": own}) for own in ("first", "second")]
    assert [reply.headers["x-request-id"] for reply in replies] == ["first", "second"]
    assert len({reply.json()["data"]["image_id"] for reply in replies}) == 1
