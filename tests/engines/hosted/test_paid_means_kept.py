"""After a payment there are two ends: the API's own verdict, or the next run collects the result.

Every trouble at every step, with `auto` and with `hosted`, over the real pipeline and real sockets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from fakes import Bench, Deflate, deflated, png, rows_of
from imgshrink.core.errors import Declined, Unavailable
from imgshrink.core.model import Entry, Judgement, Reason, Recipe, Status
from imgshrink.engines.hosted.engine import Hosted
from imgshrink.engines.hosted.polling import RetryPolicy, Timing
from imgshrink.image.seal import unseal
from lying_server import (
    Fault,
    LyingServer,
    accepts_and_resets,
    continues,
    drips,
    drips_a_body,
    hangs,
    lying_server,
    raw,
    replies,
    resets,
    resets_inside_the_body,
    says,
    sends_half,
    sends_half_unsaid,
    stays_processing,
)
from patience import ENDLESS
from selection import rest_slow

IMAGE = png(1)
QUICK = Timing(
    answer=0.3, download=0.3, first=0.01, retry=RetryPolicy(persistence=0.4, backoff=0.01, longest_wait=0.5)
)  # fmt: skip
"""Gives up a status request or a download soon, and nothing else."""
PATIENT = Timing(first=0.01, retry=RetryPolicy(backoff=0.01))
BOUNDLESS = Timing(read=ENDLESS, answer=ENDLESS, download=ENDLESS, job=ENDLESS, first=0.01)
"""Gives up nothing: what ends is ended by the run."""
HASTY = replace(QUICK, job=0.5)
"""Gives up an upload soon, too."""
ELSEWHERE = "https://192.0.2.1/x"
ENGINES = pytest.mark.parametrize("builtin", [True, False], ids=["auto", "hosted"])


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with lying_server(deflated) as running:
        yield running


class Runs:
    """A folder with one image, an account at the API, and runs over them; each run has an engine of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.state = folder / "state"
        (folder / "docs").mkdir()
        self.bench = Bench(folder / "docs")
        self.path = self.bench.put("a.png", IMAGE)
        self.uploads = 0
        self.notes: list[str] = []

    def run(
        self,
        *,
        builtin: bool,
        seconds: float | None = None,
        timing: Timing = PATIENT,
        during: Callable[[threading.Event], None] | None = None,
    ) -> str:
        """Run once, for at most `seconds`; `during` may set the stop. Return the reason of the image's outcome."""
        stop = threading.Event()
        engine = Hosted("tj_0123456789abcdef", self.url, journal=self.state / "journal", timing=timing, stop=stop)
        end = None if seconds is None else time.monotonic() + seconds
        engine.end = end
        self.bench.engines = [engine, *([Deflate()] if builtin else [])]  # type: ignore[list-item]
        owes = lambda name, image: name == "hosted" and engine.owes(image.content, image.recipe)  # noqa: E731
        self.bench.resolver_options = {"end": end, "stop": stop, "owes": owes}
        helper = threading.Thread(target=during or (lambda stop: None), args=(stop,))
        helper.start()
        outcomes = self.bench.run()
        helper.join()
        engine.close()
        self.uploads += engine.uploads
        self.notes = engine.notes()
        self.outcome = outcomes["a.png"]
        return self.outcome.reason

    @property
    def untouched(self) -> bool:
        """Whether the file is as it was, and the built-in engine was never asked."""
        others = self.bench.engines[1:]
        return self.path.read_bytes() == IMAGE and all(engine.asked == [] for engine in others)


@pytest.fixture
def runs(tmp_path: Path, server: LyingServer) -> Runs:
    return Runs(tmp_path, server.url)


def elsewhere(connection: object, server: LyingServer, seen: object) -> None:
    """Answer a status request with a result on a host that nobody has allowed."""
    status = server.status(1) | {"optimized_url": ELSEWHERE}
    connection.json(200, {"success": True, "data": status})  # type: ignore[attr-defined]


CODES: dict[str, Fault] = {
    **{str(code): replies(code) for code in (401, 402, 403, 404, 410, 418, 429, 500, 502, 503)},
    "429 for years": replies(429, b"", {"Retry-After": "1000000000"}),
    "503 for years": replies(503, b"", {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}),
    "html": replies(200, b"<html>"),
    "empty": replies(200),
    "reset": resets,
    "garbage": raw(b"\x16\x03\x01\x00\xa5 this is no HTTP\r\n\r\n"),
    "truncated": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"success": true, "data": {'),
    "silence": hangs,
    "drips": drips,
    "drips a body": drips_a_body,
    "endless 100 Continue": continues,
}
STATUS: dict[str, Fault] = {
    **CODES,
    "host not allowed": elsewhere,
    "redirect loop": replies(302, b"", {"Location": "/api/status/1"}),
    "no status": says(200, {"success": True}),
    "processing": stays_processing,
}
DOWNLOAD: dict[str, Fault] = {
    **CODES,
    "host not allowed": replies(302, b"", {"Location": ELSEWHERE}),
    "redirect loop": replies(302, b"", {"Location": "/direct-file/optimized/1"}),
    "truncated": sends_half,
    "truncated, and not said": sends_half_unsaid,
}
LONG = ("drips", "drips a body", "endless 100 Continue")
"""Waits like `silence`, which is among the plain tests."""
ALIKE = ("402", "403", "418", "502", "503", "410", "429 for years", "empty", "truncated")
"""Answered as `401`, `500`, `404`, `503 for years`, `html` and `reset` are, which are among the plain tests."""
STEPS = [(step, name) for step, faults in (("status", STATUS), ("download", DOWNLOAD)) for name in faults]


def chosen(name: str, *, builtin: bool) -> bool:
    """Whether a fault is tried by the plain tests: those that differ, with `auto`; the whole product is slow."""
    return builtin and name not in (*LONG, *ALIKE, "cut in the body")


@pytest.mark.parametrize(
    ("step", "name", "builtin"),
    rest_slow(
        [(*step, builtin) for step in STEPS for builtin in (True, False)],
        lambda row: chosen(row[1], builtin=row[2]) or row[1] == "401",
    ),
)
def test_collecting(step: str, name: str, builtin: bool, server: LyingServer, runs: Runs) -> None:
    """Whatever keeps a run from a result that is paid for: the image is left alone, and the next run collects it."""
    server.always[step] = (STATUS if step == "status" else DOWNLOAD)[name]
    for _ in range(2):
        assert runs.run(builtin=builtin, timing=QUICK) == Reason.PENDING
        assert runs.untouched
    server.always.clear()
    runs.run(builtin=builtin)
    assert (runs.outcome.status, runs.outcome.engine) == (Status.OPTIMIZED, "hosted")
    assert unseal(runs.path.read_bytes()) == deflated(IMAGE)
    assert (server.posts, runs.uploads) == (1, 1)


TIME_LIMIT = 0.4
"""Seconds of a run that ends while it waits, wherever it has got to by then."""
BREAKS: dict[str, Callable[[Runs, LyingServer, bool, str], str]] = {
    "max_time": lambda runs, server, builtin, step: runs.run(builtin=builtin, seconds=TIME_LIMIT, timing=BOUNDLESS),
    "Ctrl-C": lambda runs, server, builtin, step: runs.run(
        builtin=builtin, timing=BOUNDLESS, during=lambda stop: stops_at(step, server, stop)
    ),
}
WAITS: dict[str, dict[str, Fault]] = {
    "status": {"silence": hangs, "drips": drips, "100 Continue": continues, "processing": stays_processing},
    "download": {"silence": hangs, "drips": drips_a_body, "100 Continue": continues},
}
BROKEN = [
    (step, name, how, builtin)
    for step, faults in WAITS.items()
    for name in faults
    for how in BREAKS
    for builtin in (True, False)
]


def stops_at(step: str, server: LyingServer, stop: threading.Event) -> None:
    """Set the stop once a request of `step` has arrived."""
    part = {"upload": "/api/optimize", "status": "/api/status/", "download": "/direct-file/"}[step]
    while not any(part in seen.path for seen in server.seen):
        time.sleep(0.01)
    time.sleep(0.1)
    stop.set()


@pytest.mark.parametrize(
    ("step", "name", "how", "builtin"),
    rest_slow(BROKEN, lambda row: row[3] and row[1] in ("silence", "processing")),
)
def test_the_run_ends(step: str, name: str, how: str, builtin: bool, server: LyingServer, runs: Runs) -> None:
    """When a run's time is over, or it is interrupted, while a result is collected, the next run collects it."""
    server.always["status"] = stays_processing
    runs.run(builtin=builtin)
    server.seen.clear()
    server.always = {step: WAITS[step][name]}
    assert BREAKS[how](runs, server, builtin, step) in (Reason.PENDING, Reason.LATE)
    assert runs.untouched
    server.always.clear()
    runs.run(builtin=builtin)
    assert (runs.outcome.engine, server.posts, runs.uploads) == ("hosted", 0, 1)


UPLOAD: dict[str, tuple[Fault, int]] = {
    # the fault, and how many uploads two runs may have made
    **{name: (CODES[name], 1) for name in ("401", "402", "403", "429", "429 for years", "503 for years")},
    **{
        name: (fault, 2)
        for name, fault in CODES.items()
        if name not in ("401", "402", "403", "429", "429 for years", "503 for years")
    },
    "cut before the body": (resets, 2),
    "cut in the body": (resets_inside_the_body, 2),
    "cut after the body": (accepts_and_resets, 2),
    "redirect loop": (replies(307, b"", {"Location": "/api/optimize"}), 2),
}


@pytest.mark.parametrize(
    ("name", "builtin"),
    rest_slow(product(UPLOAD, (True, False)), lambda row: chosen(row[0], builtin=row[1]) or row[0] == "reset"),
)
def test_uploading(name: str, builtin: bool, server: LyingServer, runs: Runs) -> None:
    """An upload that fails is repeated at most once, by the next run; the built-in engine may take over meanwhile."""
    fault, most = UPLOAD[name]
    server.always["upload"] = fault
    runs.run(builtin=builtin, timing=HASTY if name in (*LONG, "silence") else PATIENT)
    first = runs.uploads
    assert first <= 1
    assert rows_of(runs.path.read_bytes()) == rows_of(IMAGE)
    assert (runs.path.read_bytes() == IMAGE) is not builtin
    server.always.clear()
    runs.run(builtin=builtin)
    assert runs.uploads <= (first if builtin else most)
    assert len(runs.path.read_bytes()) < len(IMAGE)


@ENGINES
@pytest.mark.parametrize("how", BREAKS)
def test_the_run_ends_in_the_upload(how: str, builtin: bool, server: LyingServer, runs: Runs) -> None:
    """An upload whose reply does not come before the run's end, and a little later, is repeated once."""
    server.always["upload"] = hangs
    BREAKS[how](runs, server, builtin, "upload")
    assert runs.untouched
    server.always.clear()
    runs.run(builtin=builtin)
    assert (runs.outcome.engine, runs.uploads) == ("hosted", server.posts)
    assert server.posts <= 2


def dies(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
    """A verify whose worker process is killed."""
    raise Unavailable("its worker process was killed (SIGKILL)")


@ENGINES
def test_verify_dies(builtin: bool, server: LyingServer, runs: Runs) -> None:
    """A paid result that this machine can't judge now is no verdict: the next run collects it."""
    judge, runs.bench.verify = runs.bench.verify, dies  # type: ignore[assignment]
    assert runs.run(builtin=builtin) == Reason.PENDING
    assert runs.untouched
    runs.bench.verify = judge
    runs.run(builtin=builtin)
    assert (runs.outcome.engine, server.posts) == ("hosted", 1)


@ENGINES
def test_a_wrong_picture(builtin: bool, server: LyingServer, runs: Runs) -> None:
    """A wrong picture is the API's answer: it is refused, not bought again, and the next engine is asked."""
    server.shrink = lambda image: deflated(png(2))
    for _ in range(2):
        runs.run(builtin=builtin)
        assert rows_of(runs.path.read_bytes()) == rows_of(IMAGE)
    assert server.posts == 1
    assert (len(runs.path.read_bytes()) < len(IMAGE)) is builtin


@ENGINES
def test_a_store_that_fails(builtin: bool, server: LyingServer, runs: Runs) -> None:
    """A result that the cache does not take is used, and another run collects it without an upload."""

    def full(key: str, entry: Entry) -> bool:
        return False

    runs.bench.cache.put = full  # type: ignore[method-assign]
    for _ in range(2):
        runs.path.write_bytes(IMAGE)
        runs.run(builtin=builtin)
        assert (runs.outcome.status, runs.outcome.engine) == (Status.OPTIMIZED, "hosted")
    assert server.posts == 1


def test_why_is_said(server: LyingServer, runs: Runs) -> None:
    """The run says why a result was not collected, with the cure where there is one; work in progress is no trouble."""
    server.always["status"] = elsewhere
    runs.run(builtin=True)
    (note,) = runs.notes
    assert note.startswith("1 image that is paid for could not be collected: 127.0.0.1:")
    assert "add it to TINYJPG_DOWNLOAD_HOSTS" in note
    server.always["status"] = replies(401)
    runs.run(builtin=True)
    assert [note.endswith("refused the API key (401). Check TINYJPG_API_KEY") for note in runs.notes] == [True]
    server.always["status"] = stays_processing
    runs.run(builtin=True)
    assert runs.notes == []


@pytest.mark.parametrize("code", [401, 402, 403, 500])
def test_a_disabled_engine_still_owes(code: int, server: LyingServer, runs: Runs) -> None:
    """Where the engine is disabled because of other images, a paid image is not passed on to the built-in engine."""
    server.always["status"] = stays_processing
    runs.run(builtin=True)
    for number in range(2, 6):
        runs.bench.put(f"{number}.png", png(number))
    server.always["upload"] = replies(code)
    assert runs.run(builtin=True) == Reason.PENDING
    assert runs.path.read_bytes() == IMAGE
    assert IMAGE not in runs.bench.engines[1].asked
    server.always.clear()
    runs.run(builtin=True)
    assert runs.outcome.engine == "hosted"


def test_what_is_decided_without_a_request_clears_no_failure(runs: Runs) -> None:
    """Images that the engine declines by itself do not keep an API alive that fails every upload."""
    turns = iter(range(100))

    def alternate(data: bytes) -> None:
        raise (Declined("an animated PNG") if next(turns) % 2 else Unavailable("away"))

    bench = runs.bench
    bench.resolver_options = {"slots": {"hosted": 1}}
    bench.engines = [Deflate("hosted", alternate), Deflate()]
    for number in range(2, 10):
        bench.put(f"{number}.png", png(number))
    bench.run()
    assert len(bench.engines[0].asked) == 3
    assert bench.watcher.given_up == [("hosted", "away", 8)]
