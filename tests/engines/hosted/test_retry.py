"""When a request is repeated, and when the API is no longer called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.engines.hosted.polling import CircuitBreaker, RetryPolicy

POLICY = RetryPolicy(tries=4, persistence=5.0, backoff=0.5, longest_wait=30.0)


@pytest.mark.parametrize(("failures", "expected"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (50, 8.0)])
def test_backoff(failures: int, expected: float) -> None:
    """Each failure doubles the wait, up to sixteen times the first."""
    assert expected == POLICY.backoff_after(failures, 0.0)


@pytest.mark.parametrize(
    ("failures", "elapsed", "retry_after", "expected"),
    [
        (1, 0.0, None, 0.5),
        (3, 5.0, None, 2.0),
        (4, 0.0, None, None),
        (4, 0.0, 1.0, None),
        (1, 5.1, None, None),
        (1, 60.0, 0.1, 0.5),
        (1, 0.0, 7.0, 7.0),
        (1, 0.0, 30.0, 30.0),
        (1, 0.0, 30.1, None),
        (1, 0.0, 1e9, None),
    ],
)
def test_wait(failures: int, elapsed: float, retry_after: float | None, expected: float | None) -> None:
    """A request is repeated 3 times within 5 seconds; a `Retry-After` of at most 30 s replaces that limit of time."""
    assert expected == POLICY.wait(failures, elapsed, retry_after, 0.0)


@given(st.integers(1, 10), st.floats(0, 100), st.none() | st.floats(0, 1e10), st.floats(0, 1))
def test_waits_are_bounded(failures: int, elapsed: float, retry_after: float | None, chance: float) -> None:
    """No wait is shorter than the `Retry-After`, and none longer than the longest."""
    wait = POLICY.wait(failures, elapsed, retry_after, chance)
    assert wait is None or (retry_after or 0.0) <= wait <= POLICY.longest_wait


def test_the_breaker() -> None:
    """Two requests that were given up in a row end the calls of the run, or one that speaks for all."""
    breaker = CircuitBreaker()
    breaker.trip("one")
    breaker.reset()
    breaker.trip("two")
    assert breaker.reason == ""
    breaker.trip("three")
    assert breaker.reason == "three"
    at_once = CircuitBreaker()
    at_once.trip("no connection", at_once=True)
    assert at_once.reason == "no connection"
