"""Every route of the server, over real sockets, as clients see it."""

from __future__ import annotations

import re
import uuid
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from image_builder import SAMPLES, chunk, png
from imgshrink import __version__
from imgshrink.server.errors import BUSY
from server_process import Served, until

EXAMPLE = "https://images.example.org/shrink"
DAY = 24 * 3600
SERVER = {"public_url": EXAMPLE + "/"}


def talkative(text: str = "") -> bytes:
    """An image with a text chunk that the engine drops; different texts give different images."""
    return png(chunk(b"tEXt", b"Comment\0" + (text or uuid.uuid4().hex).encode() * 20))


def fetched(server: Served, url: str, **more: Any) -> httpx.Response:
    """The reply to a reverse proxy for a URL from the server."""
    assert url.startswith(EXAMPLE + "/")
    return server.get(url.removeprefix(EXAMPLE), "", **more)


def assert_refused(reply: httpx.Response, status: int, message: str) -> None:
    assert (reply.status_code, reply.json()) == (status, {"success": False, "message": message})
    assert reply.headers["content-type"] == "application/json"


def test_upload(server: Served) -> None:
    """An upload is answered at once with the published fields."""
    image = talkative()
    reply = server.post(image)
    answer = reply.json()
    assert (reply.status_code, answer["success"], answer["message"]) == (
        200,
        True,
        "Image uploaded and queued for optimization",
    )
    data = answer["data"]
    assert list(data) == [
        "image_id", "original_url", "optimized_url", "status", "original_size", "estimated_optimized_size",
    ]  # fmt: skip
    assert (data["status"], data["original_size"], data["estimated_optimized_size"]) == (
        "processing",
        len(image),
        len(image) // 2,
    )
    assert isinstance(data["image_id"], int)


def test_status(server: Served) -> None:
    """A completed image has the published fields; the ratio is per cent saved."""
    image = talkative()
    data = server.ended(server.accepted(image))
    assert list(data) == [
        "image_id", "status", "original_size", "optimized_size", "compression_ratio", "processing_time",
        "original_url", "optimized_url",
    ]  # fmt: skip
    assert data["compression_ratio"] == round(100 * (1 - data["optimized_size"] / len(image)), 2)
    assert data["optimized_size"] < data["original_size"] == len(image)


def test_files(server: Served) -> None:
    """Both files are served without a key, whole, with their media type, as attachments, and with `nosniff`."""
    image = talkative()
    data = server.ended(server.accepted(image))
    original, result = fetched(server, data["original_url"]), fetched(server, data["optimized_url"])
    assert original.content == image
    assert (len(result.content), result.content) == (data["optimized_size"], png())
    for reply in (original, result):
        assert reply.headers["content-type"] == "image/png"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert re.fullmatch(r'attachment; filename="[0-9a-f]{32}\.png"', reply.headers["content-disposition"])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_types(server: Served, path: Any) -> None:
    """The media type is that of the bytes, whatever the file was called."""
    data = server.ended(server.accepted(path.read_bytes()))
    kind = {"jpg": "jpeg"}.get(path.suffix[1:], path.suffix[1:])
    assert fetched(server, data["optimized_url"]).headers["content-type"] == f"image/{kind}"
    assert data["optimized_url"].endswith(path.suffix)


def test_files_are_kept_a_day(server: Served) -> None:
    """`Expires` says when the files are deleted: a day after the image was completed."""
    number = server.accepted(talkative())
    data = server.ended(number)
    replies = [
        server.get(f"/api/status/{number}"),
        *(fetched(server, data[name]) for name in ("original_url", "optimized_url")),
    ]
    for reply in replies:
        kept = parsedate_to_datetime(reply.headers["expires"]) - parsedate_to_datetime(reply.headers["date"])
        assert DAY - 120 < kept.total_seconds() <= DAY + 1


def test_nothing_to_gain(server: Served) -> None:
    """An image that can't be shrunk is completed unchanged."""
    data = server.ended(server.accepted(png()))
    assert (data["status"], data["optimized_size"], data["compression_ratio"]) == ("completed", len(png()), 0.0)
    assert fetched(server, data["optimized_url"]).content == png()


def test_whole_files_only(server: Served) -> None:
    """A request for a part of a file is answered with all of it."""
    data = server.ended(server.accepted(talkative()))
    reply = fetched(server, data["original_url"], headers={"Range": "bytes=0-9"})
    assert (reply.status_code, len(reply.content)) == (200, data["original_size"])


def test_names_can_not_be_guessed(server: Served) -> None:
    """Four file names of two equal uploads are all different, 128 random bits each."""
    replies = [server.post(png()).json()["data"] for _ in range(2)]
    names = {reply[field].rpartition("/")[2] for reply in replies for field in ("original_url", "optimized_url")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[0-9a-f]{32}\.png", name) for name in names)


def test_host_header_counts_for_nothing(server: Served) -> None:
    """URLs begin with the public URL, whatever host a request names, also behind a proxy."""
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    reply = server.post(png(), headers=headers)
    assert reply.json()["data"]["original_url"].startswith(EXAMPLE + "/direct-file/original/")
    assert "evil" not in reply.text


@pytest.mark.parametrize("path", ["/api/status/1/", "/api/v1/usage/", "/health/"])
def test_no_redirects(server: Served, path: str) -> None:
    """A path with a trailing slash is not found; no reply redirects."""
    assert_refused(server.get(path), 404, "There is no such route")


ROUTES = [("POST", "/api/optimize"), ("GET", "/api/status/1"), ("GET", "/api/v1/usage"), ("GET", "/api/v1/stats")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("key", ["", "wrong", "imgshrink_0123456789ab_" + "x" * 43])
def test_no_key(server: Served, method: str, path: str, key: str) -> None:
    """Without a valid key every route of the API replies 401 and nothing else."""
    assert_refused(server.request(method, path, key), 401, "The API key is missing or invalid")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_revoked_key(server: Served, method: str, path: str) -> None:
    """A key that is revoked while the server runs is rejected from then on."""
    name = uuid.uuid4().hex
    key = server.add_key(name)
    before = server.request(method, path, key).status_code
    server.revoke_key(name)
    assert before != 401
    assert_refused(server.request(method, path, key), 401, "The API key is missing or invalid")


def test_key_in_the_query(server: Served) -> None:
    """A key is accepted in its header only."""
    assert server.get(f"/api/v1/stats?key={server.key}&X-API-Key={server.key}", "").status_code == 401


@pytest.mark.parametrize("number", ["999999999", "0", "-1", "abc", "1.5", "9" * 30, "%00", "1;2", "٣"])
def test_unknown_image(server: Served, number: str) -> None:
    """A number that is no image's is not found."""
    assert_refused(server.get(f"/api/status/{number}"), 404, "There is no such image, or it has expired")


def test_someone_elses_image(server: Served) -> None:
    """An image of another key gets exactly the reply of an image that does not exist."""
    number = server.accepted(png())
    other = server.add_key(uuid.uuid4().hex)
    theirs, nobodys = server.get(f"/api/status/{number}", other), server.get("/api/status/999999999", other)
    assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
    assert [*theirs.headers] == [*nobodys.headers]


NAMES = [
    "x.png",
    "..%2f..%2fserver.sqlite3",
    "../server.sqlite3",
    "%2e%2e/server.sqlite3",
    "..\\server.sqlite3",
    "a\0b",
    "é",
]


@pytest.mark.parametrize("folder", ["original", "optimized"])
@pytest.mark.parametrize("name", NAMES)
def test_no_way_out_of_the_folder(server: Served, folder: str, name: str) -> None:
    """Only names from the server lead to a file."""
    reply = server.get(f"/direct-file/{folder}/{name.replace(chr(0), '%00')}", "")
    assert (reply.status_code, reply.json()["success"]) == (404, False)


def test_result_before_its_time(server: Served) -> None:
    """The name of an original is not found among the results."""
    data = server.ended(server.accepted(png()))
    name = data["original_url"].rpartition("/")[2]
    assert server.get(f"/direct-file/optimized/{name}", "").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/optimize", {"POST"}),
        *[(method, "/api/v1/stats", {"GET", "HEAD"}) for method in ("POST", "DELETE", "TRACE")],
    ],
)
def test_wrong_method(server: Served, method: str, path: str, allowed: set[str]) -> None:
    """An unsupported method gets the envelope and the allowed methods."""
    reply = server.request(method, path)
    assert_refused(reply, 405, "This method is not allowed here")
    assert set(reply.headers["allow"].split(", ")) == allowed


def test_unknown_path(server: Served) -> None:
    """An unknown path gets the envelope too."""
    assert_refused(server.get("/api"), 404, "There is no such route")


def test_stats(server: Served) -> None:
    """The remaining quota and when it is reset."""
    key = server.add_key(uuid.uuid4().hex, limit=10)
    server.ended(server.accepted(png(), key=key), key)
    data = server.get("/api/v1/stats", key).json()["data"]
    assert {name: data[name] for name in ("limit", "used", "remaining")} == {"limit": 10, "used": 1, "remaining": 9}
    assert re.fullmatch(r"\d{4}-\d{2}-01T00:00:00Z", data["resets_at"])


def test_usage(server: Served) -> None:
    """Monthly trends, image types, compression: of this key alone."""
    key = server.add_key(uuid.uuid4().hex)
    image = talkative()
    data = server.ended(server.accepted(image, key=key), key)
    usage = server.get("/api/v1/usage", key).json()["data"]
    saved = {
        "original_bytes": len(image),
        "optimized_bytes": data["optimized_size"],
        "saved_bytes": len(image) - data["optimized_size"],
    }
    assert list(usage) == ["monthly_trends", "image_type_distribution", "compression_statistics"]
    assert saved.items() <= usage["monthly_trends"][-1].items()
    assert usage["image_type_distribution"]["png"] == {"images": 1, "percentage": 100.0}
    assert saved.items() <= usage["compression_statistics"].items()


def test_quota_used_up(server: Served) -> None:
    """Beyond the quota uploads are refused, and reading is not."""
    key = server.add_key(uuid.uuid4().hex, limit=1)
    number = server.accepted(png(), key=key)
    assert_refused(server.post(png(), key), 403, "The monthly quota of this API key is used up")
    assert server.ended(number, key)["status"] == "completed"


def test_idempotency(server: Served) -> None:
    """The same Idempotency-Key and body are the same image, after completion too, and count once."""
    key = server.add_key(uuid.uuid4().hex)
    image, headers = talkative(), {"Idempotency-Key": uuid.uuid4().hex}
    first = server.post(image, key, headers=headers)
    server.ended(first.json()["data"]["image_id"], key)
    assert server.post(image, key, headers=headers).json() == first.json()
    assert server.get("/api/v1/stats", key).json()["data"]["used"] == 1


def test_idempotency_with_another_body(server: Served) -> None:
    """The same Idempotency-Key with another body is a validation error that names the header."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    server.accepted(png(), headers=headers)
    reply = server.post(talkative(), headers=headers)
    assert (reply.status_code, reply.json()["errors"]) == (
        422,
        {"Idempotency-Key": ["This key was sent before with another body."]},
    )


@pytest.mark.parametrize("value", ["", "x" * 256, "two words", "sm\xf8rrebr\xf8d"])
def test_bad_idempotency_key(server: Served, value: str) -> None:
    """An Idempotency-Key of another form is a validation error."""
    reply = server.post(png(), headers={"Idempotency-Key": value.encode("latin-1")})
    assert (reply.status_code, [*reply.json()["errors"]]) == (422, ["Idempotency-Key"])


def test_openapi(server: Served) -> None:
    """The document names this server, this version, and every route."""
    document = server.get("/openapi.json", "").json()
    assert (document["openapi"], document["servers"], document["info"]["version"]) == (
        "3.1.0",
        [{"url": EXAMPLE}],
        __version__,
    )
    assert {path.partition("{")[0] for path in document["paths"]} == {
        "/api/optimize", "/api/status/", "/api/v1/usage", "/api/v1/stats", "/direct-file/original/",
        "/direct-file/optimized/", "/health", "/health/live", "/health/ready", "/openapi.json",
    }  # fmt: skip


def test_head(server: Served) -> None:
    """HEAD is GET without the body."""
    data = server.ended(server.accepted(png()))
    url = data["optimized_url"].removeprefix(EXAMPLE)
    reply = server.request("HEAD", url, "")
    assert (reply.status_code, reply.headers["content-length"], reply.content) == (200, str(len(png())), b"")


def test_replies_are_not_cached(server: Served) -> None:
    """Replies that change are marked `no-store`."""
    number = server.accepted(png())
    paths = (f"/api/status/{number}", "/api/v1/stats", "/api/v1/usage", "/health")
    assert {server.get(path).headers["cache-control"] for path in paths} == {"no-store"}


def test_log_holds_no_secrets(server: Served) -> None:
    """The log names key, route and status, and holds no secret, no query and no file name."""
    data = server.ended(server.accepted(png()))
    server.get(f"/api/v1/stats?secret={server.key}")
    fetched(server, data["optimized_url"])
    name = data["optimized_url"].rpartition("/")[2]
    for path in (f"//direct-file/optimized/{name}", f"/shrink/Direct-File/{name}", f"/%64irect-file//x/{name.upper()}"):
        server.get(path, "")
    server.get("/a%1b%5b2Jb%0ac", "")
    lines = ("tests GET /api/v1/stats 200", r"- GET /a\x1b[2Jb\nc 404", "GET /direct-file/optimized/... 200")
    until(lambda: all(line in server.log.read_text() for line in lines))
    log = server.log.read_text()
    assert not [word for word in (server.key, "secret", name, name.upper()) if word in log]


def test_file_that_can_not_be_read(tmp_path: Path) -> None:
    """A file that the system does not give is 503, and its name is not in the log."""
    with Served(tmp_path / "data") as server:
        data = server.ended(server.accepted(png()))
        name = data["original_url"].rpartition("/")[2]
        path = tmp_path / "data" / "originals" / name
        path.unlink()
        path.symlink_to(path)
        assert_refused(server.get(f"/direct-file/original/{name}", ""), 503, BUSY)
        until(lambda: "a request can't be served" in server.log.read_text())
        assert name not in server.log.read_text()
