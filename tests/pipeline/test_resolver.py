"""The resolver alone: whom it asks, how long it waits, and what its resolutions say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fakes import Bench, Deflate, Free, deflated, png, raising
from imgshrink.core.errors import (
    AccountError,
    EngineError,
    MachineTrouble,
    Rejected,
    ResultPending,
    Unavailable,
    UploadLimitReached,
)
from imgshrink.core.keys import cache_key
from imgshrink.core.model import Reason, Status, Verdict
from imgshrink.pipeline.inspection import inspect
from imgshrink.pipeline.resolution import WorkItem
from imgshrink.pipeline.resolver import Resolver
from imgshrink.pipeline.scheduler import group

BIG = png(1)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """The API and our codecs, in this order."""
    bench.engines = [Deflate("hosted"), Deflate()]
    return bench


def items(bench: Bench, count: int = 1) -> list[WorkItem]:
    """What is to be done for images of different content."""
    for number in range(count):
        bench.put(f"{number:02}.png", png(number + 1))
    return group(inspect(source, 0) for source in bench.sources())


class Slot:
    """A slot of an engine; `asked` is done at every try, which succeeds from the given one on."""

    def __init__(self, asked: Callable[[], None], free: int) -> None:
        self._asked, self._free = asked, free
        self.tries = 0

    def acquire(self, timeout: float) -> bool:
        """Try."""
        self._asked()
        self.tries += 1
        return self.tries >= self._free

    def release(self) -> None:
        """Nobody else waits."""


class Held(Free):
    """Locks that do something when they are held, and remember until when they would have been waited for."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._then = then
        self.deadlines: list[float | None] = []

    @contextmanager
    def hold(self, key: str, *, deadline: float | None, stop: threading.Event) -> Iterator[bool]:
        """Hold `key`."""
        self.deadlines.append(deadline)
        self.held.append(key)
        self._then()
        yield True


def disabled(resolver: Resolver) -> None:
    """Disable the API."""
    resolver.disabled["hosted"] = AccountError("no quota")


def test_disabled_engine_is_not_waited_for(bench: Bench) -> None:
    """A disabled engine takes neither slot nor lock, which somebody else may hold."""
    (item,) = items(bench)
    resolver = bench.resolver()
    disabled(resolver)
    resolver._slots["hosted"] = slot = Slot(lambda: None, free=1)  # type: ignore[assignment]
    resolution = resolver.resolve(item, BIG, wait=False)
    assert resolution.entry is not None
    assert (resolution.entry.engine, resolution.complete) == ("builtin", False)
    assert bench.locks.held == [cache_key(item.content, item.recipe, "builtin 1")]
    assert slot.tries == 0


def test_disabled_while_waiting_for_a_slot(bench: Bench) -> None:
    """An image that waits for a slot of an engine that is disabled now goes on to the next at once."""
    (item,) = items(bench)
    resolver = bench.resolver()
    resolver._slots["hosted"] = slot = Slot(lambda: disabled(resolver), free=9)  # type: ignore[assignment]
    resolution = resolver.resolve(item, BIG, wait=False)
    assert resolution.entry is not None
    assert resolution.entry.engine == "builtin"
    assert slot.tries == 1


def test_stopped_while_waiting_for_a_slot(bench: Bench) -> None:
    """An image that waits for a slot ends with the run."""
    (item,) = items(bench)
    resolver = bench.resolver()
    resolver._slots["hosted"] = slot = Slot(resolver.stop.set, free=9)  # type: ignore[assignment]
    resolution = resolver.resolve(item, BIG, wait=False)
    assert (resolution.entry, resolution.reason, resolution.complete) == (None, Reason.LATE, False)
    assert slot.tries == 1


def test_stopped_with_the_slot(bench: Bench) -> None:
    """An image that gets a slot when the run has ended waits for no lock: it is late, not busy."""
    (item,) = items(bench)
    resolver = bench.resolver()
    resolver._slots["hosted"] = Slot(resolver.stop.set, free=1)  # type: ignore[assignment]
    assert resolver.resolve(item, BIG, wait=False).reason is Reason.LATE
    assert bench.locks.held == []


def test_stopped_with_the_lock(bench: Bench) -> None:
    """An image whose lock comes free when the run has ended is not begun: nothing is uploaded after Ctrl-C."""
    (item,) = items(bench)
    bench.locks = Held(lambda: resolver.stop.set())
    resolver = bench.resolver()
    assert resolver.resolve(item, BIG, wait=False).reason is Reason.LATE
    assert [engine.asked for engine in bench.engines] == [[], []]


def test_disabled_with_the_lock(bench: Bench) -> None:
    """An engine that was disabled while an image waited for its lock is not asked."""
    (item,) = items(bench)
    bench.locks = Held(lambda: disabled(resolver))
    resolver = bench.resolver()
    assert resolver.resolve(item, BIG, wait=False).entry is not None
    assert [engine.asked for engine in bench.engines] == [[], [BIG]]


@pytest.mark.parametrize(
    ("wait", "end", "expected"),
    [
        (False, None, 1000.0),
        (True, None, 1060.0),
        (True, 1020.0, 1020.0),
        (True, 1090.0, 1060.0),
        (False, 1020.0, 1000.0),
    ],
)
def test_how_long_a_lock_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, wait: bool, end: float | None, expected: float
) -> None:
    """Without `wait` not at all; with it as long as the resolver was told, but no longer than the run."""
    (item,) = items(bench)
    bench.locks = Held()
    bench.resolver_options = {"wait": 60.0, "end": end}
    resolver = bench.resolver()
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    resolver.resolve(item, BIG, wait=wait)
    assert bench.locks.deadlines == [expected]


@pytest.mark.parametrize(("end", "late"), [(1000.0, True), (1000.1, False)])
def test_the_end_of_a_run(bench: Bench, monkeypatch: pytest.MonkeyPatch, end: float, late: bool) -> None:
    """At the end of the time of a run nothing is begun."""
    (item,) = items(bench)
    bench.resolver_options = {"end": end}
    resolver = bench.resolver()
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert (resolver.resolve(item, BIG, wait=False).reason is Reason.LATE) is late


@pytest.mark.parametrize(("remembered", "asked"), [(True, 3), (False, 4)])
def test_rejection_shows_that_the_engine_is_there(bench: Bench, remembered: bool, asked: int) -> None:
    """A rejection that the engine answers now ends a row of failures; one that it remembers says nothing of today."""
    errors = [Unavailable("away"), Rejected("no", remembered=remembered), Unavailable("away"), None]
    bench.engines[0] = Deflate("hosted", lambda data: raising(error)(data) if (error := errors.pop(0)) else None)
    resolver = bench.resolver()
    for item, number in zip(items(bench, 4), range(4), strict=True):
        resolver.resolve(item, png(number + 1), wait=False)
    assert len(bench.engines[0].asked) == asked
    assert ("hosted" in resolver.disabled) is remembered


@pytest.mark.parametrize("error", [ResultPending("soon"), MachineTrouble("killed"), Unavailable("away")])
def test_left_to_the_next_run_is_not_complete(bench: Bench, error: EngineError) -> None:
    """What an engine owes, or could not do on this machine now, is no answer of its kind."""
    (item,) = items(bench)
    bench.engines[0] = Deflate("hosted", raising(error))
    bench.resolver_options["owes"] = lambda name, _: name == "hosted"
    resolution = bench.resolver().resolve(item, BIG, wait=False)
    assert (resolution.entry, resolution.complete) == (None, False)
    assert bench.engines[1].asked == []


def test_limit_of_uploads_is_not_complete(bench: Bench) -> None:
    """An image that only our codecs have tried, as the run may upload no more, gets no seal: the API may gain more."""
    path = bench.put("a.png", png(1, level=9))
    bench.engines[0] = Deflate("hosted", raising(UploadLimitReached("no more in this run")))
    assert bench.run()["a.png"].status is Status.KEPT
    assert path.read_bytes() == png(1, level=9)


def test_busy_is_not_complete(bench: Bench) -> None:
    """What another process works on is busy, and no answer."""
    (item,) = items(bench)
    bench.locks = Free(taken=1)
    resolution = bench.resolver().resolve(item, BIG, wait=False)
    assert (resolution.busy, resolution.complete, resolution.reason) == (True, False, Reason.BUSY)


def test_what_is_remembered(bench: Bench) -> None:
    """A result is remembered under its key, and as an output, with the engine and the quality that it was made with."""
    (item,) = items(bench)
    bench.resolver().resolve(item, BIG, wait=False)
    entries = list(bench.cache.entries.values())
    assert [entry.verdict for entry in entries] == [Verdict.BETTER, Verdict.DONE]
    assert entries[0].data == deflated(BIG)
    assert {(entry.engine, entry.quality, entry.verify) for entry in entries} == {("hosted", 80, 0)}


def test_threads(bench: Bench) -> None:
    """One thread for each slot of the largest engine, and eight that verify where there is another to go on to."""
    work = items(bench, 30)
    resolver = bench.resolver()
    assert resolver.threads(work) == 16 + 8
    assert resolver.threads(work[:5]) == 5
    bench.resolver_options = {"slots": {"hosted": 3, "builtin": 4}}
    assert bench.resolver().threads(work) == 4 + 8
    bench.resolver_options["lookup_only"] = frozenset({"hosted"})
    assert bench.resolver().threads(work) == 4
    bench.resolver_options["lookup_only"] = frozenset({"hosted", "builtin"})
    assert bench.resolver().threads(work) == 1


def test_work_of_our_own(bench: Bench) -> None:
    """An item is worked on here only where our codecs are asked first."""
    (item,) = items(bench)
    assert not bench.resolver().local(item)
    bench.resolver_options["lookup_only"] = frozenset({"hosted"})
    assert bench.resolver().local(item)
    assert bench.resolver().first(item) == "builtin"
    bench.resolver_options["lookup_only"] = frozenset({"hosted", "builtin"})
    assert not bench.resolver().local(item)
    assert bench.resolver().first(item) == ""
