"""Waiting for what another thread or process does in its own time, however slow the machine is for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 90.0
"""Seconds after which what was awaited is taken to happen never: a test that passes waits for none of them."""

ENDLESS = 3600.0
"""A time limit that no test reaches: what ends before it was ended by something else."""


def until(happens: Callable[[], object]) -> None:
    """Wait for a condition; fail if it does not come."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


def gone(process: int) -> bool:
    """Whether a process has ended; one whose exit code nobody has fetched yet counts as ended. Linux."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"
