"""The time of an animation: what a viewer sees when. Durations are milliseconds a frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_SHORTEST, _INSTEAD = 10, 100


def effective_durations(durations: Sequence[int]) -> tuple[int, ...]:
    """Return the durations that browsers show: 10 ms and less become 100 ms in all of them, for every format."""
    return tuple(_INSTEAD if duration <= _SHORTEST else duration for duration in durations)


def total_duration(durations: Sequence[int]) -> int:
    """Return how long an animation lasts on screen, 0 for a still."""
    return sum(effective_durations(durations))


def instants(original: Sequence[int], candidate: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return which frames of two animations stand at every time when either changes, as pairs of their numbers.

    Every frame of both is in one pair at least.
    """
    starts = [_starts(durations) for durations in (original, candidate)]
    times = sorted({*starts[0], *starts[1]})
    return tuple((bisect_right(starts[0], time) - 1, bisect_right(starts[1], time) - 1) for time in times)


def _starts(durations: Sequence[int]) -> list[int]:
    return list(accumulate(effective_durations(durations)[:-1], initial=0))
