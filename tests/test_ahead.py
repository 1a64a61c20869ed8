"""Work begun before the run that needs it: what is begun, what becomes of it, and that it is in nobody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from imgshrink.ahead import WARM, Ahead
from imgshrink.asking import LATE
from imgshrink.errors import Unavailable
from imgshrink.model import Status
from imgshrink.pipeline import Policy
from parts import Bench, Deflate, Free, deflated, png, raising


class Gate:
    """Holds an engine until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, data: bytes) -> None:
        self.reached.release()
        assert self.open.wait(60)


def ahead(bench: Bench, *, threads: int = 2) -> Ahead:
    """Work begun on the folder of `bench`."""
    return Ahead(bench.sources(), desk=bench.desk(), min_size=0, threads=threads)


def settled(happens: Callable[[], object]) -> None:
    """Wait for what the threads will do."""
    end = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def threads() -> int:
    """How many threads work ahead."""
    return sum(thread.name == "imgshrink ahead" for thread in threading.enumerate())


def resting() -> bool:
    """Whether no thread works ahead."""
    return not threads()


def test_run_takes_over_what_is_done(bench: Bench) -> None:
    """What was done before the run is new to it, and nobody is asked a second time."""
    for number in range(5):
        bench.put(f"{number}.png", png(number))
    bench.put("again.png", png(0))
    early = ahead(bench)
    settled(lambda: len(bench.cache.entries) == 10 and resting())
    outcomes = bench.run(begun=early.take())
    assert {outcome.status for outcome in outcomes.values()} == {Status.OPTIMIZED}
    assert not any(outcome.from_cache for outcome in outcomes.values())
    assert bench.watcher.plans[0].new == 6
    assert sorted(bench.engines[0].asked) == sorted(png(number) for number in range(5))


def test_run_takes_over_what_is_in_work_and_does_the_rest(bench: Bench) -> None:
    """From the run's start on nothing more is begun ahead; what is in work is waited for."""
    gate = Gate()
    bench.engines = [Deflate(before=gate)]
    for number in range(6):
        bench.put(f"{number}.png", png(number))
    early = ahead(bench, threads=2)
    gate.reached.acquire()
    gate.reached.acquire()
    begun = early.take()
    assert len(begun) == 2
    gate.open.set()
    settled(resting)
    assert len(bench.engines[0].asked) == 2
    outcomes = bench.run(begun=begun)
    assert {outcome.status for outcome in outcomes.values()} == {Status.OPTIMIZED}
    assert len(bench.engines[0].asked) == 6


def test_longest_of_what_was_found_comes_first(bench: Bench) -> None:
    """Of those that wait the longest is begun first."""
    gate = Gate()
    bench.engines = [Deflate(before=gate)]
    first, small, large = png(0), png(1, side=64), png(2, side=128)
    for number, data in enumerate((first, small, large)):
        bench.put(f"{number}.png", data)
    ahead(bench, threads=1)
    gate.reached.acquire()
    settled(lambda: threads() == 1)
    gate.open.set()
    settled(resting)
    assert bench.engines[0].asked == [first, large, small]


def test_nothing_is_uploaded(bench: Bench) -> None:
    """What another machine would be asked about first waits for the run."""
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.put("a.png", png(1))
    early = ahead(bench)
    settled(resting)
    assert early.take() == {}
    assert [engine.asked for engine in bench.engines] == [[], []]


def test_engine_that_is_not_asked_is_no_hindrance(bench: Bench) -> None:
    """Without a key there are only our codecs."""
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.desk_options["lookup_only"] = frozenset({"hosted"})
    bench.put("a.png", png(1))
    early = ahead(bench)
    settled(resting)
    assert len(early.take()) == 1
    assert bench.engines[1].asked == [png(1)]


@pytest.mark.parametrize(("known", "begun"), [(WARM, 0), (WARM - 1, 1)])
def test_warm_cache(bench: Bench, known: int, begun: int) -> None:
    """Where the first images need no work the others are not looked at."""
    for number in range(known):
        bench.put(f"{number}.png", png(number))
    bench.run()
    bench.put("z.png", png(99))
    early = ahead(bench)
    settled(resting)
    assert len(early.take()) == begun


@pytest.mark.parametrize("trouble", [RuntimeError("a bug"), Unavailable("no worker"), KeyboardInterrupt()])
def test_what_went_wrong_is_asked_again(bench: Bench, trouble: BaseException) -> None:
    """Whatever went wrong ahead of it, the run asks anew."""
    tries = iter([raising(trouble), lambda data: None])  # type: ignore[arg-type]
    bench.engines = [Deflate(before=lambda data: next(tries)(data))]
    bench.put("a.png", png(1))
    early = ahead(bench)
    settled(lambda: bench.engines[0].asked and resting())
    outcome = bench.run(begun=early.take())["a.png"]
    assert (outcome.status, outcome.from_cache) == (Status.OPTIMIZED, False)
    assert len(bench.engines[0].asked) == 2


def test_what_goes_wrong_each_time_is_told_once(bench: Bench) -> None:
    """An image that fails ahead and in the run has failed."""
    bench.engines = [Deflate(before=raising(RuntimeError("a bug")))]
    bench.put("a.png", png(1))
    early = ahead(bench)
    settled(lambda: bench.engines[0].asked and resting())
    outcome = bench.run(begun=early.take())["a.png"]
    assert (outcome.status, outcome.reason) == (Status.FAILED, "RuntimeError: a bug")
    assert len(bench.engines[0].asked) == 2


def test_busy_elsewhere_is_asked_again(bench: Bench) -> None:
    """What another process worked on is waited for by the run."""
    bench.claims = Free(taken=1)
    bench.put("a.png", png(1))
    early = ahead(bench)
    settled(resting)
    assert bench.run(begun=early.take())["a.png"].status is Status.OPTIMIZED
    assert len(bench.claims.claimed) == 2


def test_edited_meanwhile(bench: Bench) -> None:
    """The run's files decide: what was begun for others is of no use and does no harm."""
    path = bench.put("a.png", png(1))
    early = ahead(bench)
    settled(lambda: bench.cache.entries and resting())
    path.write_bytes(png(2))
    bench.run(begun=early.take())
    assert path.stat().st_size < len(png(2))
    assert bench.engines[0].asked == [png(1), png(2)]


def test_end_of_the_run_before_it_began(bench: Bench) -> None:
    """When everything is stopped nothing more is begun, and what was counts as not done."""
    gate = Gate()
    bench.engines = [Deflate(before=gate)]
    bench.desk_options["stop"] = threading.Event()
    for number in range(4):
        bench.put(f"{number}.png", png(number))
    early = ahead(bench, threads=1)
    gate.reached.acquire()
    bench.desk_options["stop"].set()  # type: ignore[attr-defined]
    gate.open.set()
    settled(resting)
    assert len(bench.engines[0].asked) == 1
    assert sorted(outcome.reason for outcome in bench.run(begun=early.take()).values()) == ["", LATE, LATE, LATE]


def test_trouble_while_looking_is_silent(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """What breaks the look ahead is left to the run."""
    bench.put("a.png", png(1))
    desk = bench.desk()
    desk.look_up = raising(RuntimeError("a bug"))  # type: ignore[assignment,method-assign]
    early = Ahead(bench.sources(), desk=desk, min_size=0, threads=2)
    settled(resting)
    assert bench.run(begun=early.take())["a.png"].status is Status.OPTIMIZED
    assert capfd.readouterr().err == ""


def test_deflated_is_what_is_placed(bench: Bench) -> None:
    """The bytes that were made ahead are the ones that are published."""
    path = bench.put("a.png", png(1))
    early = ahead(bench)
    settled(lambda: bench.cache.entries and resting())
    bench.run(Policy(seal="none"), begun=early.take())
    assert path.read_bytes() == deflated(png(1))
