"""What all images of a run share at the API: the budget, a refusal, a pause that was asked for, how long jobs take."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from ...core.errors import AccountError
from . import polling

GIVE_UPS = 2

_dice = random.SystemRandom()


class Account:
    """The account's state in this run, for all threads. `can_remember` says why nothing may be bought, or ""."""

    def __init__(self, max_uploads: int, can_remember: Callable[[], str]) -> None:
        self._lock = threading.Lock()
        self._max_uploads = max_uploads
        self._can_remember = can_remember
        self._may_buy = False
        self._uploads = 0
        self._denial: Callable[[], AccountError] | None = None
        self._pause_until = 0.0
        self._samples: tuple[float, ...] = ()
        self._given_up = 0
        self._silence = ""
        self._broken_off = 0
        self._why_broken = ""
        self._repeated = 0

    @property
    def uploads(self) -> int:
        """How many uploads were or may have been paid for."""
        return self._uploads

    @property
    def broken_off(self) -> int:
        """How many uploads broke off without an answer."""
        return self._broken_off

    @property
    def repeated(self) -> int:
        """How many uploads were made a second time."""
        return self._repeated

    @property
    def silence(self) -> str:
        """Why the API is not asked any more, having failed again and again with no answer between; "" while it is."""
        return self._silence if self._given_up >= GIVE_UPS else ""

    def permit(self) -> None:
        """Take one upload from the budget; raises `AccountError` where none may be made."""
        with self._lock:
            if self._denial is not None:
                raise self._denial()
            if not self._may_buy and (why := self._can_remember()):
                raise AccountError(f"nothing is uploaded, since its result could not be kept: {why}", kind="memory")
            self._may_buy = True
            if self._uploads >= self._max_uploads:
                raise AccountError(f"max_uploads ({self._max_uploads}) is reached", kind="budget")
            self._uploads += 1

    def refund(self) -> None:
        """Give one back: the upload certainly did not happen."""
        with self._lock:
            self._uploads -= 1

    def deny(self, denial: Callable[[], AccountError]) -> None:
        """Permit no further upload in this run, and why."""
        with self._lock:
            self._denial = denial

    @property
    def why_broken(self) -> str:
        """What came instead of an answer to the last upload that broke off."""
        return self._why_broken

    def unknown_upload(self, reason: str) -> None:
        """Count an upload that brought no usable answer, and what came instead."""
        with self._lock:
            self._broken_off += 1
            self._why_broken = reason

    def repeat(self) -> None:
        """Count an upload that was the second of its image."""
        with self._lock:
            self._repeated += 1

    def pause(self, seconds: float) -> None:
        """Keep all threads from asking for a while."""
        with self._lock:
            self._pause_until = max(self._pause_until, time.monotonic() + seconds)

    def paused(self) -> float:
        """Return the seconds to wait before anything is asked, spread a little so that not all come at once."""
        left = self._pause_until - time.monotonic()
        return left * (1 + 0.1 * self.chance()) if left > 0 else 0.0

    def answered(self) -> None:
        """The API gave a usable answer."""
        with self._lock:
            self._given_up = 0

    def trip(self, reason: str, *, for_good: bool = False) -> None:
        """Somebody gave up asking, and why; `for_good` speaks for all."""
        with self._lock:
            self._given_up += GIVE_UPS if for_good else 1
            self._silence = reason

    def took(self, waited: float, in_vain: float, reported: float | None) -> None:
        """Learn from one job how long jobs take."""
        with self._lock:
            self._samples = polling.remembered(self._samples, polling.sample(waited, in_vain, reported))

    def first_wait(self, first: float) -> float:
        """Return the seconds from an upload to the first question about it, `first` where nothing is known yet."""
        return polling.first_wait(self._samples, self.chance(), first)

    def chance(self) -> float:
        """Return a random number from 0 to 1."""
        return _dice.random()
