"""What the server accepts and refuses: fields, forms, bounds; over real sockets."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from image_builder import SAMPLES, chunk, gif, gif_frame, jpeg, png
from imgshrink.server.rate_limit import RateLimiter
from server_process import Served, until

PHOTO = next(path for path in SAMPLES if path.name == "photo.jpg")
REQUIRED = {"image": ["The image field is required."]}
RANGE = {"quality": ["The quality must be between 1 and 100."]}
INTEGER = {"quality": ["The quality must be an integer."]}
BODY = 300_000
SERVER = {"limits": {"body": BODY, "upload_seconds": 1.5}}


def assert_invalid(reply: httpx.Response, errors: dict[str, list[str]]) -> None:
    assert reply.json() == {"success": False, "message": "Validation failed", "errors": errors}
    assert reply.status_code == 422


@pytest.mark.parametrize("quality", ["1", "80", "100", "080"])
def test_quality(server: Served, quality: str) -> None:
    """An integer from 1 to 100 is a quality."""
    assert server.post(png(), quality=quality).status_code == 200


@pytest.mark.parametrize("quality", ["0", "101", "-1", "999999999"])
def test_quality_out_of_range(server: Served, quality: str) -> None:
    """Any other integer gets the published message."""
    assert_invalid(server.post(png(), quality=quality), RANGE)


@pytest.mark.parametrize(
    "quality", ["", "abc", "80.5", "8e1", "0x50", "+80", " 80", "80\n", "८०", "9" * 4000, "-", "\0"]
)
def test_quality_that_is_no_integer(server: Served, quality: str) -> None:
    """Only plain integers are accepted."""
    assert_invalid(server.post(png(), quality=quality), INTEGER)


def test_quality_twice(server: Served) -> None:
    """A quality given twice is a validation error."""
    assert_invalid(server.post(png(), quality=["80", "90"]), {"quality": ["The quality must be given once."]})


def test_quality_as_a_file(server: Served) -> None:
    """A file is not an integer."""
    files = {"image": ("a.png", png()), "quality": ("q", b"80")}
    assert server.request("POST", "/api/optimize", files=files).status_code == 400


@pytest.mark.parametrize(
    "more",
    [{}, {"data": {"quality": "80"}}, {"json": {"image": "x"}}, {"content": b"\0" * 100}, {"files": {"picture": b"x"}}],
)
def test_image_is_required(server: Served, more: dict[str, Any]) -> None:
    """Without a file called image, in whatever body, the published message says so."""
    assert_invalid(server.request("POST", "/api/optimize", **more), REQUIRED)


def test_published_error(server: Served) -> None:
    """Both fields wrong: the published example, to the letter."""
    reply = server.request("POST", "/api/optimize", files={"other": b""}, data={"quality": "0"})
    assert_invalid(reply, REQUIRED | RANGE)


def test_image_that_is_text(server: Served) -> None:
    """An image that is sent as text is not a file."""
    reply = server.request("POST", "/api/optimize", files={"other": b""}, data={"image": "picture"})
    assert_invalid(reply, {"image": ["The image must be a file."]})


UNUSABLE = {
    "empty file": b"",
    "HTML page": b"<!DOCTYPE html><html></html>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "file ends early": PHOTO.read_bytes()[:3000],
    "not an image": bytes(range(256)),
    "megapixels": png(width=30_000, height=30_000),
    "frames are over 5000": gif(*[gif_frame(1)] * 5001),
    "signed": png(chunk(b"caBX", b"manifest")),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_unusable_image(server: Served, what: str) -> None:
    """What is no image, not a whole one, or over the limits is a validation error that says what it is."""
    reply = server.post(UNUSABLE[what])
    (message,) = reply.json()["errors"]["image"]
    assert reply.status_code == 422
    assert message.startswith("The image can't be used: ")
    assert what in message


def test_wrong_extension(server: Served) -> None:
    """The bytes say what an image is, not its name."""
    reply = server.request("POST", "/api/optimize", files={"image": ("a.webp", jpeg(), "text/html")})
    assert reply.json()["data"]["original_url"].endswith(".jpg")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"no boundary here"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=none-such", b"--x\r\n\r\n\r\n--x--"),
        ("multipart/form-data; boundary=" + "x" * 300, b""),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 2000 + b"\r\n1\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"1" * 70_000 + b"\r\n--x--\r\n",
        ),
    ],
)
def test_broken_form(server: Served, kind: str, body: bytes) -> None:
    """A body that is not a form is a bad request."""
    reply = server.request("POST", "/api/optimize", headers={"Content-Type": kind}, content=body)
    assert (reply.status_code, reply.json()["message"]) == (400, "Bad request")


def test_form_without_its_end(server: Served) -> None:
    """A form that ends in the middle of the image is refused, whatever it begins with."""
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + png()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert server.request("POST", "/api/optimize", headers=headers, content=body).status_code in (400, 422)


def test_too_many_fields(server: Served) -> None:
    """A form with more fields than any client sends is refused."""
    reply = server.post(png(), quality=["80"] * 1001)
    assert (reply.status_code, reply.json()["message"]) == (400, "Bad request")


def post_head(server: Served, *headers: str, key: str | None = None) -> bytes:
    lines = ("POST /api/optimize HTTP/1.1", "Host: x", f"X-API-Key: {server.key if key is None else key}", *headers)
    return "\r\n".join([*lines, "Content-Type: multipart/form-data; boundary=x", "", ""]).encode()


def answer(sock: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the envelope of one reply, after which the server closes the connection."""
    received = b""
    while more := sock.recv(65536):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_declared_too_large(server: Served) -> None:
    """A body that declares too large a size is refused before any of it was sent."""
    with closing(server.connected()) as sock:
        sock.sendall(post_head(server, f"Content-Length: {10**12}"))
        assert answer(sock) == (413, {"success": False, "message": f"The request is larger than {BODY} bytes"})


def test_too_large_as_it_comes(server: Served) -> None:
    """A body without a declared size is refused once it is too large."""
    with closing(server.connected()) as sock:
        sock.sendall(post_head(server, "Transfer-Encoding: chunked"))
        part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + b"x" * 60_000
        for _ in range(6):
            sock.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            part = b"x" * 60_000
        assert answer(sock)[0] == 413


def test_refused_in_the_middle_of_the_upload(server: Served) -> None:
    """A client that keeps sending can still read the error reply."""
    for _ in range(5):
        assert server.post(b"x" * 10 * BODY, "wrong").status_code == 401
        assert server.post(b"x" * 10 * BODY).status_code == 413


def test_expecting_client(server: Served) -> None:
    """A client that waits for `100 Continue` gets the error reply instead."""
    with closing(server.connected()) as sock:
        sock.sendall(post_head(server, "Content-Length: 1000", "Expect: 100-continue", key="wrong"))
        assert answer(sock)[0] == 401


def test_slow_upload(server: Served) -> None:
    """An upload that exceeds its time is ended, though bytes keep arriving."""
    with closing(server.connected()) as sock:
        sock.sendall(post_head(server, "Content-Length: 5000"))
        drip = threading.Thread(target=dripping, args=(sock,), daemon=True)
        drip.start()
        assert answer(sock) == (408, {"success": False, "message": "The upload took too long"})


def dripping(sock: socket.socket) -> None:
    try:
        sock.sendall(b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n')
        for _ in range(200):
            sock.sendall(b"x")
            time.sleep(0.1)
    except OSError:
        pass


def test_upload_cut_off(server: Served) -> None:
    """An upload that is cut off does not count and leaves no file."""
    key = server.add_key("cut off")
    before = sorted(path.name for path in (server.data / "originals").iterdir())
    for sent in (0, 50, 5000):
        with closing(server.connected()) as sock:
            sock.sendall(post_head(server, "Content-Length: 9000", key=key) + (b"--x\r\n" + b"x" * 9000)[:sent])
    assert server.get("/api/v1/stats", key).json()["data"]["used"] == 0
    assert sorted(path.name for path in (server.data / "originals").iterdir()) == before


def test_refused_image_leaves_nothing(server: Served) -> None:
    """Refused images are not stored."""
    before = len(list((server.data / "originals").iterdir()))
    headers = {"Idempotency-Key": "leaves-nothing"}
    server.post(png(), headers=headers)
    server.post(png(), headers=headers)
    server.post(jpeg(), headers=headers)
    server.post(b"nothing")
    assert len(list((server.data / "originals").iterdir())) == before + 1


def test_queue_is_full(tmp_path: Path) -> None:
    """While the queue is full uploads get 503 with `Retry-After` and do not count."""
    with Served(tmp_path / "data", jobs=1, seconds=30, limits={"queue": 2}) as server:
        server.accepted(png())
        server.accepted(png())
        reply = server.post(png())
        assert (reply.status_code, reply.json()) == (503, {"success": False, "message": "The queue is full"})
        assert int(reply.headers["retry-after"]) >= 1
        assert server.get("/api/v1/stats").json()["data"]["used"] == 2


@pytest.mark.parametrize("limits", [{"storage": 100}, {"free": 10**18}])
def test_storage_is_full(tmp_path: Path, limits: dict[str, int]) -> None:
    """While the storage or the disk is full uploads get 503 with `Retry-After`."""
    with Served(tmp_path / "data", limits=limits) as server:
        reply = server.post(PHOTO.read_bytes())
        assert (reply.status_code, reply.json()["message"]) == (503, "The storage is full")
        assert int(reply.headers["retry-after"]) >= 1


def test_rate(tmp_path: Path) -> None:
    """A key above its rate gets 429; other keys do not."""
    with Served(tmp_path / "data", limits={"rate": 0.1, "burst": 3}) as server:
        replies = [server.get("/api/v1/stats") for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429]
        assert replies[-1].json() == {"success": False, "message": "Too many requests"}
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 10
        assert server.get("/api/v1/stats", server.add_key("other")).status_code == 200


def test_bucket_fills_again() -> None:
    """A key may continue after `Retry-After`, and never saves up more than the burst."""
    now = [0.0]
    rates = RateLimiter(rate=2, burst=2, clock=lambda: now[0])
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0.5]
    now[0] += 0.5
    assert [rates.take("a") for _ in range(2)] == [0, 0.5]
    now[0] += 1000
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0.5]


def test_requests_at_once(tmp_path: Path) -> None:
    """Requests above the limit of simultaneous requests get 503 in the envelope."""
    with Served(tmp_path / "data", limits={"requests": 1}) as server, closing(server.connected()) as sock:
        sock.sendall(post_head(server, "Content-Length: 100"))
        until(lambda: server.get("/openapi.json").status_code != 200)
        reply = server.get("/openapi.json")
        assert server.get("/health").status_code == 200
        assert (reply.status_code, reply.json()) == (503, {"success": False, "message": "The server is busy"})
        assert reply.headers["retry-after"] == "1"
