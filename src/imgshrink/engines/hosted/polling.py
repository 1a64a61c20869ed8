"""When the status of a job is requested: pure functions over seconds, and the estimate that the threads of a run share.

The first request is due when 95 % of the jobs so far were done, each further one after a tenth of the time waited. A
good estimate loses little time, a bad one costs few requests.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from .retry import RetryPolicy

MARGIN = 1.02
SHARE = 0.1
SHORTEST = 0.1
PERCENTILE = 0.95
REMEMBERED = 64
EAGERNESS = 0.9


@dataclass(frozen=True)
class Timing:
    """The longest that each step may take, in seconds.

    `connect` and `read` bound one socket operation. `job` bounds one image in one run, `answer` one request for its
    status, `question` one request about the account, `download` one result. `first` is the first wait of a run before a
    status is requested. The run's end cuts all of them.
    """

    connect: float = 3.0
    read: float = 30.0
    job: float = 300.0
    answer: float = 30.0
    question: float = 10.0
    download: float = 90.0
    first: float = 1.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class LatencyEstimate:
    """How long jobs take at the API, learnt from the jobs of this run. Shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: tuple[float, ...] = ()

    def add(self, waited: float, in_vain: float, reported: float | None) -> None:
        """Learn from one job; the arguments are those of `sample`."""
        with self._lock:
            self._samples = remembered(self._samples, sample(waited, in_vain, reported))

    def first_wait(self, chance: float, first: float) -> float:
        """Return the seconds from an upload to the first request for its status, `first` where nothing is known yet."""
        return first_wait(self._samples, chance, first)


def first_wait(samples: Sequence[float], chance: float, first: float) -> float:
    """Return the seconds from an upload to the first request; `samples` are earlier jobs' times, `chance` is 0..1."""
    expected = percentile(samples) * MARGIN if samples else first
    return max(SHORTEST, expected) * (1 + 0.02 * chance)


def next_wait(waited: float, chance: float) -> float:
    """Return the seconds until the next request, when the job was not done after `waited` seconds."""
    return max(SHORTEST, SHARE * waited) * (1 + 0.1 * chance)


def sample(waited: float, in_vain: float, reported: float | None) -> float:
    """Return how long a job took that was done at `waited` seconds, and not yet at `in_vain` (0: no request before).

    The time that the API reports counts where it lies between the two. A first request that finds the job done proves
    only that it was late enough: then the sample is a little lower, so that the estimate follows a faster service.
    """
    if reported is not None and in_vain <= reported <= waited:
        return reported
    return waited if in_vain else waited * EAGERNESS


def remembered(samples: Sequence[float], new: float) -> tuple[float, ...]:
    """Return the latest samples, `new` among them."""
    return (*samples, new)[-REMEMBERED:]


def percentile(samples: Sequence[float]) -> float:
    """Return the 95th percentile of at least one sample."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(PERCENTILE * len(ordered)))]
