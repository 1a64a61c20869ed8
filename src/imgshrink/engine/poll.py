"""When to ask whether a job is done: pure steps over seconds, no clock and no chance of their own.

The first question comes when nearly all jobs so far were done, the next ones after a tenth of the time waited: little
is lost when the guess was right, and few requests when it was not.
"""

from __future__ import annotations

from collections.abc import Sequence

FIRST = 1.0
MARGIN = 1.02
SHARE = 0.1
SHORTEST = 0.1
PERCENTILE = 0.95
REMEMBERED = 64
EAGERNESS = 0.9


def first_wait(samples: Sequence[float], chance: float) -> float:
    """Return the seconds from upload to the first question; `samples` are earlier jobs' times, `chance` is 0..1."""
    expected = percentile(samples) * MARGIN if samples else FIRST
    return max(SHORTEST, expected) * (1 + 0.02 * chance)


def next_wait(waited: float, chance: float) -> float:
    """Return the seconds to the next question after `waited` seconds in vain."""
    return max(SHORTEST, SHARE * waited) * (1 + 0.1 * chance)


def sample(waited: float, in_vain: float, reported: float | None) -> float:
    """Return how long a job took: done when asked at `waited` seconds, not yet at `in_vain` (0: not asked before).

    What the API reports counts where it fits. Else a first question that found the job done says only that it came late
    enough: the guess is lowered a little, so that it follows a service that has become faster.
    """
    if reported is not None and in_vain <= reported <= waited:
        return reported
    return waited if in_vain else waited * EAGERNESS


def remembered(samples: Sequence[float], new: float) -> tuple[float, ...]:
    """Return the samples that count once `new` is among them: the latest ones."""
    return (*samples, new)[-REMEMBERED:]


def percentile(samples: Sequence[float]) -> float:
    """Return the 95th percentile of at least one sample."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(PERCENTILE * len(ordered)))]


def backoff(failures: int, chance: float) -> float:
    """Return the seconds to wait after that many failures in a row, jittered upward."""
    return 0.5 * 2.0 ** min(failures - 1, 4) * (1 + 0.25 * chance)
