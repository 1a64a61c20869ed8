"""When to ask whether a job is done."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.engines.hosted import polling
from imgshrink.engines.hosted.polling import RetryPolicy

AT_ONCE = 16
REQUEST = 0.005


@dataclass
class Run:
    """What a simulated run of many jobs came to."""

    seconds: float
    questions: int


def simulated(images: int, seconds: float, *, reported: bool) -> Run:
    """Run the schedule against a service that always takes the same time, 16 images at once, on a clock of its own."""
    dice = random.Random(7)
    samples: tuple[float, ...] = ()
    questions = 0
    free = [0.0] * AT_ONCE
    heapq.heapify(free)
    asked: list[tuple[float, float, float]] = []
    begun = 0
    end = 0.0
    while free or asked:
        if free and (not asked or free[0] <= asked[0][0]):
            now = heapq.heappop(free)
            if begun < images:
                begun += 1
                heapq.heappush(asked, (now + polling.first_wait(samples, dice.random(), 1.0), now, 0.0))
            continue
        now, uploaded, in_vain = heapq.heappop(asked)
        questions += 1
        waited = now - uploaded
        if waited >= seconds:
            samples = polling.remembered(samples, polling.sample(waited, in_vain, seconds if reported else None))
            end = now + REQUEST
            heapq.heappush(free, end)
        else:
            heapq.heappush(asked, (now + polling.next_wait(waited, dice.random()), uploaded, waited))
    return Run(end, questions)


@pytest.mark.parametrize("reported", [True, False], ids=["time reported", "time unknown"])
@pytest.mark.parametrize(("seconds", "most"), [(2.0, 2.0), (8.0, 3.0)])
def test_constant_service(seconds: float, most: float, reported: bool) -> None:
    """200 images at a constant 2 s end within 1.15 of the ideal at 2 questions an image, the first wave included."""
    run = simulated(200, seconds, reported=reported)
    assert run.seconds <= 1.15 * 200 / AT_ONCE * seconds
    assert run.questions <= most * 200


@pytest.mark.parametrize("reported", [True, False], ids=["time reported", "time unknown"])
def test_fast_service(reported: bool) -> None:
    """A service faster than the first guess is followed down, within half a second a wave and 2 questions an image."""
    run = simulated(200, 0.5, reported=reported)
    assert run.seconds <= 200 / AT_ONCE * 1.0
    assert run.questions <= 2 * 200


def test_first_question_of_a_run() -> None:
    """Nothing is known at first: the question comes after the time that was set, never earlier."""
    assert polling.first_wait((), 0.0, 1.0) == 1.0
    assert 1.0 < polling.first_wait((), 1.0, 1.0) <= 1.05


def test_first_question_later() -> None:
    """The question comes when 95 of 100 jobs so far were done, and a little later."""
    samples = [float(second) for second in range(1, 21)]
    assert polling.first_wait(samples, 0.0, 1.0) == pytest.approx(20 * 1.02)
    assert polling.percentile([3.0]) == 3.0


@pytest.mark.parametrize(("waited", "expected"), [(0.2, 0.1), (1.0, 0.1), (5.0, 0.5), (100.0, 10.0)])
def test_next_question(waited: float, expected: float) -> None:
    """The next question comes after a tenth of the time waited, a tenth of a second at least."""
    assert polling.next_wait(waited, 0.0) == pytest.approx(expected)


@given(st.floats(0, 300), st.floats(0, 1))
def test_jitter_is_upward(waited: float, chance: float) -> None:
    """Chance only ever makes a wait longer, and never by more than a quarter."""
    for wait in (
        lambda c: polling.next_wait(waited, c),
        lambda c: polling.first_wait((waited,), c, 1.0),
        lambda c: RetryPolicy().backoff_after(3, c),
    ):
        assert wait(0.0) <= wait(chance) <= 1.25 * wait(0.0)


@pytest.mark.parametrize(
    ("waited", "in_vain", "reported", "expected"),
    [
        (2.2, 1.9, 2.0, 2.0),
        (2.2, 1.9, None, 2.2),
        (2.2, 1.9, 0.1, 2.2),
        (2.2, 1.9, 99.0, 2.2),
        (2.0, 0.0, 1.5, 1.5),
        (2.0, 0.0, None, 1.8),
        (2.0, 0.0, 9.0, 1.8),
    ],
)
def test_sample(waited: float, in_vain: float, reported: float | None, expected: float) -> None:
    """What the API reports counts only where it can be true."""
    assert polling.sample(waited, in_vain, reported) == pytest.approx(expected)


def test_samples_are_bounded() -> None:
    """Only the latest jobs are remembered."""
    samples: tuple[float, ...] = ()
    for number in range(1000):
        samples = polling.remembered(samples, float(number))
    assert samples == tuple(float(number) for number in range(936, 1000))
