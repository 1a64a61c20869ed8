"""When a run asks no more, and what it says of what it met."""

from __future__ import annotations

import threading
import time

from imgshrink.cache.tally import IN_A_ROW, SECONDS, SILENT, Tally
from imgshrink.cache.threads import Behind, in_threads
from patience import ENDLESS, until


class Clock:
    """A time that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_three_in_a_row_and_no_success_for_two_seconds() -> None:
    """Neither troubles alone nor time alone closes a tier; both do."""
    clock = Clock()
    tally = Tally(clock)
    for _ in range(5 * IN_A_ROW):
        tally.failure("time-out")
    assert not tally.closed  # many at once, as from as many threads
    tally.success("found")
    clock.now = SECONDS + 1
    for _ in range(IN_A_ROW - 1):
        tally.failure("time-out")
    assert not tally.closed
    tally.success("found")
    for _ in range(IN_A_ROW):
        tally.failure("time-out")
    assert not tally.closed
    clock.now += SECONDS
    tally.failure("time-out")
    assert tally.closed
    assert tally.line() == "2 found, 0 not there, not answering, went on without it (time-out)"


def test_the_first_reason_is_said() -> None:
    """A tier that is closed twice is closed for the first reason; a remark gives way to it, and to what was added."""
    tally = Tally()
    assert tally.line() == ""
    tally.remark("nothing yet")
    assert tally.line() == "nothing yet"
    tally.success("added")
    assert tally.line() == "1 added"
    tally.close(SILENT, "time-out")
    tally.close(SILENT, "status 503")
    assert tally.line() == "1 added, not answering, went on without it (time-out)"


def test_results_in_order_of_completion() -> None:
    """Each item comes with its result; nothing is begun for no items."""
    far = time.monotonic() + ENDLESS
    found = in_threads(lambda item: -item, range(50), threads=4, deadline=far, stop=threading.Event())
    assert sorted(found) == [(item, -item) for item in range(50)]
    assert list(in_threads(lambda item: item, [], threads=4, deadline=far, stop=threading.Event())) == []


def test_few_results_wait_for_a_slow_consumer() -> None:
    """A consumer that takes one result at a time finds no more than twice as many begun as there are threads."""
    begun: list[int] = []
    far = time.monotonic() + ENDLESS
    found = in_threads(begun.append, range(100), threads=3, deadline=far, stop=threading.Event())
    next(found)
    until(lambda: len(begun) >= 6)
    time.sleep(0.3)
    assert len(begun) <= 7
    found.close()
    time.sleep(0.3)
    assert len(begun) <= 8


def test_work_behind_is_dropped_at_the_end() -> None:
    """What does not end in time is not waited for, and counted."""
    release = threading.Event()
    behind: Behind[int] = Behind(lambda item: release.wait() and None, threads=2, most=3)
    assert [behind.add(item) for item in range(2)] == [True, True]
    until(lambda: not behind._waiting)
    assert [behind.add(item) for item in range(4)] == [True, True, True, False]
    assert behind.finish(0.01, threading.Event()) == 5
    release.set()
    assert behind.finish(ENDLESS, threading.Event()) == 0
