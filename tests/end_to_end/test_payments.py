"""No image is bought twice, whatever happens: the real command against a server that counts, and is not idempotent."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable

import pytest
from PIL import Image

from cli_with_api import Person
from fakes import png, rows_of
from lying_server import (
    Connection,
    Fault,
    LyingServer,
    Seen,
    continues,
    drips,
    drips_a_body,
    hangs,
    replies,
    resets,
    says,
    sends_half,
    stays_processing,
)
from patience import ENDLESS, PATIENCE, until
from sample_images import first_frame, grey_animation

pytestmark = pytest.mark.slow


def accepts(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Take the job in without a word."""
    server.accept(seen)


def answers(step: str, later: float) -> Fault:
    """Answer honestly, and wait a little."""

    def fault(connection: Connection, server: LyingServer, seen: Seen) -> None:
        server.answer(step, connection, seen)
        time.sleep(later)

    return fault


MOMENTS: dict[str, tuple[str, Callable[[Person], Fault], int, int]] = {
    "before the upload": ("stats", lambda person: person.dies(), 0, 1),
    "in the upload": ("head", lambda person: person.dies(), 1, 2),
    "before the answer": ("upload", lambda person: person.dies(first=accepts), 1, 2),
    "polling": ("status", lambda person: person.dies(), 1, 1),
    "after polling": ("status", lambda person: person.dies(first=answers("status", 0.0)), 1, 1),
    "before the download": ("download", lambda person: person.dies(), 1, 1),
    "in the download": ("download", lambda person: person.dies(first=sends_half), 1, 1),
    "after the download": ("download", lambda person: person.dies(first=answers("download", 0.0)), 1, 1),
    "a little later": ("download", lambda person: person.dies(first=answers("download", 0.05)), 1, 1),
    "later": ("download", lambda person: person.dies(first=answers("download", 0.2)), 1, 1),
    "still later": ("download", lambda person: person.dies(first=answers("download", 0.5)), 1, 1),
}


@pytest.mark.parametrize("engine", ["auto", "hosted"])
@pytest.mark.parametrize(("step", "kill", "posts", "in_all"), MOMENTS.values(), ids=MOMENTS)
def test_killed(
    step: str,
    kill: Callable[[Person], Fault],
    posts: int,
    in_all: int,
    engine: str,
    server: LyingServer,
    person: Person,
) -> None:
    """Killed at any step and run again: one upload in all, or two where the first was cut, and that is said."""
    person.environ["IMGSHRINK_ENGINE"] = engine
    person.has({"a.png": png(1)})
    server.next(step, kill(person))
    assert person.killed("optimize", "docs") in (-9, 0)
    assert server.posts == posts
    assert rows_of(person.holds("a.png")) == rows_of(png(1))
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, in_all)
    assert ("a second time" in said) == (in_all == 2)
    assert len(person.holds("a.png")) < len(png(1))


def test_killed_twice_in_the_upload(server: LyingServer, person: Person) -> None:
    """An upload that was cut twice is not made a third time; the built-in codecs go on."""
    person.has({"a.png": png(1)})
    for _ in range(2):
        server.next("head", person.dies())
        person.killed("optimize", "docs")
    code, _ = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 2)
    assert len(person.holds("a.png")) < len(png(1))


def test_sixteen_processes(server: LyingServer, person: Person) -> None:
    """Sixteen processes that want the same 20 images buy 20."""
    person.has({f"{number}.png": png(number) for number in range(20)})
    server.seconds = 1.0
    processes = [person.start("warm", "docs") for _ in range(16)]
    codes = [process.communicate(timeout=300) and process.returncode for process in processes]
    assert codes == [0] * 16
    assert server.posts == 20


def test_fifty_names(server: LyingServer, person: Person) -> None:
    """One image under fifty names is bought once, and all fifty gain."""
    person.has({f"folder{number % 7}/{number}.png": png(1) for number in range(50)})
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 1)
    assert "50 shrunk" in said
    assert all(len(file.read_bytes()) < len(png(1)) for file in person.docs.rglob("*.png"))


def test_a_flattened_animation(server: LyingServer, person: Person) -> None:
    """A server that flattens an animation is paid once in ten builds, half of them without a cache."""
    server.shrink = first_frame
    person.has({"a.gif": grey_animation()})
    for build in range(10):
        if build >= 5:
            shutil.rmtree(person.home / "cache")
        code, _ = person.run("warm", "docs")
        assert code == 0
    assert server.posts == 1
    assert person.holds("a.gif") == grey_animation()


@pytest.mark.parametrize("name", ["XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_a_home_that_can_not_be_written(name: str, server: LyingServer, person: Person) -> None:
    """Where nothing can be remembered nothing is bought; the reason is said, and the images shrink all the same."""
    (person.home / "file").write_text("in the way")
    person.environ[name] = str(person.home / "file" / "inside")
    person.has({"a.png": png(1)})
    code, said = person.run("optimize", "docs", "--output", "out")
    assert (code, server.posts) == (0, 0)
    assert said.count("nothing is uploaded") == 1
    results = list((person.project / "out").rglob("a.png"))
    assert [file.stat().st_size < len(png(1)) for file in results] == [True]


def test_a_warm_cache(server: LyingServer, person: Person) -> None:
    """When everything is known no request is made, not even about the account."""
    person.has({f"{number}.png": png(number) for number in range(5)})
    person.run("warm", "docs")
    asked = len(server.seen)
    code, said = person.run("optimize", "docs")
    assert (code, len(server.seen)) == (0, asked)
    assert "All 5 images are in the cache. 0 uploads" in said


def test_a_fork(server: LyingServer, person: Person) -> None:
    """Who has no key uses what others have bought, and buys nothing."""
    person.has({"a.png": png(1), "b.png": png(2)})
    (person.docs / "b.png").rename(person.project / "b.png")
    person.run("warm", "docs")
    (person.project / "b.png").rename(person.docs / "b.png")
    asked = len(server.seen)
    person.environ["TINYJPG_API_KEY"] = ""
    code, said = person.run("optimize", "docs")
    assert (code, len(server.seen)) == (0, asked)
    assert "TINYJPG_API_KEY is empty" in said
    assert "2 shrunk (1 from the cache, 1 new)" in said


def test_pending_is_collected(server: LyingServer, person: Person) -> None:
    """What was paid for and is in work when the run is interrupted is collected by the next one, without an upload."""
    server.seconds = ENDLESS
    person.has({"a.png": png(1)})
    process = person.start("optimize", "docs")
    until(lambda: server.count("GET", "/api/status/"))
    process.send_signal(2)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert person.holds("a.png") == png(1)
    server.finish()
    code, _ = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 1)
    assert len(person.holds("a.png")) < len(png(1))


def test_two_images_cut_off(server: LyingServer, person: Person) -> None:
    """Uploads that are cut off are told, the images shrink by other means, and the next run buys what is not known."""
    person.has({f"{number}.png": png(number) for number in range(3)})
    server.always["head"] = resets
    code, said = person.run("optimize", "docs")
    assert code == 0
    assert server.posts <= 3
    assert "brought no usable answer (broke off (" in said
    assert all(len(person.holds(f"{number}.png")) < len(png(number)) for number in range(3))


def still_processing(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Answer a status request: the job is still in work; the client decides when to ask again."""
    data = {"image_id": int(seen.path.rpartition("/")[2]), "status": "processing"}
    connection.json(200, {"success": True, "data": data}, {})


STEPS: dict[str, tuple[str, Fault]] = {
    "waiting for the job": ("status", still_processing),
    "waiting for the status": ("status", hangs),
    "in a status that drips": ("status", drips),
    "in the download": ("download", drips_a_body),
}


@pytest.mark.parametrize("engine", ["auto", "hosted"])
@pytest.mark.parametrize(("step", "fault"), STEPS.values(), ids=STEPS)
def test_interrupted(step: str, fault: Fault, engine: str, server: LyingServer, person: Person) -> None:
    """Ctrl-C while a result is collected leaves the image as it is, and the next run collects it."""
    person.environ["IMGSHRINK_ENGINE"] = engine
    person.has({"a.png": png(1)})
    server.always[step] = fault
    process = person.start("optimize", "docs")
    until(lambda: server.count("GET", "/api/status/" if step == "status" else "/direct-file/"))
    process.send_signal(2)
    printed = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, printed
    assert person.holds("a.png") == png(1)
    server.always.clear()
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 1), said
    assert len(person.holds("a.png")) < len(png(1))


ENDLESS_API: dict[str, tuple[str, Fault]] = {
    "drips": ("status", drips),
    "hangs": ("status", hangs),
    "says 100 Continue": ("status", continues),
    "stays in processing": ("status", stays_processing),
    "drips a result": ("download", drips_a_body),
    "hangs at the download": ("download", hangs),
    "hangs at the upload": ("upload", hangs),
    "drips at the upload": ("upload", drips),
    "says 100 Continue at the upload": ("upload", continues),
}


@pytest.mark.parametrize(("step", "fault"), ENDLESS_API.values(), ids=ENDLESS_API)
def test_max_time(step: str, fault: Fault, server: LyingServer, person: Person) -> None:
    """With `max_time: 10` a run ends within 14 seconds of its first request, whatever the API does.

    A machine that is slow now gets as much more as ten starts of the command take.
    """
    begun = time.monotonic()
    person.run("check", "docs")
    slowness = 10 * (time.monotonic() - begun)
    person.environ["IMGSHRINK_MAX_TIME"] = "10"
    person.has({f"{number}.png": png(number) for number in range(3)})
    server.always[step] = fault
    code, said = person.run("optimize", "docs")
    assert time.monotonic() - server.seen[0].at < 14 + slowness
    assert code == 0, said
    assert [person.holds(f"{number}.png") for number in range(3)] == [png(number) for number in range(3)]
    server.always.clear()
    del person.environ["IMGSHRINK_MAX_TIME"]
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 6 if step == "upload" else 3), said
    assert all(len(person.holds(f"{number}.png")) < len(png(number)) for number in range(3))


def test_where_a_result_waits_is_said(server: LyingServer, person: Person) -> None:
    """`usage` counts the paid images that wait, `explain` says where one waits; both know when it was collected."""
    person.has({"a.png": png(1), "b.png": png(2)})
    server.always["usage"] = says(200, {"success": True, "data": {}})
    server.always["status"] = replies(401)
    said = person.run("optimize", "docs")[1]
    assert "2 images are paid for" in said
    assert "could not be collected: 127.0.0.1:" in said
    assert "paid for, not collected yet      2\n" in person.run("usage")[1]
    explained = person.run("explain", "docs/a.png")[1]
    assert f"paid for, and not collected yet: it waits at 127.0.0.1:{server.port}" in explained
    server.always.pop("status")
    assert person.run("warm", "docs")[0] == 0
    assert "paid for, not collected yet      0\n" in person.run("usage")[1]
    assert "waits at" not in person.run("explain", "docs/a.png")[1]
    assert server.posts == 2


@pytest.mark.parametrize("value", ["1000000000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_api_that_asks_to_wait_for_years(value: str, server: LyingServer, person: Person) -> None:
    """A `Retry-After` of years costs nobody half a minute: the engine is given up at once, and that is said."""
    server.always["upload"] = replies(429, b"", {"Retry-After": value})
    person.has({"a.png": png(1)})
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 1)
    assert "asks to wait for" in said
    assert "days: 1 new image went to the built-in codecs" in said
    assert len(person.holds("a.png")) < len(png(1))


def test_one_result_for_two_images(server: LyingServer, person: Person) -> None:
    """An API that gives two images one id does not get one image's result into both files; one line says so."""

    def same_id(connection: Connection, server: LyingServer, seen: Seen) -> None:
        data = server.accept(seen) | {"image_id": 1}
        connection.json(200, {"success": True, "data": data})

    server.always["upload"] = same_id
    person.has({"a.png": png(1), "b.png": png(2)})
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 2)
    assert said.count("gave one image id to different images") == 1
    assert [pixels(person.holds(name)) for name in ("a.png", "b.png")] == [pixels(png(1)), pixels(png(2))]


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("L").tobytes()
