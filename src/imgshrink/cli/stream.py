"""`optimize -`: shrinks one image from standard input to standard output."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from ..core.model import Source
from ..files.reader import LARGEST
from ..report import messages
from ..report.console import is_terminal
from ..report.progress import ProgressReporter
from ..session import Session
from ..settings.schema import Settings
from .output import read_input, write_output
from .progress_bar import info_line

FINE, FAILURES = 0, 3
NAME = "standard input"


class _Memory:
    """Takes the one result of a run."""

    data: bytes | None = None

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:  # noqa: ARG002 - the signature of Destination
        self.data = data


def optimize_stream(settings: Settings) -> int:
    """Write the image from standard input to standard output, shrunk, or as it is where nothing can be gained.

    Input that is no image comes out unchanged, with a note on standard error. Returns the exit code.
    """
    if is_terminal(sys.stdin):
        raise click.UsageError("- reads an image from standard input: imgshrink optimize - < a.png > b.png")
    data = read_input(LARGEST + 1)
    with tempfile.TemporaryDirectory(prefix="imgshrink-") as folder, Session(settings) as session:
        path = Path(folder) / "image"
        path.write_bytes(data)
        # It has no path that patterns are written for: rules with a slash keep it from being uploaded.
        source = session.selection.source(path, NAME, known_by=(Path.cwd() / NAME,), placed=False)
        memory = _Memory()
        progress = ProgressReporter(settings, info_line, session.spending)
        outcomes = list(session.run([source], destination=memory, observer=progress, in_place=False))
        info_line(messages.result(progress.summary(outcomes)))
        notes = progress.notes(outcomes, session.notes(), next_run="the next run")
    for note in notes:
        info_line(note.text)
    write_output(data if memory.data is None else memory.data)
    return FAILURES if settings.strict and any(note.failure for note in notes) else FINE
