"""The test server's faults are what they say: what a test of a client stands on."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

import fault_proxy
from fault_proxy import Fault, Faulty, changes, html, redirects, refuses
from image_builder import png
from imgshrink.core.model import Recipe, Refuse
from imgshrink.image.metadata import graft, read_metadata
from imgshrink.pixels.verify import verify
from patience import PATIENCE
from places import IMAGES

CONTENT = png()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with Faulty(tmp_path_factory.mktemp("server") / "data") as faulty:
        yield faulty


def used(server: Faulty) -> int:
    count = server.get("/api/v1/stats").json()["data"]["used"]
    assert isinstance(count, int)
    return count


def test_honest_without_a_fault(server: Faulty) -> None:
    """Without a fault the server is the server."""
    assert server.ended(server.accepted(CONTENT))["status"] == "completed"


@pytest.mark.parametrize(
    ("fault", "paid"), [(fault_proxy.RESET_BEFORE, 0), (fault_proxy.RESET_DURING, 0), (fault_proxy.RESET_AFTER, 1)]
)
def test_resets(server: Faulty, fault: Fault, paid: int) -> None:
    """A connection is cut before, during or after the upload; only after it, it was paid for; each counts as a POST."""
    posts, before = server.posts, used(server)
    server.next("upload", fault)
    with pytest.raises(httpx.TransportError):
        server.post(CONTENT * 10)
    assert (server.posts - posts, used(server) - before) == (1, paid)


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (refuses(500), 500, '{"success": false, "message": "no"}'),
        (html(), 200, "<!DOCTYPE html><title>Log in</title>"),
        (fault_proxy.EMPTY, 200, ""),
    ],
)
def test_replies(server: Faulty, fault: Fault, status: int, body: str) -> None:
    """A reply is sent as it was asked for, once, and nothing is paid."""
    before = used(server)
    server.next("upload", fault)
    reply = server.post(CONTENT)
    assert (reply.status_code, reply.text, used(server)) == (status, body, before)
    assert server.post(CONTENT).status_code == 200


def test_retry_after(server: Faulty) -> None:
    """A refusal may ask for any wait."""
    server.next("status", refuses(429, Retry_After="99999999999"))
    assert server.get("/api/status/1").headers["retry-after"] == "99999999999"


@pytest.mark.parametrize("step", ["upload", "status", "download"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(server: Faulty, step: str, status: int) -> None:
    """Every step can be redirected in every way."""
    paths = {"status": "/api/status/1", "download": "/direct-file/optimized/x"}
    server.next(step, redirects(status, "http://127.0.0.2:1/"))
    reply = server.post(CONTENT) if step == "upload" else server.get(paths[step])
    assert (reply.status_code, reply.headers["location"]) == (status, "http://127.0.0.2:1/")


def test_half_a_body(server: Faulty) -> None:
    """A reply that ends in the middle breaks off; without a length it seems whole."""
    data = server.ended(server.accepted(CONTENT))
    server.next("download", fault_proxy.HALF, fault_proxy.HALF_UNSAID)
    with pytest.raises(httpx.RemoteProtocolError):
        server.get(data["optimized_url"], "")
    assert server.get(data["optimized_url"], "").content == CONTENT[: len(CONTENT) // 2]


def test_changed_fields(server: Faulty) -> None:
    """Fields of a reply can be changed or taken away."""
    number = server.accepted(CONTENT)
    server.next("status", changes(status="failed", message="no", optimized_size=None, optimized_url=None))
    data = server.get(f"/api/status/{number}").json()["data"]
    assert (data["status"], data["message"], "optimized_size" in data) == ("failed", "no", False)


def test_always(server: Faulty) -> None:
    """A fault can last: a job that never ends."""
    server.always("status", changes(status="processing"))
    number = server.accepted(CONTENT)
    time.sleep(0.5)
    assert server.get(f"/api/status/{number}").json()["data"]["status"] == "processing"
    server.always("status", {"kind": ""})
    assert server.ended(number)["status"] == "completed"


def test_hang(server: Faulty) -> None:
    """A client that waits hears nothing."""
    server.next("stats", fault_proxy.HANG)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(
            server.url + "/api/v1/stats", headers={"X-API-Key": server.key}, timeout=httpx.Timeout(PATIENCE, read=1)
        )


def test_drip(server: Faulty) -> None:
    """A client that reads for a second has something, and not all."""
    server.next("stats", fault_proxy.DRIP)
    begun, got = time.monotonic(), b""
    with httpx.stream("GET", server.url + "/api/v1/stats", headers={"X-API-Key": server.key}) as reply:
        for part in reply.iter_raw():
            got += part
            if time.monotonic() - begun > 1:
                break
        assert 0 < len(got) < int(reply.headers["content-length"])


def test_gzip_bomb(server: Faulty) -> None:
    """Few bytes that become many."""
    server.next("stats", fault_proxy.GZIP_BOMB)
    with httpx.stream("GET", server.url + "/api/v1/stats") as reply:
        assert sum(len(part) for part in reply.iter_raw()) < 10**6
        assert reply.headers["content-encoding"] == "gzip"


def test_idempotency_switched_off(server: Faulty) -> None:
    """Once idempotency is forgotten, the same upload is another image."""
    headers = {"Idempotency-Key": "same"}
    numbers = [server.accepted(CONTENT, headers=headers) for _ in range(2)]
    server.forget_idempotency()
    numbers.append(server.accepted(CONTENT, headers=headers))
    assert numbers[0] == numbers[1] != numbers[2]


def test_headers_are_recorded(server: Faulty) -> None:
    """Every header that arrived is recorded, in the order of arrival."""
    server.get("/health", "", headers={"X-Something": "told"})
    (request,) = [request for request in server.seen if ["x-something", "told"] in request["headers"]]
    assert (request["method"], request["path"]) == ("GET", "/health")


ORIENTED = graft((IMAGES / "photo.jpg").read_bytes(), orientation=6)
IMAGE: dict[str, bytes] = {
    **dict.fromkeys(("larger", "upright", "unoriented"), ORIENTED),
    **dict.fromkeys(("profileless", "srgb"), (IMAGES / "profile.png").read_bytes()),
    **dict.fromkeys(("other", "junk"), (IMAGES / "still.png").read_bytes()),
    "flat": (IMAGES / "animated.gif").read_bytes(),
}
"""For each lie an image about which it is one."""


@pytest.mark.slow
@pytest.mark.parametrize("lie", fault_proxy.LIES)
def test_lies_are_served(tmp_path: Path, lie: str) -> None:
    """What an engine lies about is served as the result, in the length that the status says."""
    with Faulty(tmp_path / "data", engine=lie) as server:
        data = server.ended(server.accepted(IMAGE[lie]))
        content = server.get(data["optimized_url"], "").content
    assert (data["status"], len(content)) == ("completed", data["optimized_size"])
    assert content == told(lie)


def told(lie: str) -> bytes:
    return fault_proxy.LIES[lie]().result(IMAGE[lie])


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_flat() -> None:
    """A flattened animation has one frame."""
    frames = [getattr(opened(data), "n_frames", 1) for data in (IMAGE["flat"], told("flat"))]
    assert (frames[0] > 1, frames[1]) == (True, 1)


@pytest.mark.parametrize("lie", ["profileless", "srgb"])
def test_profile_is_gone(lie: str) -> None:
    """A lost profile is lost, and so is one that was applied."""
    assert [bool(read_metadata(data).icc) for data in (IMAGE[lie], told(lie))] == [True, False]


def test_orientation() -> None:
    """An orientation that was applied turned the picture; one that was lost did not."""
    sides = {lie: opened(told(lie)).size for lie in ("upright", "unoriented")}
    assert sides["upright"] == sides["unoriented"][::-1]
    assert [read_metadata(told(lie)).orientation for lie in sides] == [1, 1]


@pytest.mark.parametrize("lie", ["other", "flat", "junk"])
def test_lies_that_verify_refuses(lie: str) -> None:
    """A wrong picture, an animation made still, and no picture at all are refused."""
    roomy = IMAGE[lie] + b"\0" * max(0, len(told(lie)) - len(IMAGE[lie]) + 1000)
    assert isinstance(verify(roomy, told(lie), Recipe(80)), Refuse)
