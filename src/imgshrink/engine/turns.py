"""One thread at a time for one image: who comes second finds in the journal what the first has paid for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TICK = 0.1


class Turns:
    """Hands out turns by name; who waits for one watches the stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._changed = threading.Condition()
        self._taken: set[str] = set()

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Enter with True once the turn is ours, with False when the run was stopped before."""
        ours = self._take(name)
        try:
            yield ours
        finally:
            if ours:
                self._give_back(name)

    def _take(self, name: str) -> bool:
        with self._changed:
            while name in self._taken:
                if self._stop.is_set():
                    return False
                self._changed.wait(TICK)
            self._taken.add(name)
        return True

    def _give_back(self, name: str) -> None:
        with self._changed:
            self._taken.remove(name)
            self._changed.notify_all()
