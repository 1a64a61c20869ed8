"""The pre-commit hook: shrinks the named files in place. If all are shrunk already, nothing heavy is imported."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .core.errors import SettingsError
from .core.model import Recipe, Source
from .files.paths import NO_FILE, why_missing
from .pipeline.inspection import Inspected, State, inspect
from .settings.load import load
from .settings.schema import fields_of

if TYPE_CHECKING:
    from .core.model import Outcome
    from .session import Session
    from .settings.schema import Settings

LONGEST = 300
REWROTE, WRONG, STRICT, INTERRUPTED = 1, 2, 3, 130
CONFIGURATIONS = (".pre-commit-config.yaml", ".pre-commit-config.yml", "prek.toml")
NOT_HERE = ("report", "pages", "pages_formats", "pages_saving", "pages_eager", "pages_exclude")
USAGE = "imgshrink-hook [--quality=80 or another setting] [--baseline=FILE] [--] FILE..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Shrink the named files; return 0 if none was rewritten, 1 if one was, 2 for wrong use, 3 if strict failed.

    An error of imgshrink itself, of whatever kind, is one line and no reason to stop a commit.
    """
    rewritten: set[str] = set()
    try:
        _occupy_standard_streams()
        given, names = parse(sys.argv[1:] if arguments is None else arguments)
        baseline = str(given.pop("baseline", ""))
        settings = load(Path.cwd(), frontend="hook", environ=os.environ, arguments=given)
        settings = dataclasses.replace(
            settings, report=None
        )  # pre-commit splits a commit into several runs: none could report all files
        return 0 if _all_shrunk(settings, names) else _shrink(settings, names, baseline, rewritten)
    except SettingsError as error:
        _print(f"imgshrink: {error}")
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, the commit goes on
        return _last_resort(error, rewritten)


def _occupy_standard_streams() -> None:
    """Let no file that is opened later get the number of a stream that is closed; there rarely is one."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from .report.console import occupy_standard_streams

        occupy_standard_streams()


def _last_resort(error: Exception, rewritten: Collection[str]) -> int:
    """Say in one line what went wrong, and return the exit code: pre-commit must hear of files that were rewritten."""
    with suppress(Exception):
        what = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST]
        done = (
            f"after {len(rewritten)} rewritten (review and stage: git add -u)" if rewritten else "nothing was changed"
        )
        _print(f"imgshrink: stopped by an error of its own, {done}: {what}")
    return REWROTE if rewritten else 0


def parse(arguments: Iterable[str]) -> tuple[dict[str, object], list[str]]:
    """Split arguments into settings and file names; everything after `--` is a name."""
    rows = [row for row in fields_of("argument") if row.name not in NOT_HERE]
    fields = {row.flag: row.name for row in rows} | {"--baseline": "baseline"}
    given: dict[str, object] = {}
    names: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            names += words
        elif not word.startswith("-") or os.path.isfile(word):  # pre-commit puts no `--` before its names
            names.append(word)
        else:
            flag, equals, value = word.partition("=")
            if flag not in fields:
                raise SettingsError(f"{flag} is not known: {USAGE}")
            _add(given, fields[flag], value if equals else _next(flag, words))
    return given, [name for name in names if name]


def _next(flag: str, words: Iterator[str]) -> str:
    if flag == "--strict":
        return "true"
    value = next(words, None)
    if value is None:
        raise SettingsError(f"{flag} needs a value: {USAGE}")
    return value


def _add(given: dict[str, object], name: str, value: str) -> None:
    """The last value of a setting wins; patterns add up."""
    before = given.get(name)
    given[name] = f"{before}\n{value}" if before and name in ("include", "exclude") else value


def _all_shrunk(settings: Settings, names: Sequence[str]) -> bool:
    """Fast path: decide from the bytes alone, before importing anything heavy."""
    if settings.include or settings.exclude or settings.overrides or settings.notes:
        return False
    sources = (Source(Path(name), name, Recipe(settings.quality, settings.embedded), ()) for name in names)
    return all(inspect(source, settings.min_size).state in (State.SHRUNK, State.SMALL) for source in sources)


def _shrink(settings: Settings, names: Sequence[str], baseline: str, rewritten: set[str]) -> int:
    from .pipeline.check import LEFT_ALONE
    from .session import Session

    with Session(settings) as session:
        found = [inspect(source, settings.min_size, in_place=True) for source in _sources(session, names)]
        waiting = [seen.source for seen in _unlisted(found, baseline) if seen.state is State.OPEN]
        left = [seen for seen in found if seen.state in LEFT_ALONE]
        return _run(session, waiting, left, rewritten)


def _sources(session: Session, names: Sequence[str]) -> Iterator[Source]:
    paths = [Path(name) for name in names]
    if not all(os.path.isfile(path) and not os.path.islink(path) for path in paths):
        refused = [path for path in paths if not os.path.lexists(path) and why_missing(path) != NO_FILE]
        paths = [*session.discover([path for path in paths if path not in refused]).found, *refused]
    return (
        session.selection.source(path, path.as_posix())
        for path in paths
        if not session.selection.excluded(path.absolute())
    )


def _run(session: Session, waiting: Sequence[Source], left: Sequence[Inspected], rewritten: set[str]) -> int:
    from .files.staging import restorable, set_aside
    from .pipeline.check import as_outcomes
    from .report import messages
    from .report.console import is_terminal
    from .report.progress import ProgressReporter

    watched = (
        is_terminal(sys.stderr) or session.spending.host
    )  # pre-commit shows output only at the end; uploads are announced anyway
    progress = ProgressReporter(session.settings, _info if watched else lambda _: None, session.spending, retry="")
    staged = restorable([source.name for source in waiting])
    in_place = session.in_place(waiting, named=(source.path for source in waiting))

    def destination(source: Source, seen: bytes, data: bytes) -> None:
        in_place(source, seen, data)
        rewritten.add(source.name)

    run = session.run(waiting, destination=destination, observer=progress, in_place=True) if waiting else iter(())
    outcomes = as_outcomes(left) + list(progress.counted(run))
    notes = progress.notes(outcomes, session.notes(), next_run="pre-commit run imgshrink --all-files")
    for line in _block(outcomes, rewritten, staged, rewritten & set_aside(os.environ) if rewritten else set()):
        _print(line)
    for line in messages.in_order(notes, strict=session.settings.strict):
        _info(line)
    strict = session.settings.strict and any(note.failure for note in notes)
    return STRICT if strict else REWROTE if rewritten else 0


def _block(outcomes: Sequence[Outcome], rewritten: set[str], staged: set[str], set_aside: set[str]) -> list[str]:
    """Return the lines about what was rewritten; no command to undo it where pre-commit is about to do so itself."""
    from .report import hook_messages, quoting

    runner = "prek" if os.environ.get("PREK_HOOK_STAGE") else "pre-commit"
    if set_aside:
        others = len(rewritten - set_aside)
        return [
            *hook_messages.summed_up(outcomes),
            hook_messages.partly_staged(sorted(set_aside), runner, others=others),
        ]
    program = f"{quoting.called(sys.executable)} -m imgshrink"
    base = str(Path.cwd()) if os.environ.get("GIT_PREFIX") else ""
    compare = f"{runner} run imgshrink-compare --hook-stage manual --files" if _compares() else f"{program} compare"
    return hook_messages.rewritten(outcomes, hook_messages.UndoCommands(staged, program, base, compare))


def _compares() -> bool:
    """Return whether the repository has the hook that compares among its own."""
    for name in CONFIGURATIONS:
        with suppress(OSError):
            if b"imgshrink-compare" in Path(name).read_bytes():
                return True
    return False


def _unlisted(found: Sequence[Inspected], baseline: str) -> Sequence[Inspected]:
    if not baseline:
        return found
    from .pipeline.baseline import read_baseline

    listed = read_baseline(Path(baseline))
    return [seen for seen in found if seen.digest not in listed]


def _info(text: str) -> None:
    _print(f"imgshrink: {text}")


def _print(text: str) -> None:
    from .report.console import put

    put(sys.stdout, text)


if __name__ == "__main__":
    sys.exit(main())
