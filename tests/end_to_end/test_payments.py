"""No image is bought twice, whatever happens: the real command against a server that counts, and is not idempotent."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

import pytest

from cli_with_api import Person
from fakes import png, rows_of
from lying_server import Connection, Fault, LyingServer, Seen, resets
from patience import ENDLESS, PATIENCE, until
from sample_images import first_frame, grey_animation

pytestmark = pytest.mark.slow


def accepts(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Take the job in without a word."""
    server.accept(seen)


def sends_half(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """Send half of a result."""
    result = server.jobs[1].result
    connection.raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(result)}\r\n\r\n".encode() + result[: len(result) // 2])


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


@pytest.mark.parametrize(("step", "kill", "posts", "in_all"), MOMENTS.values(), ids=MOMENTS)
def test_killed(
    step: str, kill: Callable[[Person], Fault], posts: int, in_all: int, server: LyingServer, person: Person
) -> None:
    """Killed at any step and run again: one upload in all, or two where the first was cut, and that is said."""
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
    assert "nothing to do: " in said


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
    assert "2 shrunk (1 known, 1 new)" in said


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
