"""A server and the shared cache: what one server has made another one does not make again."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_builder import chunk, png
from imgshrink.cache.opening import Opened, Wanted, open_parts
from imgshrink.cache.shared import name_of
from imgshrink.cache.shelf import Trouble
from imgshrink.cache.signature import Keyring
from imgshrink.core.errors import Declined
from imgshrink.core.keys import cache_key, content_hash
from imgshrink.core.model import DROP, Entry, ImageInfo, Recipe, Verdict
from imgshrink.server.shared_results import PAUSE_SECONDS, SharedResults
from imgshrink.server.work import Work
from server_process import Trim, judge
from shelves import PUBLIC, SECRET, SIGNER, STRANGER, Shelved, blob

IMAGE = png(chunk(b"tEXt", b"Comment\0" + b"0" * 50))
RECIPE = Recipe(80, DROP)
KEY = cache_key(content_hash(IMAGE), RECIPE, "trim 1")


class Counting(Trim):
    """An engine that counts its calls."""

    calls = 0

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        self.calls += 1
        return super().optimize(data, info, recipe)


def results(shelf: Shelved, *, writes: bool = True, now: list[float] | None = None) -> SharedResults:
    time = now or [1000.0]
    return SharedResults(Opened(shelf, Keyring([PUBLIC]), SIGNER if writes else None), "trim 1", lambda: time[0])  # type: ignore[arg-type]  # a shelf in memory


def test_made_once() -> None:
    """What one server made, a second one takes over: its engine is not called, the bytes are the same."""
    shelf, first, second = Shelved(), Counting(), Counting()
    made = Work(first, judge, results(shelf)).result(IMAGE, 80)
    taken = Work(second, judge, results(shelf, writes=False)).result(IMAGE, 80)
    assert (made, taken, first.calls, second.calls) == (png(), png(), 1, 0)
    assert len(shelf.blobs) == 2  # the announcement of the key, and the result


def test_other_recipe_and_engine() -> None:
    """Another quality is another result, and so is that of another engine."""
    shelf, engine = Shelved(), Counting()
    work = Work(engine, judge, results(shelf))
    work.result(IMAGE, 80)
    work.result(IMAGE, 81)
    other = SharedResults(Opened(shelf, Keyring([PUBLIC]), SIGNER), "trim 2")  # type: ignore[arg-type]  # as above
    assert (engine.calls, other.get(IMAGE, RECIPE)) == (2, None)


def test_nothing_to_gain() -> None:
    """That nothing is to be gained is shared too."""
    shelf, engine = Shelved(), Counting()
    Work(Counting(), judge, results(shelf)).result(png(), 80)
    assert (Work(engine, judge, results(shelf)).result(png(), 80), engine.calls) == (png(), 0)


def test_refusals_are_not_shared() -> None:
    """What an engine declines or verify refuses stays with the server: another version may do better."""
    from server_process import Decline, Swap

    shelf = Shelved()
    for engine in (Decline(), Swap()):
        with pytest.raises(Declined):
            Work(engine, judge, results(shelf)).result(IMAGE, 80)
    assert shelf.blobs == {}


def test_apart() -> None:
    """Images of a key that is apart are neither looked up nor shared."""
    shelf, engine = Shelved(), Counting()
    work = Work(engine, judge, results(shelf))
    work.result(IMAGE, 80, apart=True)
    assert (shelf.calls, shelf.blobs) == ({}, {})
    work.result(IMAGE, 80)
    work.result(IMAGE, 80, apart=True)
    assert engine.calls == 3


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"not signed",
        blob(KEY, Entry(Verdict.BETTER, b"other"), STRANGER),
        blob(KEY, Entry(Verdict.BETTER, b"other"))[:-1],
        blob("0" * 64, Entry(Verdict.BETTER, b"other")),
        blob(KEY, Entry(Verdict.REFUSED, b"", "no")),
        blob(KEY, Entry(Verdict.DONE)),
    ],
    ids=["empty", "unsigned", "stranger", "cut off", "of another key", "refusal", "done"],
)
def test_poison(poison: bytes) -> None:
    """What is not believed, or is no result, is a miss."""
    shelf, engine = Shelved(), Counting()
    shelf.blobs[name_of(KEY)] = poison
    assert (Work(engine, judge, results(shelf)).result(IMAGE, 80), engine.calls) == (png(), 1)


def test_trouble_pauses() -> None:
    """After a call that failed the shelf is left alone for a minute; the server works on."""
    now, broken = [1000.0], [True]

    def before(_: str) -> None:
        if broken[0]:
            raise Trouble("time-out")

    shelf, engine = Shelved(before), Counting()
    work = Work(engine, judge, results(shelf, now=now))
    for _ in range(3):
        assert work.result(IMAGE, 80) == png()
    assert sum(shelf.calls.values()) == 1
    broken[0] = False
    now[0] += PAUSE_SECONDS
    work.result(IMAGE, 80)
    assert name_of(KEY) in shelf.blobs


def test_anonymous_reader_is_refused() -> None:
    """S3 refuses a reader what is not there: a miss, and the next image is looked up again."""

    def before(_: str) -> None:
        raise Trouble("status 403", refused=True)

    shelf = Shelved(before)
    reading = results(shelf, writes=False)
    assert [reading.get(IMAGE, RECIPE), reading.get(IMAGE, RECIPE)] == [None, None]
    assert shelf.calls["get"] == 2


def test_in_a_folder(tmp_path: Path) -> None:
    """The same over the library that reaches buckets, and as the settings open it."""
    shared = SharedResults(open_parts(Wanted(tmp_path.as_uri(), (PUBLIC,), SECRET)), "trim 1")
    engine = Counting()
    for _ in range(2):
        assert Work(engine, judge, shared).result(IMAGE, 80) == png()
    assert engine.calls == 1
