"""One run of a command: finds the images, runs the pipeline, prints the result, returns the exit code."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.model import Note, Outcome, Source
from ..files.paths import absolute, relative_name
from ..report import advice, messages, quoting, tables, units
from ..report.documents import to_json
from ..report.progress import ProgressReporter
from ..report.publish import publish
from ..report.summary import Summary, savings
from .output import print_result
from .progress_bar import info_line, reporter_class
from .values import in_words

if TYPE_CHECKING:
    from ..pipeline.run import Destination
    from ..report.html.previews import Preview
    from ..session import Session
    from ..settings.schema import Settings
    from .mkdocs_config import Build

FINE, FAILURES = 0, 3
IN_PERSON = ("--quality", "IMGSHRINK_QUALITY")
FEW = 5


@dataclass(frozen=True)
class Shown:
    """What a command prints: `verbose` lists every file, `quiet` leaves notes and errors, `as_json` prints JSON."""

    verbose: bool = False
    quiet: bool = False
    as_json: bool = False

    @property
    def text(self) -> bool:
        """The result is printed as text."""
        return not (self.quiet or self.as_json)


@dataclass(frozen=True)
class Images:
    """The images to work on, how many are excluded, and notes about paths; `hints` are notes that never fail a run."""

    sources: tuple[Source, ...]
    excluded: int
    notes: tuple[str, ...]
    hints: tuple[str, ...] = ()


def find_images(
    session: Session, paths: Sequence[Path], *, build: Build | None = None, among: frozenset[Path] | None = None
) -> Images:
    """Find the images at `paths`; of a `build` only those that it publishes, and only those `among` absolute paths."""
    discovery = session.discover(paths)
    meant = [files for files in (build.files if build is not None else None, among) if files is not None]
    images = [path for path in discovery.found if all(absolute(path) in files for files in meant)]
    sources = tuple(session.selection.source(path, _name(path)) for path in images)
    notes = (*discovery.notes, *session.selection.notes(paths))
    return Images(sources, len(discovery.excluded), notes, tuple(discovery.hints))


def _name(path: Path) -> str:
    """The path as the user wrote it, but never from the root: reports are read on other machines."""
    return relative_name(path, Path.cwd()) if path.is_absolute() else path.as_posix()


def run_over(
    session: Session,
    images: Images,
    destination: Destination,
    *,
    shown: Shown,
    in_place: bool = False,
    unkept: Collection[str] = (),
    complete: Callable[[Sequence[Source]], list[str]] | None = None,
    redo: str = "",
) -> int:
    """Run the pipeline over `images`, print the result, and return the exit code.

    `unkept` holds after the run the names of replaced files without a backup. `complete` copies what no result was
    written for; what it could not copy is a failure of the command. `redo` is the command that starts again from the
    originals, "" where none does. An interrupt is raised again with the number of images that are done as its text.
    """
    settings = session.settings
    if shown.verbose:
        _info_sources(settings)
    print_line = _drop if shown.quiet else info_line
    retry = "`imgshrink optimize --redo` asks the API again" if in_place else "the next run tries again"
    progress = _reporter(quiet=shown.quiet)(settings, print_line, session.spending, retry=retry)
    run = session.run(images.sources, destination=destination, observer=progress, in_place=in_place)
    outcomes = _collect(progress.counted(run), len(images.sources), shown)
    others = complete(images.sources) if complete else []
    summary = progress.summary(outcomes, excluded=images.excluded)
    previews = session.previews(outcomes, print_line)
    unpublished = _publish(session, outcomes, summary, previews, in_place=in_place)
    if shown.text:
        _print_result(outcomes, summary, None if unpublished else settings.report, in_place=in_place, unkept=unkept)
    hints = [Note(hint, failure=False) for hint in (*images.hints, *_shrunk_before(outcomes, settings, redo))]
    notes = progress.notes(
        outcomes, [*images.notes, *hints, *session.notes(), *others, *unpublished], next_run="the next run"
    )
    for line in messages.in_order(notes, strict=settings.strict):
        info_line(line)
    if shown.as_json:
        print_result(to_json(outcomes, summary, [note.text for note in notes]).rstrip())
    return FAILURES if others or (settings.strict and any(note.failure for note in notes)) else FINE


def _collect(run: Iterable[Outcome], count: int, shown: Shown) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        for outcome in run:
            outcomes.append(outcome)
            if shown.verbose and shown.text:
                print_result(_line(outcome))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{len(outcomes)} of {count} done, run again to continue") from None
    return outcomes


def _reporter(*, quiet: bool) -> type[ProgressReporter]:
    """Return the class that prints the progress; in a quiet run nothing is printed, so no bar either."""
    return ProgressReporter if quiet else reporter_class()


def _drop(line: str) -> None:
    """Print nothing."""


def _shrunk_before(outcomes: Sequence[Outcome], settings: Settings, redo: str) -> Iterator[str]:
    """Yield a line if a person asked for a quality, and there are images that were shrunk at another one."""
    if redo and settings.sources.get("quality") in IN_PERSON:
        others = Counter(row.sealed for row in outcomes if row.sealed not in (0, settings.quality))
        if others:
            yield messages.shrunk_before(others, redo)


def _info_sources(settings: Settings) -> None:
    for name, source in settings.sources.items():
        if source != "default":
            info_line(f"{name}: {in_words(settings, name)} ({quoting.shown(source)})")


def _line(outcome: Outcome) -> str:
    by = f" ({outcome.engine}{', from the cache' if outcome.from_cache else ''})" if outcome.engine else ""
    sizes = units.size(outcome.before)
    if outcome.after != outcome.before:
        sizes += f" -> {units.size(outcome.after)}"
    reason = f": {quoting.shown(outcome.reason)}" if outcome.reason else ""
    return f"  {quoting.shown(outcome.path)}   {sizes}   {outcome.status.value}{reason}{by}"


def _print_result(
    outcomes: Sequence[Outcome], summary: Summary, report: Path | None, *, in_place: bool, unkept: Collection[str]
) -> None:
    shrunk = savings(outcomes)
    for line in tables.table(shrunk):
        print_result(line)
    print_result(f"imgshrink: {messages.result(summary)}")
    names = [row.path for row in shrunk if in_place and row.path not in unkept]
    if names:
        print_result(f"Get the originals back:   {_undo(names)}")
    if unkept:
        print_result(f"imgshrink: {messages.not_backed_up(len(unkept))}")
    if report is not None:
        print_result(f"imgshrink: {messages.report_written(relative_name(report, Path.cwd()))}")


def _publish(
    session: Session,
    outcomes: Sequence[Outcome],
    summary: Summary,
    previews: Mapping[str, Preview],
    *,
    in_place: bool,
) -> list[str]:
    """Write the report, with what to do about an image; the users of a hook have git alone for that."""
    restore = advice.by_git if os.environ.get("PRE_COMMIT") else advice.in_place
    return publish(
        outcomes,
        summary,
        report=session.settings.report,
        environ=os.environ,
        previews=previews,
        actions=restore if in_place else advice.in_project,
    )


def _undo(names: Sequence[str]) -> str:
    """Return the command that undoes the run; for the users of a hook it is one of git."""
    program, word = ("git", quoting.pathspec) if os.environ.get("PRE_COMMIT") else ("imgshrink", quoting.quoted)
    targets = names if len(names) <= FEW else [quoting.folder_of(names) or "."]
    return f"{program} restore {' '.join(map(word, targets))}"
