"""The progress bar, which a terminal shows in place of progress lines."""

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
from .output import info

WIDTH = 30
CLEAR = "\r\x1b[K"


class ProgressBar(ProgressReporter):
    """Announces a run and draws its progress."""

    def waiting(self) -> None:
        """Redraw the bar."""
        if self._plan is None or not self._plan.new:
            return
        plan, left = self._plan, self._left(time.monotonic())
        filled = WIDTH * self._done // plan.new
        line = progress(self._done, plan.new, self._done_bytes, plan.new_bytes, left)
        width = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and only its end be cleared
        whole = f"[{'#' * filled}{'-' * (WIDTH - filled)}] {line}"
        click.echo(f"{CLEAR}{(whole if len(whole) <= width else line)[:width]}", nl=False, err=True)

    def counted(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass `outcomes` on; the bar is cleared before each one and at the end, so that other lines can be printed."""
        for outcome in super().counted(outcomes):
            self._clear()
            yield outcome
        self._clear()

    def _clear(self) -> None:
        if self._plan is not None and self._plan.new:
            click.echo(CLEAR, nl=False, err=True)


def reporter_class() -> type[ProgressReporter]:
    """Return the reporter of a run: the bar on a terminal."""
    return ProgressBar if is_terminal(sys.stderr) else ProgressReporter


def info_line(text: str) -> None:
    """Print a line about the run, with the name in front."""
    info(f"imgshrink: {text}")
