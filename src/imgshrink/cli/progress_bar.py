"""A bar on a terminal, in place of the lines that a run prints elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator

import click

from ..core.model import Outcome
from ..report.console import is_terminal
from ..report.messages import progress
from ..report.progress import ProgressReporter
from .output import say

WIDTH = 30
CLEAR = "\r\x1b[K"


class Bar(ProgressReporter):
    """Tells what a run is about, and draws how far it is."""

    def waiting(self) -> None:
        """Draw the bar anew."""
        if self._plan is None or not self._plan.new:
            return
        plan, left = self._plan, self._left(time.monotonic())
        filled = WIDTH * self._done // plan.new
        line = progress(self._done, plan.new, self._done_bytes, plan.new_bytes, left)
        width = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and only its end be cleared
        whole = f"[{'#' * filled}{'-' * (WIDTH - filled)}] {line}"
        click.echo(f"{CLEAR}{(whole if len(whole) <= width else line)[:width]}", nl=False, err=True)

    def counted(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass `outcomes` on; the line is free for other words while one is looked at, and when all are done."""
        for outcome in super().counted(outcomes):
            self._clear()
            yield outcome
        self._clear()

    def _clear(self) -> None:
        if self._plan is not None and self._plan.new:
            click.echo(CLEAR, nl=False, err=True)


def reporter_class() -> type[ProgressReporter]:
    """Return who tells about a run: the bar on a terminal."""
    return Bar if is_terminal(sys.stderr) else ProgressReporter


def say_line(text: str) -> None:
    """Print a line about the run under our name."""
    say(f"imgshrink: {text}")
