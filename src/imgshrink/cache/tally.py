"""What a run has met at the shared cache: numbers for its summary, and when to ask no more."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

IN_A_ROW = 3
SECONDS = 2.0
"""So many troubles in a row, and no success for so long, close the tier: at 32 threads a few at once mean little."""

SILENT = "not answering"
REFUSED = "access refused"
UNWRITABLE = "can't be written"
FOREIGN = "its answers are not signed with this key"


class Tally:
    """Counts what came of the calls; `closed` is True once no more are made in this run. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._last_success = clock()
        self._counts: Counter[str] = Counter()
        self._why = self._remark = ""
        self.closed = False

    def success(self, what: str = "") -> None:
        """Count an answer; `what` is `found`, `not there` and so on, "" for one that is not counted."""
        with self._lock:
            self._in_a_row, self._last_success = 0, self._clock()
            self._counts[what] += 1

    def count(self, what: str, number: int) -> None:
        """Count what no answer came for."""
        with self._lock:
            self._counts[what] += number

    def failure(self, why: str) -> None:
        """Count a call without an answer."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= IN_A_ROW and self._clock() - self._last_success >= SECONDS:
                self._close(SILENT, why)

    def close(self, what: str, why: str) -> None:
        """Have no more calls made; `what` says what the tier does not do, `why` what was met."""
        with self._lock:
            self._close(what, why)

    def remark(self, text: str) -> None:
        """Have the summary end with `text`, unless the tier is closed or something was added."""
        with self._lock:
            self._remark = text

    def line(self) -> str:
        """Return the summary of all calls, "" where none was made."""
        with self._lock:
            counts = {what: count for what, count in self._counts.items() if what and count}
            shown = {"found": 0, "not there": 0} if {"found", "not there"} & counts.keys() else {}
            parts = [f"{count} {what}" for what, count in (shown | counts).items()]
            end = self._why or ("" if counts.get("added") else self._remark)
            return ", ".join([*parts, end] if end else parts)

    def _close(self, what: str, why: str) -> None:
        if not self.closed:
            self.closed, self._why = True, f"{what}, went on without it ({why})"
