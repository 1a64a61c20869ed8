"""What a run may use: uploads, and time; and what it used. Shared by all threads."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable

from ...core.errors import AccountError


class UploadBudget:
    """Counts the uploads of this run, and permits at most `max_uploads`.

    `can_remember` is called once, before the first upload: it returns "", or why a result could not be kept.
    """

    def __init__(self, max_uploads: int, can_remember: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self._max_uploads = max_uploads
        self._can_remember = can_remember
        self._remembers = False
        self._denial: Callable[[], AccountError] | None = None
        self.uploads = 0
        """How many uploads were, or may have been, paid for."""
        self.repeated = 0
        """How many uploads were the second of their image."""
        self.uncollected: Counter[str] = Counter()
        """How many paid images were not collected, by the reason; those that the API still works on are not counted."""
        self.same_id = 0
        """How many uploads got the image id of another image."""
        self.unknown = 0
        """How many uploads brought no usable response."""
        self.unknown_reason = ""
        """What came instead of a response to the last such upload."""

    def permit(self) -> None:
        """Take one upload from the budget; raises `AccountError` where none may be made."""
        with self._lock:
            if self._denial is not None:
                raise self._denial()
            if not self._remembers and (why := self._can_remember()):
                raise AccountError(f"nothing is uploaded, since its result could not be kept: {why}", kind="memory")
            self._remembers = True
            if self.uploads >= self._max_uploads:
                raise AccountError(f"max_uploads ({self._max_uploads}) is reached", kind="budget")
            self.uploads += 1

    def refund(self) -> None:
        """Give one upload back: it certainly did not happen."""
        with self._lock:
            self.uploads -= 1

    def deny(self, denial: Callable[[], AccountError]) -> None:
        """Permit no further upload in this run; `denial` makes the error that says why."""
        with self._lock:
            self._denial = denial

    def unknown_upload(self, reason: str) -> None:
        """Count an upload that brought no usable response, and what came instead."""
        with self._lock:
            self.unknown += 1
            self.unknown_reason = reason

    def left_uncollected(self, reason: str) -> None:
        """Count a paid image that this run could not collect, and why."""
        with self._lock:
            self.uncollected[reason] += 1

    def same_image_id(self) -> None:
        """Count an upload that got the image id of another image."""
        with self._lock:
            self.same_id += 1

    def repeated_upload(self) -> None:
        """Count an upload that was the second of its image."""
        with self._lock:
            self.repeated += 1


class RunEnd:
    """The end of the run, in monotonic seconds, which no wait and no request outlasts; infinity is no end."""

    def __init__(self) -> None:
        self.at = math.inf

    def deadline(self, seconds: float, *, grace: float = 0.0) -> float:
        """Return the time in `seconds`, or the run's end if that is earlier; `grace` is how late it may be."""
        return min(time.monotonic() + seconds, self.at + grace)

    def left(self) -> float:
        """Return the seconds until the end of the run."""
        return self.at - time.monotonic()


class Pause:
    """The time until which the API asked not to be called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        """Let no thread call the API for that long."""
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def left(self, chance: float) -> float:
        """Return the seconds to wait; `chance` (0..1) spreads the threads, so that they do not all call at once."""
        left = self._until - time.monotonic()
        return left * (1 + 0.1 * chance) if left > 0 else 0.0
