"""The time of an animation: what a viewer sees when. Durations are milliseconds a frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_SHORTEST, _INSTEAD = 10, 100
MOST_INSTANTS = 200


def effective_durations(durations: Sequence[int]) -> tuple[int, ...]:
    """Return the durations that browsers show: 10 ms and less become 100 ms in all of them, for every format."""
    return tuple(_INSTEAD if duration <= _SHORTEST else duration for duration in durations)


def instants(
    original: Sequence[int], candidate: Sequence[int], most: int = MOST_INSTANTS
) -> tuple[tuple[int, int], ...]:
    """Return which frames of two animations stand at every time when either changes, as pairs of their numbers.

    Of more than `most` instants, that many are taken evenly, the first and the last among them.
    """
    starts = [_starts(durations) for durations in (original, candidate)]
    times = sorted({*starts[0], *starts[1]})
    if len(times) > most:
        times = [times[number * (len(times) - 1) // (most - 1)] for number in range(most)]
    return tuple((bisect_right(starts[0], time) - 1, bisect_right(starts[1], time) - 1) for time in times)


def _starts(durations: Sequence[int]) -> list[int]:
    return list(accumulate(effective_durations(durations)[:-1], initial=0))
