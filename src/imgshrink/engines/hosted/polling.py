"""When to ask whether a job is done: pure steps over seconds, no clock and no chance of their own.

The first question comes when nearly all jobs so far were done, the next ones after a tenth of the time waited: little
is lost when the guess was right, and few requests when it was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MARGIN = 1.02
SHARE = 0.1
SHORTEST = 0.1
PERCENTILE = 0.95
REMEMBERED = 64
EAGERNESS = 0.9


@dataclass(frozen=True)
class Timing:
    """How long anything may take, and how often it is tried; all in seconds but for `tries`.

    `job` bounds one image in one run, `answer` one question about it, `question` one about the account, `download` one
    result; `first` is when a run's first question is due. After `persistence` seconds of failing nothing more is tried:
    with a `connect` in hand, an absent network costs less than 8 s. Who asks us to come back later than `pause` is not
    waited for. What is not done after `lost` never will be.
    """

    connect: float = 3.0
    read: float = 30.0
    job: float = 300.0
    answer: float = 30.0
    question: float = 10.0
    download: float = 90.0
    first: float = 1.0
    backoff: float = 0.5
    persistence: float = 5.0
    pause: float = 30.0
    lost: float = 86400.0
    tries: int = 4


def first_wait(samples: Sequence[float], chance: float, first: float) -> float:
    """Return the seconds from upload to the first question; `samples` are earlier jobs' times, `chance` is 0..1."""
    expected = percentile(samples) * MARGIN if samples else first
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


def backoff(failures: int, chance: float, first: float) -> float:
    """Return the seconds to wait after that many failures in a row: `first` doubled each time, jittered upward."""
    return first * 2.0 ** min(failures - 1, 4) * (1 + 0.25 * chance)
