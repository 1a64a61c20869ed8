"""The pre-commit hook: makes the named files smaller, in place. Where all are finished, nothing heavy is loaded."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import SettingsError
from .core.model import Recipe, Source, Status
from .pipeline.inspection import Examined, State, examine
from .settings.load import load
from .settings.schema import fields_of

if TYPE_CHECKING:
    from .core.model import Outcome
    from .session import Session
    from .settings.schema import Settings

REWROTE, WRONG, STRICT, INTERRUPTED = 1, 2, 3, 130
USAGE = "imgshrink-hook [--quality=80 or another setting] [--baseline=FILE] [--] FILE..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Shrink the named files; return 0 if none was rewritten, 1 if one was, 2 for wrong use, 3 if strict failed."""
    try:
        given, names = parse(sys.argv[1:] if arguments is None else arguments)
        baseline = str(given.pop("baseline", ""))
        settings = load(Path.cwd(), face="hook", environ=os.environ, arguments=given)
        settings = dataclasses.replace(settings, report=None)  # a commit is run in several parts: no report is of all
        return 0 if _all_finished(settings, names) else _shrink(settings, names, baseline)
    except SettingsError as error:
        _say(f"imgshrink: {error}")
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED


def parse(arguments: Iterable[str]) -> tuple[dict[str, object], list[str]]:
    """Split arguments into settings and file names; everything behind `--` is a name."""
    fields = {row.flag: row.name for row in fields_of("argument") if row.name != "report"} | {"--baseline": "baseline"}
    given: dict[str, object] = {}
    names: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            names += words
        elif not word.startswith("-") or Path(word).is_file():  # pre-commit puts no `--` before its names
            names.append(word)
        else:
            flag, equals, value = word.partition("=")
            if flag not in fields:
                raise SettingsError(f"{flag} is not known: {USAGE}")
            _take(given, fields[flag], value if equals else _next(flag, words))
    return given, names


def _next(flag: str, words: Iterator[str]) -> str:
    if flag == "--strict":
        return "true"
    value = next(words, None)
    if value is None:
        raise SettingsError(f"{flag} needs a value: {USAGE}")
    return value


def _take(given: dict[str, object], name: str, value: str) -> None:
    """The last value of a setting holds; patterns add up."""
    before = given.get(name)
    given[name] = f"{before}\n{value}" if before and name in ("include", "exclude") else value


def _all_finished(settings: Settings, names: Sequence[str]) -> bool:
    """The usual case, told from the bytes alone, before anything is loaded that could do more."""
    if settings.include or settings.exclude or settings.overrides or settings.notes:
        return False
    sources = (Source(Path(name), name, Recipe(settings.quality, settings.embedded), ()) for name in names)
    return all(examine(source, settings.min_size).state in (State.FINISHED, State.SMALL) for source in sources)


def _shrink(settings: Settings, names: Sequence[str], baseline: str) -> int:
    from .session import Session

    with Session(settings) as session:
        found = [examine(source, settings.min_size) for source in _sources(session, names)]
        waiting = [seen.source for seen in _unlisted(found, baseline) if seen.state is State.OPEN]
        left = [seen for seen in found if seen.state in (State.BROKEN, State.UNSUPPORTED, State.UNREADABLE)]
        return _run(session, waiting, left)


def _sources(session: Session, names: Sequence[str]) -> Iterator[Source]:
    paths = [Path(name) for name in names]
    if not all(path.is_file() and not path.is_symlink() for path in paths):
        paths = session.discover(paths).found
    return (
        session.selection.source(path, path.as_posix())
        for path in paths
        if not session.selection.excluded(path.absolute())
    )


def _run(session: Session, waiting: Sequence[Source], left: Sequence[Examined]) -> int:
    from .files.staging import restorable, set_aside
    from .pipeline.check import as_outcomes
    from .report.console import is_terminal
    from .report.progress import ProgressReporter

    watched = (
        is_terminal(sys.stderr) or session.spending.host
    )  # pre-commit shows output only at the end; uploads are said anyway
    progress = ProgressReporter(session.settings, _say_ours if watched else lambda _: None, session.spending)
    staged = restorable([source.name for source in waiting])
    destination = session.in_place(waiting, named=(source.path for source in waiting))
    run = session.run(waiting, destination=destination, observer=progress, in_place=True) if waiting else iter(())
    outcomes = as_outcomes(left) + list(progress.counted(run))
    notes = progress.notes(outcomes, session.notes(), next_run="pre-commit run imgshrink --all-files")
    rewrote = {row.path for row in outcomes if row.status in (Status.OPTIMIZED, Status.SEALED)}
    for line in _block(outcomes, rewrote, staged, rewrote & set_aside(os.environ) if rewrote else set()):
        _say(line)
    for note in notes:
        _say_ours(note.text)
    strict = session.settings.strict and any(note.failure for note in notes)
    return STRICT if strict else REWROTE if rewrote else 0


def _block(outcomes: Sequence[Outcome], rewrote: set[str], staged: set[str], set_aside: set[str]) -> list[str]:
    """What was rewritten, and what to do: nothing where pre-commit is about to roll it back."""
    from .report import hook_messages, quoting

    if set_aside:
        runner = "prek" if os.environ.get("PREK_HOOK_STAGE") else "pre-commit"
        others = len(rewrote - set_aside)
        return [
            *hook_messages.summed_up(outcomes),
            hook_messages.partly_staged(sorted(set_aside), runner, others=others),
        ]
    program = f"{quoting.quoted(sys.executable)} -m imgshrink"
    base = str(Path.cwd()) if os.environ.get("GIT_PREFIX") else ""
    return hook_messages.rewritten(outcomes, hook_messages.UndoCommands(staged, program, base))


def _unlisted(found: Sequence[Examined], baseline: str) -> Sequence[Examined]:
    if not baseline:
        return found
    from .pipeline.baseline import read_baseline

    listed = read_baseline(Path(baseline))
    return [seen for seen in found if seen.digest not in listed]


def _say_ours(text: str) -> None:
    _say(f"imgshrink: {text}")


def _say(text: str) -> None:
    from .report.console import put

    put(sys.stdout, text)


if __name__ == "__main__":
    sys.exit(main())
