"""When a request is repeated, and when the API is no longer called: a pure policy, and the state of the run."""

from __future__ import annotations

import threading
from dataclasses import dataclass

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
