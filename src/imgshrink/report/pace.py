"""How far a run is, and when it is time to say so. The caller brings the clock: monotonic seconds."""

from __future__ import annotations

from ..model import Outcome, Plan
from .build import progress

EVERY = 10.0
SURE_AFTER = 5.0


class Progress:
    """Counts what ends of a plan that begins at `now`. A line is due every ten seconds."""

    def __init__(self, plan: Plan, now: float) -> None:
        self.plan = plan
        self.images = 0
        self.bytes = 0
        self._begun = self._said = now

    def count(self, outcome: Outcome) -> None:
        """Take one more image as done."""
        self.images += 1
        self.bytes += outcome.before

    def due(self, now: float) -> bool:
        """Return whether ten seconds have passed since the start or since this was last true."""
        if now - self._said < EVERY:
            return False
        self._said = now
        return True

    def left(self, now: float) -> float | None:
        """Return an estimate of the seconds left, None while there is nothing to base it on."""
        passed = now - self._begun
        if not self.bytes or passed < SURE_AFTER:
            return None
        return passed * max(0, self.plan.new_bytes - self.bytes) / self.bytes

    def line(self, now: float) -> str:
        """Say how far it is."""
        return progress(self.images, self.plan.new, self.bytes, self.plan.new_bytes, self.left(now))
