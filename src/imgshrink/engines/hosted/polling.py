"""When the API is called: polling, retries, the circuit breaker. Pure functions, and state that the threads share.

The first status request is due when 95 % of the jobs so far were done, each further one after a tenth of the time waited. A
good estimate loses little time, a bad one costs few requests.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

MARGIN = 1.02
SHARE = 0.1
SHORTEST = 0.1
PERCENTILE = 0.95
REMEMBERED = 64
EAGERNESS = 0.9
FAILURES_TO_TRIP = 2


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how late, a request that may be repeated is sent again. No clock and no randomness of its own.

    A request is given up after `tries` attempts, or when an attempt fails later than `persistence` seconds after the
    first began: with a connect timeout of 3 s, an absent network costs less than 8 s. `backoff` is the first wait, in
    seconds. The wait that a `Retry-After` asks for replaces the limit of `persistence`; above `longest_wait` seconds it
    is not waited for.
    """

    tries: int = 4
    persistence: float = 5.0
    backoff: float = 0.5
    longest_wait: float = 30.0

    def is_last(self, failures: int) -> bool:
        """Whether no attempt is left after that many failures."""
        return failures >= self.tries

    def wait(self, failures: int, elapsed: float, retry_after: float | None, chance: float) -> float | None:
        """Return the seconds until the next attempt, None where there is none.

        `failures` counts this one, `elapsed` is the seconds since the first attempt began, `chance` is 0..1.
        """
        if self.is_last(failures) or (retry_after is None and elapsed > self.persistence):
            return None
        if retry_after is not None and retry_after > self.longest_wait:
            return None
        return max(retry_after or 0.0, self.backoff_after(failures, chance))

    def backoff_after(self, failures: int, chance: float) -> float:
        """Return the wait after that many failures in a row: doubled each time up to 16 times, with upward jitter."""
        return self.backoff * 2.0 ** min(failures - 1, 4) * (1 + 0.25 * chance)


class CircuitBreaker:
    """Whether the API is still called in this run: not after two requests in a row were given up without a response."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the API is no longer called, "" while it is."""
        return self._reason if self._failures >= FAILURES_TO_TRIP else ""

    def reset(self) -> None:
        """Record a usable response."""
        with self._lock:
            self._failures = 0

    def trip(self, reason: str, *, at_once: bool = False) -> None:
        """Record a request that was given up, and why; `at_once`: no further request is made in this run."""
        with self._lock:
            self._failures += FAILURES_TO_TRIP if at_once else 1
            self._reason = reason


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
