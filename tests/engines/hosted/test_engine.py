"""The hosted engine against a server that lies and fails, over real sockets."""

from __future__ import annotations

import gzip
import inspect
import io
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from imgshrink.core.errors import AccountError, Declined, EngineError, Unavailable
from imgshrink.core.keys import cache_key, content_hash
from imgshrink.core.model import Format, ImageInfo, Recipe
from imgshrink.engines.hosted.budget import Pause
from imgshrink.engines.hosted.engine import Hosted
from imgshrink.engines.hosted.journal import UPLOADED, Journal
from imgshrink.engines.hosted.polling import RetryPolicy, Timing
from imgshrink.engines.hosted.quota import Quota
from imgshrink.engines.hosted.sockets import Sockets
from imgshrink.files.locks import FileLocks
from imgshrink.image.metadata import reduce
from imgshrink.image.sniff import sniff
from lying_server import (
    Fault,
    LyingServer,
    accepts_and_resets,
    drips,
    drips_a_body,
    hangs,
    raw,
    replies,
    resets,
    resets_inside_the_body,
    says,
    upload_name,
    uploaded,
)
from patience import ENDLESS, PATIENCE, until

KEY = "tj_0123456789abcdef"
RECIPE = Recipe()
NEVER_LATE = Timing(
    *(ENDLESS,) * 6, first=0.01, retry=RetryPolicy(persistence=ENDLESS, longest_wait=ENDLESS)
)  # nothing but a stop ends an exchange
STEPS = {"status": "/status/", "download": "/direct-file/"}
QUICK = Timing(
    connect=1.0, read=0.6, job=1.5, answer=0.6, question=0.6, download=0.6, first=0.01,
    retry=RetryPolicy(persistence=2.0, backoff=0.01, longest_wait=0.5),
)  # fmt: skip


def noise(seed: int = 0) -> bytes:
    """Return a PNG of a few kB that no two seeds share."""
    buffer = io.BytesIO()
    Image.frombytes("L", (40, 40), random.Random(seed).randbytes(1600)).save(buffer, "PNG")
    return buffer.getvalue()


def info_of(data: bytes) -> ImageInfo:
    info = sniff(data)
    assert info is not None
    return info


@pytest.fixture(scope="module")
def image() -> bytes:
    return noise()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "state" / "uploads.sqlite"


Make = Callable[..., Hosted]


@pytest.fixture
def hosted(server: LyingServer, journal: Path) -> Iterator[Make]:
    """Make engines that are closed in the end; each is a run of its own over the same journal."""
    made: list[Hosted] = []

    def make(key: str | None = KEY, url: str = "", **options: object) -> Hosted:
        options = {"journal": journal, "timing": QUICK, **options}
        made.append(Hosted(key, url or server.url, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def outcome(engine: Hosted, data: bytes) -> bytes | EngineError:
    """Return what a run comes to, an error as a value."""
    try:
        return engine.optimize(data, info_of(data), RECIPE)
    except EngineError as error:
        return error


def word(result: bytes | EngineError) -> str:
    """Return what a run came to in a word."""
    return type(result).__name__ if isinstance(result, EngineError) else "result"


def once(step: str, *faults: Fault) -> Callable[[LyingServer], None]:
    return lambda server: server.next(step, *faults)


def always(step: str, fault: Fault) -> Callable[[LyingServer], None]:
    def set_up(server: LyingServer) -> None:
        server.always[step] = fault

    return set_up


def finished(**changes: object) -> Fault:
    """Answer a status request as usual, but for some fields."""

    def fault(connection: object, server: LyingServer, seen: object) -> None:
        status = server.status(1) | changes
        present = {name: value for name, value in status.items() if value is not None}
        connection.json(200, {"success": True, "data": present})  # type: ignore[attr-defined]

    return fault


def redirects(place: str) -> Fault:
    return replies(302, b"", {"Location": place})


HTML = replies(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
EMPTY = replies(200, b"")
HALF = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"success": true, "data": {"image_id": ')
BOMB = replies(200, gzip.compress(bytes(20_000_000)), {"Content-Encoding": "gzip"})
ENDLESS = replies(200, b"x" * 3_000_000)
GARBAGE = raw(b"\x16\x03\x01\x00\xa5 this is no HTTP\r\n\r\n")


@dataclass(frozen=True)
class Case:
    """A fault, and what two runs come to: the first meets the fault, the second an honest server.

    `posts` are the uploads that the server saw after each; `uploads` is what the first run says it may have paid.
    """

    fault: Callable[[LyingServer], None]
    first: str
    uploads: int
    posts: int
    second: str
    posts_in_all: int


CASES = {
    "honest": Case(lambda server: None, "result", 1, 1, "result", 1),
    # the upload breaks off: nobody knows whether it was paid for, so it is repeated once, and in another run
    "reset before the body": Case(once("head", resets), "Unavailable", 1, 1, "result", 2),
    "reset in the body": Case(once("head", resets_inside_the_body), "Unavailable", 1, 1, "result", 2),
    "reset after the upload": Case(once("upload", accepts_and_resets), "Unavailable", 1, 1, "result", 2),
    "upload 500": Case(once("upload", replies(500)), "Unavailable", 1, 1, "result", 2),
    "upload 502 html": Case(once("upload", replies(502, b"<html>")), "Unavailable", 1, 1, "result", 2),
    "upload 503 alone": Case(once("upload", replies(503)), "Unavailable", 1, 1, "result", 2),
    "upload html": Case(once("upload", HTML), "Unavailable", 1, 1, "result", 2),
    "upload empty": Case(once("upload", EMPTY), "Unavailable", 1, 1, "result", 2),
    "upload half": Case(once("upload", HALF), "Unavailable", 1, 1, "result", 2),
    "upload garbage": Case(once("upload", GARBAGE), "Unavailable", 1, 1, "result", 2),
    "upload bomb": Case(once("upload", BOMB), "Unavailable", 1, 1, "result", 2),
    "upload endless": Case(once("upload", ENDLESS), "Unavailable", 1, 1, "result", 2),
    "upload hangs": Case(once("upload", hangs), "Unavailable", 1, 1, "result", 2),
    "upload drips": Case(once("upload", drips), "Unavailable", 1, 1, "result", 2),
    "upload redirected": Case(once("upload", redirects("/api/optimize")), "Unavailable", 1, 1, "result", 2),
    # the upload certainly did not happen
    "429 once": Case(once("upload", replies(429, b"", {"Retry-After": "0"})), "result", 1, 2, "result", 2),
    "429 without time": Case(once("upload", replies(429)), "result", 1, 2, "result", 2),
    "429 odd time": Case(once("upload", replies(429, b"", {"Retry-After": "soon"})), "result", 1, 2, "result", 2),
    "429 in the past": Case(
        once("upload", replies(429, b"", {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"})), "result", 1, 2, "result", 2
    ),
    "429 for a year": Case(
        once("upload", replies(429, b"", {"Retry-After": "31536000"})), "Unavailable", 0, 1, "result", 2
    ),
    "429 four times": Case(
        once("upload", *[replies(429, b"", {"Retry-After": "0"})] * 4), "Unavailable", 0, 4, "result", 5
    ),
    "503 with time": Case(once("upload", replies(503, b"", {"Retry-After": "0.1"})), "result", 1, 2, "result", 2),
    # the API says no
    "400": Case(once("upload", replies(400)), "Rejected", 1, 1, "Rejected", 1),
    "413": Case(once("upload", replies(413, b"<html>")), "Rejected", 1, 1, "Rejected", 1),
    "422": Case(once("upload", says(422, {"success": False, "message": "no"})), "Rejected", 1, 1, "Rejected", 1),
    "401": Case(once("upload", replies(401)), "AccountError", 0, 1, "result", 2),
    "403": Case(once("upload", replies(403)), "AccountError", 0, 1, "result", 2),
    "failed": Case(once("status", finished(status="failed", message="bad")), "Rejected", 1, 1, "Rejected", 1),
    # what was paid for is collected, now or by the next run
    "done at once": Case(
        once("upload", lambda connection, server, seen: connection.json(
            200, {"success": True, "data": server.accept(seen) | server.status(1)})), "result", 1, 1, "result", 1
    ),
    "never finishes": Case(always("status", finished(status="processing")), "ResultPending", 1, 1, "result", 1),
    "unheard-of status": Case(always("status", finished(status="dreaming")), "ResultPending", 1, 1, "result", 1),
    "status 500 once": Case(once("status", replies(500)), "result", 1, 1, "result", 1),
    "status 500": Case(always("status", replies(500)), "ResultPending", 1, 1, "result", 1),
    "status html": Case(always("status", HTML), "ResultPending", 1, 1, "result", 1),
    "status empty": Case(once("status", EMPTY), "result", 1, 1, "result", 1),
    "status half": Case(once("status", HALF), "result", 1, 1, "result", 1),
    "status garbage": Case(once("status", GARBAGE), "result", 1, 1, "result", 1),
    "status bomb": Case(once("status", BOMB), "result", 1, 1, "result", 1),
    "status reset": Case(once("status", resets, resets), "result", 1, 1, "result", 1),
    "status always reset": Case(always("status", resets), "ResultPending", 1, 1, "result", 1),
    "status hangs": Case(once("status", hangs), "result", 1, 1, "result", 1),
    "status drips": Case(once("status", drips), "result", 1, 1, "result", 1),
    "status 429": Case(once("status", replies(429, b"", {"Retry-After": "0.1"})), "result", 1, 1, "result", 1),
    "status 429 for a year": Case(
        once("status", replies(429, b"", {"Retry-After": "31536000"})), "ResultPending", 1, 1, "result", 1
    ),
    "status of another": Case(once("status", finished(image_id=99)), "result", 1, 1, "result", 1),
    "status redirected": Case(always("status", redirects("/api/status/1")), "ResultPending", 1, 1, "result", 1),
    "status 404 once": Case(once("status", replies(404)), "result", 1, 1, "result", 1),
    "status 404": Case(always("status", replies(404)), "ResultPending", 1, 1, "result", 1),
    "status 400": Case(once("status", replies(400)), "Rejected", 1, 1, "Rejected", 1),
    "key revoked": Case(once("status", replies(401)), "ResultPending", 1, 1, "result", 1),
    # the result itself
    "download reset": Case(once("download", resets), "result", 1, 1, "result", 1),
    "download half": Case(once("download", HALF), "result", 1, 1, "result", 1),
    "download always half": Case(always("download", HALF), "ResultPending", 1, 1, "result", 1),
    "download drips": Case(always("download", drips_a_body), "ResultPending", 1, 1, "result", 1),
    "download hangs": Case(once("download", hangs), "result", 1, 1, "result", 1),
    "download 500": Case(always("download", replies(500)), "ResultPending", 1, 1, "result", 1),
    "download 429": Case(once("download", replies(429, b"", {"Retry-After": "0.1"})), "result", 1, 1, "result", 1),
    "download 401": Case(always("download", replies(401)), "ResultPending", 1, 1, "result", 1),
    "download 403": Case(always("download", replies(403)), "ResultPending", 1, 1, "result", 1),
    "download 429 for a year": Case(
        always("download", replies(429, b"", {"Retry-After": "31536000"})), "ResultPending", 1, 1, "result", 1
    ),
    "status 403": Case(always("status", replies(403)), "ResultPending", 1, 1, "result", 1),
    "download expired": Case(once("download", replies(404)), "result", 1, 1, "result", 1),
    "download gone": Case(always("download", replies(410)), "ResultPending", 1, 1, "result", 1),
    "download empty": Case(always("download", EMPTY), "ResultPending", 1, 1, "result", 1),
    "download bomb": Case(always("download", BOMB), "ResultPending", 1, 1, "result", 1),
    "download too long": Case(always("download", ENDLESS), "ResultPending", 1, 1, "result", 1),
    "download too short": Case(always("download", replies(200, b"short")), "ResultPending", 1, 1, "result", 1),
    "wrong optimized_size": Case(always("status", finished(optimized_size=77)), "ResultPending", 1, 1, "result", 1),
    "no optimized_size": Case(always("status", finished(optimized_size=None)), "result", 1, 1, "result", 1),
    "no address": Case(always("status", finished(optimized_url=None)), "ResultPending", 1, 1, "result", 1),
    "address elsewhere": Case(
        always("status", finished(optimized_url="https://192.0.2.1/x")), "ResultPending", 1, 1, "result", 1
    ),
    "redirected elsewhere": Case(
        always("download", redirects("https://192.0.2.1/x")), "ResultPending", 1, 1, "result", 1
    ),
    "redirected for ever": Case(
        always("download", redirects("/direct-file/optimized/1")), "ResultPending", 1, 1, "result", 1
    ),
    "redirected once": Case(once("download", redirects("/direct-file/optimized/1")), "result", 1, 1, "result", 1),
    "redirected nowhere": Case(once("download", replies(302)), "result", 1, 1, "result", 1),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_two_runs(case: Case, server: LyingServer, hosted: Make, image: bytes) -> None:
    """Whatever goes wrong in one run: no payment is forgotten, none made in vain, and the next run goes on."""
    case.fault(server)
    engine = hosted()
    first = outcome(engine, image)
    assert (word(first), engine.uploads, server.posts) == (case.first, case.uploads, case.posts)
    if isinstance(first, EngineError):
        assert first.uploads == case.uploads
        assert str(first).isprintable()
        assert str(first)
    server.always.clear()
    server.faults.clear()
    second = outcome(hosted(), image)
    assert (word(second), server.posts) == (case.second, case.posts_in_all)
    if isinstance(second, bytes):
        assert second == server.shrink(image)


def test_the_result(server: LyingServer, hosted: Make, image: bytes) -> None:
    """What the API made comes back, byte for byte, for one upload, one question and one download."""
    engine = hosted()
    assert server.shrink(image) == engine.optimize(image, info_of(image), RECIPE)
    assert [seen.method for seen in server.seen] == ["POST", "GET", "GET"]


def test_what_is_sent(server: LyingServer, hosted: Make, image: bytes) -> None:
    """An upload carries the key, a name made of chance, an idempotency key, who asks, and no wish for compression."""
    outcome(hosted(), image)
    upload = server.seen[0]
    assert upload.headers["x-api-key"] == KEY
    assert upload.headers["accept-encoding"] == "identity"
    assert upload.headers["user-agent"].startswith("imgshrink/")
    assert len(upload.headers["idempotency-key"]) == 32
    assert upload_name(upload) == upload.headers["idempotency-key"][:16] + ".png"
    assert b'name="quality"\r\n\r\n80\r\n' in upload.body


def test_a_repeated_upload_is_the_same(server: LyingServer, hosted: Make, image: bytes) -> None:
    """The upload that repeats a broken one carries the same idempotency key and the same bytes."""
    server.next("upload", resets)
    outcome(hosted(), image)
    outcome(hosted(), image)
    first, second = (seen for seen in server.seen if seen.method == "POST")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


def test_broken_off_twice(server: LyingServer, hosted: Make, image: bytes) -> None:
    """An upload that broke off twice is not made a third time, in no run; that is no verdict on the image."""
    server.always["upload"] = accepts_and_resets
    assert [word(outcome(hosted(), image)) for _ in range(4)] == [
        "Unavailable",
        "UploadLimitReached",
        "UploadLimitReached",
        "UploadLimitReached",
    ]
    assert server.posts == 2


def test_no_usable_answer_is_quoted(server: LyingServer, hosted: Make, image: bytes) -> None:
    """What came instead of an answer is said: so a wrong address can be told from a broken network."""
    server.next("upload", replies(404, b"<html>"))
    engine = hosted()
    assert str(outcome(engine, image)) == f"{engine.host} gave no usable answer to an upload (answered 404)"
    assert "(answered 404), paid or not: a later run tries once more" in engine.notes()[0]


def test_two_caches_and_one_journal(server: LyingServer, hosted: Make, image: bytes, tmp_path: Path) -> None:
    """Two processes that share the journal alone do not upload one image at once: the second collects."""
    server.seconds = 0.5
    engines = [hosted(journal=Journal(tmp_path / "j.sqlite3"), locks=FileLocks(tmp_path / "claims")) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(lambda engine: engine.optimize(image, info_of(image), RECIPE), engines))
    assert results == [server.shrink(image)] * 2
    assert server.posts == 1


def test_stopped_while_another_process_uploads(hosted: Make, image: bytes, tmp_path: Path) -> None:
    """Who waits for another process's upload ends at once when the run is stopped."""
    stop = threading.Event()
    engine = hosted(locks=FileLocks(tmp_path / "claims"), stop=stop)
    key = engine._name(content_hash(image), RECIPE)
    with FileLocks(tmp_path / "claims").hold(key, deadline=None, stop=threading.Event()):
        threading.Timer(0.2, stop.set).start()
        assert str(outcome(engine, image)) == "interrupted"


def test_reset_at_connecting(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A connection that is cut before anything was read is repeated at once or by the next run, as far as it got."""
    server.next("accept", resets)
    first = word(outcome(hosted(), image))
    assert first in ("result", "Unavailable")
    assert word(outcome(hosted(), image)) == "result"
    assert server.posts == 1


def test_broken_off_is_said(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A run says how many of its uploads broke off, and a clean run says nothing."""
    server.next("upload", resets, resets)
    engine = hosted()
    assert engine.notes() == []
    outcome(engine, image)
    assert len(engine.notes()) == 1
    assert engine.notes()[0].startswith("1 upload to 127.0.0.1")
    outcome(engine, noise(5))
    assert engine.notes()[0].startswith("2 uploads to")
    later = hosted()
    outcome(later, image)
    assert later.notes() == [f"1 image was uploaded to {later.host} a second time: the first upload brought no result"]
    outcome(later, noise(5))
    assert later.notes()[0].startswith("2 images were uploaded")


def tomorrow(journal: Path) -> Journal:
    """Return the journal as it is read a day later."""
    return Journal(journal, clock=lambda: time.time() + 90_000)


def test_gone_is_bought_once_more(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """A result that the API has lost after a day is bought once more, and never a third time."""
    outcome(hosted(), image)
    server.always["status"] = replies(404)
    assert word(outcome(hosted(), image)) == "ResultPending"
    server.always.clear()
    server.next("status", replies(404), replies(404))
    assert word(outcome(hosted(journal=tomorrow(journal)), image)) == "result"
    assert server.posts == 2
    server.next("status", replies(404), replies(404))
    in_two_days = Journal(journal, clock=lambda: time.time() + 180_000)
    assert word(outcome(hosted(journal=in_two_days), image)) == "UploadLimitReached"
    assert server.posts == 2


@pytest.mark.parametrize("step", ["status", "download"])
def test_lost_at_once_is_not_bought_again(step: str, server: LyingServer, hosted: Make, image: bytes) -> None:
    """A server that does not know what it has just been sent is not paid again within a day."""
    server.always[step] = replies(404)
    assert [word(outcome(hosted(), image)) for _ in range(3)] == ["ResultPending"] * 3
    assert server.posts == 1
    server.always.clear()
    assert word(outcome(hosted(), image)) == "result"
    assert server.posts == 1


def test_lost_again_after_a_second_upload(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """A second upload that is lost, too, is not passed on in the same run: it was paid for a moment ago."""
    outcome(hosted(), image)
    server.always["status"] = replies(404)
    assert word(outcome(hosted(journal=tomorrow(journal)), image)) == "ResultPending"
    assert server.posts == 2


@pytest.mark.parametrize("days", [0, 2, 20])
def test_trouble_elsewhere_is_never_a_verdict(
    days: int, server: LyingServer, hosted: Make, image: bytes, journal: Path
) -> None:
    """However long the account, the host or the network are in trouble, the result is collected when it is over."""
    outcome(hosted(), image)
    later = lambda: Journal(journal, clock=lambda: time.time() + days * 86_400)  # noqa: E731
    for step, fault in (
        ("status", replies(401)),
        ("status", replies(500)),
        ("download", redirects("https://x.example/")),
    ):
        server.always = {step: fault}
        assert word(outcome(hosted(journal=later()), image)) == "ResultPending"
    server.always.clear()
    assert outcome(hosted(journal=later()), image) == server.shrink(image)
    assert server.posts == 1


@pytest.mark.parametrize("fault", [EMPTY, BOMB, replies(200, b"short")], ids=["empty", "compressed", "too short"])
def test_an_unusable_result_is_a_verdict_after_a_day(
    fault: Fault, server: LyingServer, hosted: Make, image: bytes, journal: Path
) -> None:
    """A result that is not what the API says is asked for again for a day; only then is the image rejected."""
    server.always["download"] = fault
    assert word(outcome(hosted(), image)) == "ResultPending"
    assert word(outcome(hosted(journal=tomorrow(journal)), image)) == "Rejected"
    assert (word(outcome(hosted(), image)), server.posts) == ("Rejected", 1)


def test_gone_gets_a_new_idempotency_key(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """What is bought once more is a new job, also for an API that honours idempotency keys."""
    outcome(hosted(), image)
    server.next("status", replies(404), replies(410))
    outcome(hosted(journal=tomorrow(journal)), image)
    first, second = (seen.headers["idempotency-key"] for seen in server.seen if seen.method == "POST")
    assert first != second


def test_thirty_days(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """Once newer uploads are 30 days younger the journal forgets, and the image may be bought again."""
    outcome(hosted(), image)

    def later() -> Hosted:
        return hosted(journal=Journal(journal, clock=lambda: time.time() + 31 * 86400))

    assert word(outcome(later(), image)) == "result"
    assert server.posts == 1
    outcome(later(), noise(1))
    outcome(later(), image)
    assert server.posts == 3


def test_never_finished_within_a_day(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """What is still in work after a day never will be done, and the next run does not ask again."""
    server.always["status"] = finished(status="processing")
    assert word(outcome(hosted(), image)) == "ResultPending"
    assert word(outcome(hosted(journal=tomorrow(journal)), image)) == "Rejected"
    asked = server.count("GET")
    assert word(outcome(hosted(), image)) == "Rejected"
    assert (server.count("GET"), server.posts) == (asked, 1)


def test_an_old_upload_is_asked_for_once(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """An upload that has been in work for longer than a job may take costs a later run one question, and no waiting."""
    server.always["status"] = finished(status="processing")
    outcome(hosted(), image)
    asked = server.count("GET")
    later = Journal(journal, clock=lambda: time.time() + 600)
    assert word(outcome(hosted(journal=later), image)) == "ResultPending"
    assert server.count("GET") == asked + 1


COMPRESSED = gzip.compress(b"a result that is compressed on the way")


def test_a_compressed_result(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A result that is compressed on the way is not taken for the image, even if its length is what the API says."""
    server.always["status"] = finished(optimized_size=len(COMPRESSED))
    server.always["download"] = replies(200, COMPRESSED, {"Content-Encoding": "gzip"})
    result = outcome(hosted(), image)
    assert word(result) == "ResultPending"
    assert "compressed bytes" in str(result)
    server.always["download"] = replies(200, COMPRESSED, {"Content-Encoding": "identity"})
    assert outcome(hosted(), image) == COMPRESSED


def test_one_image_id_for_two_images(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Where two images get one image id, the second is rejected, the first is not fetched again; one line says so."""
    server.next("upload", accepted_as(1), accepted_as(1))
    engine = hosted()
    assert word(outcome(engine, image)) == "result"
    assert word(outcome(engine, noise(5))) == "Rejected"
    assert [word(outcome(hosted(), data)) for data in (image, noise(5))] == ["Rejected", "Rejected"]
    assert [note for note in engine.notes() if "one image id" in note] == engine.notes()
    assert (len(engine.notes()), server.posts) == (1, 2)


def test_one_image_id_at_the_same_time(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Where the second image gets the id while the first waits for its result, neither gets one."""
    both = threading.Barrier(2, timeout=PATIENCE)

    def accepts(connection: object, server: LyingServer, seen: object) -> None:
        accepted_as(1)(connection, server, seen)  # type: ignore[arg-type]

    def waits(connection: object, server: LyingServer, seen: object) -> None:
        both.wait()
        server.answer("status", connection, seen)  # type: ignore[arg-type]

    server.always["upload"] = accepts
    server.next("status", waits)
    engine = hosted(timing=NEVER_LATE)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(outcome, engine, image)
        while not server.count("GET", "/api/status/"):
            time.sleep(0.01)
        second = outcome(engine, noise(5))
        both.wait()
        assert [word(first.result()), word(second)] == ["Rejected", "Rejected"]


def test_one_image_id_for_the_same_bytes(server: LyingServer, hosted: Make, image: bytes) -> None:
    """An API that knows equal uploads and gives them one id is no liar: another quality, other metadata."""
    server.always["upload"] = accepted_as(1)
    engine = hosted()
    assert word(outcome(engine, image)) == "result"
    assert isinstance(engine.optimize(image, info_of(image), Recipe(60)), bytes)


def accepted_as(image_id: int) -> Fault:
    """Take an upload in, and answer with this id."""

    def fault(connection: object, server: LyingServer, seen: object) -> None:
        data = server.accept(seen) | {"image_id": image_id}  # type: ignore[arg-type]
        connection.json(200, {"success": True, "data": data})  # type: ignore[attr-defined]

    return fault


PATHS = {"upload": "/api/optimize", "status": "/api/status/", "download": "/direct-file/"}
LONG = ("1000000000", "86400", "Fri, 31 Dec 9999 23:59:59 GMT", "31")


@pytest.mark.parametrize("value", LONG)
@pytest.mark.parametrize(("step", "code"), [("upload", 429), ("upload", 503), ("status", 429), ("download", 429)])
def test_a_long_retry_after_stalls_nobody(value: str, step: str, code: int, server: LyingServer, hosted: Make) -> None:
    """An API that asks to be left alone for long is left alone for the run, at once and without a wait."""
    timing = replace(QUICK, retry=replace(QUICK.retry, longest_wait=30.0))
    server.always[step] = replies(code, b"", {"Retry-After": value})
    engine = hosted(timing=timing)
    first = outcome(engine, noise(1))
    asked = len(server.seen)
    second = outcome(engine, noise(2))
    assert server.count("POST" if step == "upload" else "GET", PATHS[step]) == 1
    assert word(first) == ("Unavailable" if step == "upload" else "ResultPending")
    assert "asks to wait for" in str(first)
    assert (word(second), len(server.seen)) == ("Unavailable", asked)
    assert isinstance(second, Unavailable)
    assert second.lasting


def test_nothing_to_gain(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Where the API's result is no smaller, nothing is downloaded and the image itself comes back."""
    server.shrink = lambda data: data + b"more"
    assert outcome(hosted(), image) == image
    assert server.count("GET", "/direct-file/") == 0


def test_metadata_alone_may_be_the_gain(server: LyingServer, hosted: Make) -> None:
    """Where only our own reduction made the image smaller, that is the result, without a download."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "A camera maker " * 40
    Image.effect_noise((40, 40), 60).save(buffer, "JPEG", exif=exif)
    photo = buffer.getvalue()
    server.shrink = lambda data: data
    result = outcome(hosted(), photo)
    assert isinstance(result, bytes)
    assert len(result) < len(photo)
    assert server.count("GET", "/direct-file/") == 0


ODD = {
    "animated PNG": ImageInfo(Format.PNG, 9, 9, frames=2, durations=(1, 1)),
    "CMYK": ImageInfo(Format.JPEG, 9, 9, colour="cmyk"),
    "16 bit": ImageInfo(Format.PNG, 9, 9, depth=16),
}


@pytest.mark.parametrize("info", ODD.values(), ids=ODD)
def test_declined(info: ImageInfo, server: LyingServer, hosted: Make) -> None:
    """What the API can't serve is declined for free."""
    with pytest.raises(Declined, match="the API would"):
        hosted().optimize(b"image", info, RECIPE)
    assert server.seen == []


def test_too_large(server: LyingServer, hosted: Make) -> None:
    """An image above the limit is declined for free."""
    assert hosted().declines(ImageInfo(Format.GIF, 9, 9, frames=3), 2**30)
    assert hosted().declines(ImageInfo(Format.GIF, 9, 9, frames=3), 2**20) == ""


def test_without_a_key(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Without a key the engine has a fingerprint, and says nothing, asks nothing and knows nothing."""
    engine = hosted(None)
    assert engine.fingerprint == hosted().fingerprint
    result = outcome(engine, image)
    assert isinstance(result, AccountError)
    assert (str(result), result.failure, server.seen, engine.paid("x", RECIPE)) == ("", False, [], False)


def test_the_fingerprint_names_the_origin(hosted: Make) -> None:
    """Another API is another engine; the key takes no part."""
    prints = {
        hosted(url=url).fingerprint for url in ("https://a.example", "https://A.example:443/", "https://b.example")
    }
    assert prints == {"tinyjpg-1 https://a.example", "tinyjpg-1 https://b.example"}
    assert hosted("another-key").fingerprint == hosted().fingerprint


def test_max_uploads(server: LyingServer, hosted: Make) -> None:
    """The budget of a run bounds its uploads, not what is collected for free."""
    engine = hosted(max_uploads=2)
    results = [outcome(engine, noise(seed)) for seed in (1, 2, 3, 1, 2)]
    assert [word(result) for result in results] == ["result", "result", "AccountError", "result", "result"]
    assert server.posts == 2
    assert isinstance(results[2], AccountError)
    assert results[2].kind == "budget"


def test_who_can_not_remember_does_not_buy(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Where results can't be kept nothing is uploaded, and the reason is said."""
    asked: list[int] = []

    def can_remember() -> str:
        asked.append(1)
        return "the cache is read-only"

    result = outcome(hosted(can_remember=can_remember), image)
    assert isinstance(result, AccountError)
    assert (result.kind, server.posts, asked) == ("memory", 0, [1])
    assert "the cache is read-only" in str(result)


def test_can_remember_is_asked_once(hosted: Make) -> None:
    """The cache is probed before the first upload of a run only."""
    asked: list[int] = []
    engine = hosted(can_remember=lambda: asked.append(1) or "")
    for seed in range(3):
        outcome(engine, noise(seed))
    assert asked == [1]


def test_no_journal_no_upload(server: LyingServer, hosted: Make, image: bytes, tmp_path: Path) -> None:
    """Where the journal can't be written nothing is uploaded, and the file is named."""
    (tmp_path / "file").write_text("in the way")
    engine = hosted(journal=tmp_path / "file" / "uploads.sqlite")
    result = outcome(engine, image)
    assert isinstance(result, AccountError)
    assert (result.kind, engine.uploads, server.posts) == ("memory", 0, 0)
    assert "uploads.sqlite" in str(result)
    assert engine.paid("x", RECIPE) is False


def test_two_who_know_nothing_of_each_other(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """Where another process began the same upload a moment ago, ours is not made."""
    engine = hosted(can_remember=lambda: pay(journal, server.url, [image]) or "")
    result = outcome(engine, image)
    assert isinstance(result, Unavailable)
    assert (server.posts, engine.uploads) == (0, 0)


def test_a_broken_journal(server: LyingServer, hosted: Make, image: bytes, journal: Path) -> None:
    """A journal that can't be read forbids uploads, and says which file to remove."""
    journal.parent.mkdir()
    journal.write_bytes(b"no database " * 100)
    engine = hosted()
    assert not engine.paid(content_hash(image), RECIPE)
    result = outcome(engine, image)
    assert isinstance(result, AccountError)
    assert "uploads.sqlite" in str(result)
    assert (server.posts, engine.uploads) == (0, 0)


def test_paid(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Who counts uploads in advance learns which images cost none."""
    assert not hosted().paid(content_hash(image), RECIPE)
    outcome(hosted(), image)
    assert hosted().paid(content_hash(image), RECIPE)
    assert not hosted().paid(content_hash(image), Recipe(60))


def test_quota_used_up_in_the_middle(server: LyingServer, hosted: Make) -> None:
    """After a quota ran out nothing is uploaded any more; the error names the day of renewal, asked for once."""
    used_up = says(403, {"success": False, "message": "Monthly plan limit exceeded"})
    engine = hosted()
    assert word(outcome(engine, noise(1))) == "result"
    server.always["upload"] = used_up
    results = [outcome(engine, noise(seed)) for seed in (2, 3, 4)]
    assert [word(result) for result in results] == ["AccountError"] * 3
    assert (server.posts, server.count("GET", "/api/v1/stats"), engine.uploads) == (2, 1, 1)
    last = results[-1]
    assert isinstance(last, AccountError)
    assert (last.kind, last.status, last.renews) == ("quota", 403, "2026-12-01")
    assert str(last) == "TinyJPG quota used up. It renews on 2026-12-01"


def test_a_refused_key(server: LyingServer, hosted: Make) -> None:
    """A refused key is tried once, and the error names the host and the cure."""
    server.always["upload"] = replies(401)
    engine = hosted()
    results = [outcome(engine, noise(seed)) for seed in (1, 2)]
    assert server.posts == 1
    for result in results:
        assert isinstance(result, AccountError)
        assert (result.kind, result.host, result.status) == ("refused", f"127.0.0.1:{server.port}", 401)
        assert str(result) == f"127.0.0.1:{server.port} refused the API key (401). Check TINYJPG_API_KEY"


def test_a_key_that_may_not(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A 403 that speaks of no quota is shown with the API's own words."""
    server.always["upload"] = says(403, {"success": False, "message": "Verify your mail address"})
    result = outcome(hosted(), image)
    assert isinstance(result, AccountError)
    assert (result.kind, "Verify your mail address" in str(result)) == ("refused", True)


def test_another_key_pays_for_itself(server: LyingServer, hosted: Make, image: bytes) -> None:
    """What one account has bought is not asked for under another."""
    outcome(hosted(), image)
    outcome(hosted("tj_another_key_of_ours"), image)
    assert server.posts == 2


def test_many_at_once(server: LyingServer, hosted: Make) -> None:
    """16 images at once are 16 jobs, each collected by who sent it."""
    server.seconds = 0.2
    engine = hosted()
    images = [noise(seed) for seed in range(16)]
    results: dict[int, bytes | EngineError] = {}
    threads = [
        threading.Thread(target=lambda number=number: results.update({number: outcome(engine, images[number])}))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: server.shrink(images[number]) for number in range(16)}
    assert (engine.uploads, server.posts) == (16, 16)


def test_the_same_image_at_once(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Threads that ask for one image at the same time buy it once, and all get it."""
    server.seconds = 0.2
    engine = hosted()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: outcome(engine, image), range(8)))
    assert results == [server.shrink(image)] * 8
    assert server.posts == 1


def test_who_waits_for_a_turn_is_let_go(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A thread that waits for another's answer to the same image ends with the stop."""
    server.always["status"] = hangs
    stop = threading.Event()
    engine = hosted(stop=stop, timing=NEVER_LATE)
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(outcome, engine, image) for _ in range(2)]
        until(lambda: server.count("GET"))
        stop.set()
        done, late = wait(futures, timeout=PATIENCE)
    assert late == set()
    # The one that waits says that it was interrupted, or, where it had its turn by then, that the upload is paid for.
    assert sorted(word(future.result()) for future in done) in (
        ["ResultPending", "Unavailable"],
        ["ResultPending", "ResultPending"],
    )
    assert server.posts == 1


def test_polling_is_thrifty(server: LyingServer, hosted: Make) -> None:
    """Once it is known how long jobs take, a job is asked for once."""
    server.seconds = 0.3
    engine = hosted()
    for seed in range(4):
        outcome(engine, noise(seed))
    last = [seen.path for seen in server.seen if "/status/4" in seen.path]
    assert len(last) == 1


def test_retry_after_of_an_unfinished_job(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A job that is not done is not asked for again before its `Retry-After`."""
    busy = {"success": True, "data": {"image_id": 1, "status": "processing"}}
    server.next("status", says(200, busy, {"Retry-After": "0.4"}))
    outcome(hosted(), image)
    first, second = (seen.at for seen in server.seen if "/status/" in seen.path)
    assert second - first >= 0.4


def test_a_pause_holds_for_all(server: LyingServer, hosted: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one image is told to wait, all wait."""
    paused, extend = threading.Event(), Pause.extend
    monkeypatch.setattr(Pause, "extend", lambda *given: (extend(*given), paused.set()))
    server.next("upload", replies(429, b"", {"Retry-After": "0.4"}))
    engine = hosted()
    begun = threading.Thread(target=outcome, args=(engine, noise(1)))
    begun.start()
    assert paused.wait(PATIENCE)
    outcome(engine, noise(2))
    begun.join()
    first, *others = (seen.at for seen in server.seen if seen.method == "POST")
    assert min(others) - first >= 0.4


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nobody_listens(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A refused connection costs nothing, is told, and leaves no trace in the journal."""
    engine = hosted(url=f"http://127.0.0.1:{closed_port()}")
    result = outcome(engine, image)
    assert isinstance(result, Unavailable)
    assert (result.uploads, engine.uploads) == (0, 0)
    assert "can't be reached" in str(result)
    assert not engine.paid("x", RECIPE)


def test_a_name_that_nobody_knows(server: LyingServer, hosted: Make, image: bytes) -> None:
    """A host that does not resolve costs nothing."""
    engine = hosted(url="https://nobody.invalid")
    assert word(outcome(engine, image)) == "Unavailable"
    assert engine.uploads == 0


def test_given_up(server: LyingServer, hosted: Make) -> None:
    """After two images got no answer at all, no further one tries, not even to collect what was paid for."""
    paid = [noise(seed) for seed in range(3)]
    for data in paid:
        outcome(hosted(), data)
    engine = hosted()
    server.always["accept"] = resets
    assert [word(outcome(engine, data)) for data in paid[:2]] == ["ResultPending", "ResultPending"]
    server.always.clear()
    seen = len(server.seen)
    assert word(outcome(engine, paid[2])) == "ResultPending"
    assert word(outcome(engine, noise(7))) == "Unavailable"
    assert (len(server.seen), engine.uploads) == (seen, 0)


def test_tokens_of_the_account(server: LyingServer, hosted: Make) -> None:
    """The account's own questions are answered as they come, and errors have their kinds."""
    engine = hosted()
    assert engine.quota() == Quota(100, 63, 37, "2026-12-01")
    assert engine.ask("/api/v1/stats")["success"] is True
    with pytest.raises(Unavailable, match="has no /api/v1/other"):
        engine.ask("/api/v1/other")
    server.next("stats", replies(401))
    with pytest.raises(AccountError, match="refused the API key"):
        engine.ask("/api/v1/stats")
    server.next("stats", HTML)
    with pytest.raises(Unavailable, match="answered 200"):
        engine.ask("/api/v1/stats")
    with pytest.raises(AccountError, match="TINYJPG_API_KEY"):
        hosted(None).ask("/api/v1/stats")
    server.next("stats", replies(500))
    assert engine.quota() is None


def test_an_absent_network_is_asked_once(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Where a question about the account gets no answer at all, no image tries again."""
    engine = hosted(url=f"http://127.0.0.1:{closed_port()}")
    assert engine.quota() is None
    result = outcome(engine, image)
    assert isinstance(result, Unavailable)
    assert "can't be reached" in str(result)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port of this machine whose connections are neither taken nor refused."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            client = waiting.enter_context(socket.socket())
            client.settimeout(0.3)
            try:
                client.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("bought_before", [False, True], ids=["new", "paid for"])
def test_no_network(
    bought_before: bool, server: LyingServer, hosted: Make, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network that swallows everything, only those images wait for it that are begun before it is given up."""
    attempts: list[str] = []
    connect = Sockets.connect_tcp

    def counted(self: Sockets, host: str, *more: object, **named: object) -> object:
        attempts.append(host)
        return connect(self, host, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Sockets, "connect_tcp", counted)
    with silent_port() as port:
        url = f"http://127.0.0.1:{port}"
        images = [noise(seed) for seed in range(40)]
        if bought_before:
            pay(journal, url, images)
        engine = hosted(url=url, timing=Timing())
        with ThreadPoolExecutor(16) as pool:
            futures = [pool.submit(outcome, engine, data) for data in images]
            done, late = wait(futures, timeout=PATIENCE)
    assert late == set()
    assert {word(future.result()) for future in done} == {"ResultPending" if bought_before else "Unavailable"}
    assert engine.uploads == 0
    assert len(attempts) <= 16 * ATTEMPTS


def test_an_absent_network_costs_seconds() -> None:
    """A request that gets no connection is given up within 8 seconds, after the attempts that there is time for."""
    timing = Timing()
    seconds = attempts = 0.0
    wait: float | None = 0.0
    while wait is not None:
        seconds, attempts = seconds + wait + timing.connect, attempts + 1
        wait = timing.retry.wait(int(attempts), seconds, None, chance=1.0)
    assert (attempts, seconds < 8) == (ATTEMPTS, True)


ATTEMPTS = 2
"""To connect, for one request."""


def pay(journal: Path, url: str, images: list[bytes]) -> None:
    """Write into the journal that images were uploaded to the API at `url`."""
    prints = Hosted(KEY, url, journal=journal).fingerprint
    ledger = Journal(journal).ledger(url, KEY)
    for data in images:
        key = cache_key(content_hash(data), RECIPE, prints)
        row = ledger.begin(key, "token", instead_of=None)
        assert row is not None
        ledger.settle(key, replace(row, state=UPLOADED, image_id=7))


WAITS = {
    "for the job": ("status", finished(status="processing"), "ResultPending"),
    "for the answer to an upload": ("upload", hangs, "Unavailable"),
    "for the answer to a question": ("status", hangs, "ResultPending"),
    "for the result": ("download", drips_a_body, "ResultPending"),
    "for a pause": ("upload", replies(429, b"", {"Retry-After": "1000"}), "Unavailable"),
    "for headers": ("status", drips, "ResultPending"),
}


@pytest.mark.parametrize(("step", "fault", "expected"), WAITS.values(), ids=WAITS)
def test_stop(step: str, fault: Fault, expected: str, server: LyingServer, hosted: Make, image: bytes) -> None:
    """Whatever an image waits for, it is let go by the stop; what was paid for stays known."""
    server.always[step] = fault
    stop = threading.Event()
    engine = hosted(stop=stop, timing=NEVER_LATE)
    results: list[bytes | EngineError] = []
    thread = threading.Thread(target=lambda: results.append(outcome(engine, image)))
    thread.start()
    until(lambda: server.count("POST") if step == "upload" else server.count("GET", STEPS[step]))
    stop.set()
    thread.join(PATIENCE)
    assert [word(result) for result in results] == [expected]


def test_close_ends_what_is_in_flight(server: LyingServer, hosted: Make, image: bytes) -> None:
    """Closing ends a request in flight, and may be done twice."""
    server.always["status"] = hangs
    engine = hosted(timing=NEVER_LATE)
    thread = threading.Thread(target=outcome, args=(engine, image))
    thread.start()
    until(lambda: server.count("GET", STEPS["status"]))
    engine.close()
    engine.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_repr(hosted: Make) -> None:
    """An engine shows its host and nothing else."""
    assert repr(hosted(url="https://images.example.com:8443")) == "Hosted(images.example.com:8443)"


def test_the_http_client_is_loaded_late() -> None:
    """Making an engine and asking for its fingerprint loads no HTTP client."""
    code = (
        "import sys; from pathlib import Path; from imgshrink.engines.hosted.engine import Hosted\n"
        "Hosted('a-key', journal=Path('nowhere')).fingerprint\n"
        "print([name for name in ('httpx', 'httpcore', 'httpx2', 'ssl', 'asyncio') if sys.modules.get(name)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_uploads_are_the_image(server: LyingServer, hosted: Make, image: bytes) -> None:
    """What is uploaded is the picture without what need not be known of it."""
    outcome(hosted(), image)
    assert uploaded(server.seen[0]) == reduce(image)


def test_no_object_circle(server: LyingServer, hosted: Make, image: bytes) -> None:
    """No object of the engine reaches itself again: each layer knows only those below it."""
    engine = hosted()
    outcome(engine, image)
    server.always["upload"] = replies(401)
    outcome(engine, noise(9))
    assert circle(engine, []) == []


def circle(value: object, path: list[object]) -> list[object]:
    """Return a path of objects of the package from `value` back to itself, [] if there is none."""
    if any(value is each for each in path):
        return [*path, value]
    ours = type(value).__module__.startswith("imgshrink.engines.hosted")
    for part in parts(value):
        if found := circle(part, [*path, value] if ours else path):
            return found
    return []


def parts(value: object) -> list[object]:
    """Return what an object of the package, a function or a container holds; nothing of other objects."""
    if inspect.ismethod(value):
        return [value.__self__]
    if inspect.isfunction(value):
        return [cell.cell_contents for cell in value.__closure__ or ()]
    if isinstance(value, (list, tuple, set)):
        return list(value)
    if type(value).__module__.startswith("imgshrink.engines.hosted") and hasattr(value, "__dict__"):
        return list(vars(value).values())
    if type(value).__module__.partition(".")[0].startswith(("httpx", "httpcore")) and hasattr(value, "__dict__"):
        return [part for part in vars(value).values() if "imgshrink" in type(part).__module__]
    return []
