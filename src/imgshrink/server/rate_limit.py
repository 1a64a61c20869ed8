"""Limits the requests of each key with a token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable


class RateLimiter:
    """Not safe for threads: used on the event loop only, for keys that exist."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key_id: str) -> float:
        """Count one request; return 0, or the seconds until the next one is allowed."""
        now = self._clock()
        tokens, then = self._buckets.get(key_id, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._rate)
        allowed = tokens >= 1
        self._buckets[key_id] = (tokens - 1 if allowed else tokens, now)
        return 0.0 if allowed else (1 - tokens) / self._rate
