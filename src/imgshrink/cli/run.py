"""One run of the pipeline as the command shows it, from the images found to the exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.model import Note, Outcome, Source
from ..files.paths import absolute
from ..report import messages, quoting, tables, units
from ..report.publish import publish
from ..report.summary import Summary, savings
from .output import tell
from .progress_bar import reporter_class, say_line

if TYPE_CHECKING:
    from ..pipeline.run import Destination
    from ..session import Session
    from ..settings.schema import Settings

FINE, FAILURES = 0, 3
FEW = 5


@dataclass(frozen=True)
class Found:
    """The images to work on, how many are excluded, and notes about paths; `hints` are notes that never fail a run."""

    sources: tuple[Source, ...]
    excluded: int
    notes: tuple[str, ...]
    hints: tuple[str, ...] = ()


def found(session: Session, paths: Sequence[Path], *, among: frozenset[Path] | None = None) -> Found:
    """Find the images at `paths`, where given only those that are `among` absolute paths."""
    discovery = session.discover(paths)
    images = [path for path in discovery.found if among is None or absolute(path) in among]
    sources = tuple(session.source(path, path.as_posix()) for path in images)
    return Found(sources, len(discovery.excluded), tuple(discovery.notes), tuple(discovery.hints))


def work(
    session: Session,
    images: Found,
    destination: Destination,
    *,
    in_place: bool = False,
    verbose: bool = False,
    unkept: Collection[str] = (),
    complete: Callable[[Sequence[Source]], list[str]] | None = None,
) -> int:
    """Run the pipeline over `images`, say what became of them, and return the exit code.

    `unkept` holds at the end the names of replaced files whose originals are not kept.
    """
    settings = session.settings
    if verbose:
        _say_sources(settings)
    progress = reporter_class()(settings, say_line, session)
    outcomes: list[Outcome] = []
    run = session.run(images.sources, destination=destination, observer=progress, in_place=in_place)
    for outcome in progress.counted(run):
        outcomes.append(outcome)
        if verbose:
            tell(_line(outcome))
    others = complete(images.sources) if complete else []
    summary = progress.summary(outcomes)
    previews = session.previews(outcomes, say_line)
    others += publish(outcomes, summary, report=settings.report, environ=os.environ, previews=previews)
    _tell_result(outcomes, summary, in_place=in_place, unkept=unkept)
    hints = [Note(hint, failure=False) for hint in images.hints]
    notes = progress.notes(outcomes, [*images.notes, *hints, *session.notes(), *others], next_run="the next run")
    for note in notes:
        say_line(note.text)
    return FAILURES if settings.strict and any(note.failure for note in notes) else FINE


def _say_sources(settings: Settings) -> None:
    for name, source in settings.sources.items():
        if source != "default":
            say_line(f"{name}: {quoting.shown(source)}")


def _line(outcome: Outcome) -> str:
    by = f" ({outcome.engine}{', known' if outcome.from_cache else ''})" if outcome.engine else ""
    sizes = units.size(outcome.before)
    if outcome.after != outcome.before:
        sizes += f" -> {units.size(outcome.after)}"
    reason = f": {quoting.shown(outcome.reason)}" if outcome.reason else ""
    return f"  {quoting.shown(outcome.path)}   {sizes}   {outcome.status.value}{reason}{by}"


def _tell_result(outcomes: Sequence[Outcome], summary: Summary, *, in_place: bool, unkept: Collection[str]) -> None:
    shrunk = savings(outcomes)
    for line in tables.table(shrunk):
        tell(line)
    tell(f"imgshrink: {messages.result(summary)}")
    names = [row.path for row in shrunk if in_place and row.path not in unkept]
    if names:
        tell(f"Get the originals back:   {_undo(names)}")
    if unkept:
        tell(f"imgshrink: {messages.not_kept(len(unkept))}")


def _undo(names: Sequence[str]) -> str:
    """The command that undoes it; users of a hook have git alone at hand."""
    program, word = ("git", quoting.pathspec) if os.environ.get("PRE_COMMIT") else ("imgshrink", quoting.quoted)
    targets = names if len(names) <= FEW else [quoting.folder_of(names) or "."]
    return f"{program} restore {' '.join(map(word, targets))}"
