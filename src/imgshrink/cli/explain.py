"""`explain`: what one image is, whether it is shrunk and why not, which settings apply, how to undo."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import SettingsError, Unreadable
from ..core.model import Entry, Status, Verdict
from ..files.paths import absolute, why_missing
from ..files.reader import read
from ..image.seal import read_seal, why_not_sealable
from ..pipeline.inspection import Inspected, State
from ..pipeline.run import Policy, decide
from ..report.quoting import quoted, shown
from ..report.units import counted, share, size
from ..session import Session
from ..settings.credentials import API_URL
from ..variants import known_variant
from .explain_json import to_json, waits
from .options import PathName, build_from, build_option, examples, json_option, settings_of
from .output import info, print_result

if TYPE_CHECKING:
    from ..pipeline.resolution import Resolution
    from ..settings.schema import Settings

STATES = {
    State.SHRUNK: "shrunk",
    State.SMALL: "left alone: smaller than min_size",
    State.OPEN: "not shrunk yet",
}
EXCLUDED = "left alone: excluded"
SOURCE = "a source of the site, left as it is: builds publish the result"
NO_KEY = " (no API key: cached results only)"


@click.command(epilog=examples("explain docs/photo.jpg", "explain --json docs/photo.jpg"))
@build_option
@json_option
@click.argument("file", type=PathName(path_type=Path))
def explain(file: Path, config_file: Path | None, *, as_json: bool) -> int:
    """Show everything that is known about one image."""
    if not os.path.isfile(file):
        why = "a folder: name one image" if os.path.isdir(file) else why_missing(file)
        raise SettingsError(f"{shown(file)}: {why}")
    settings, problem = _readable(settings_of({}, build=build_from(config_file)))
    with Session(settings) as session:
        for line in [to_json(file, session)] if as_json else describe(file, session):
            print_result(line)
    if problem:
        info(f"imgshrink: {problem}") if as_json else print_result(_row("account", f"! {shown(problem)}"))
    return 0


def _readable(settings: Settings) -> tuple[Settings, str]:
    """Return the settings without an account that is wrong, and what is wrong with it."""
    try:
        with Session(settings) as session:
            session.require_account()
    except SettingsError as error:
        return replace(settings, api_key=None, account_problem="", api_url=API_URL), str(error)
    return settings, ""


def describe(path: Path, session: Session) -> Iterator[str]:
    """Yield lines about the file at `path`. Nothing is written, and no engine is called."""
    rows, _ = session.survey([session.selection.source(path, str(path))])
    seen, answer = rows[0].seen, rows[0].resolution
    yield f"{shown(str(path))}: {_kind(seen)}"
    excluded = session.selection.excluded(path)
    yield _row("state", EXCLUDED if excluded else _state(path, seen, session.settings))
    yield _row("seal", _seal(path, seen))
    if excluded:
        yield _row("excluded", _sources(path, session, "exclude", "include"))
    elif seen.state is State.OPEN:
        yield _row("result", _result(seen, answer, session))
    yield _row("quality", f"{seen.source.recipe.quality} ({_sources(path, session, 'quality', 'overrides')})")
    yield _row("engines", f"{_engines(seen, session)} ({_sources(path, session, 'engine', 'overrides')})")
    if known := _variant(path, seen, answer, session):
        yield _row("variant", known)
    yield from _undo(path, seen, session)


def _state(path: Path, seen: Inspected, settings: Settings) -> str:
    if (
        seen.state is State.OPEN
        and settings.docs is not None
        and absolute(path).is_relative_to(absolute(settings.docs))
    ):
        return SOURCE
    return STATES.get(seen.state, f"left alone: {seen.reason}")


def _engines(seen: Inspected, session: Session) -> str:
    names = [
        f"{name}{NO_KEY if name == 'hosted' and not session.settings.api_key else ''}" for name in seen.source.engines
    ]
    return ", then ".join(names)


def _row(name: str, text: str) -> str:
    return f"  {name:<9}{text}"


def _kind(seen: Inspected) -> str:
    info = seen.info
    if info is None:
        return seen.reason
    width, height = info.displayed
    frames = f", {counted(info.frames, 'frame')}" if info.animated else ""
    return f"{info.format.value.upper()}, {width} x {height}{frames}, {size(seen.size)}"


def _seal(path: Path, seen: Inspected) -> str:
    try:
        data = read(path)
    except Unreadable:
        return "none"
    quality = read_seal(data)
    if quality is not None:
        return f"shrunk by imgshrink at quality {quality}, unchanged since"
    reason = why_not_sealable(data) if seen.info else ""
    return f"none, and none is possible: {reason}" if reason else "none"


def _result(seen: Inspected, answer: Resolution | None, session: Session) -> str:
    if answer is not None and answer.entry is not None:
        return _verdict(seen, answer.entry, session.settings)
    if waits(seen, session):
        return f"paid for, and not collected yet: it waits at {session.hosted.host}, and the next run collects it"
    return "none yet: " + ("no engine is available" if answer else "the next run makes one")


def _verdict(seen: Inspected, entry: Entry, settings: Settings) -> str:
    by = f" ({entry.engine})" if entry.engine else ""
    if entry.verdict is Verdict.BETTER:
        sizes = f"{size(seen.size)} -> {size(len(entry.data))}, {share(seen.size, len(entry.data))} smaller{by}"
        return sizes if _is_enough(seen, entry, settings) else f"nothing to gain: {sizes}, less than min_saving"
    if entry.verdict is Verdict.REFUSED:
        return f"refused: {entry.reason}{by}"
    return f"an output of imgshrink{by}" if entry.verdict is Verdict.DONE else f"nothing to gain{by}"


def _is_enough(seen: Inspected, entry: Entry, settings: Settings) -> bool:
    """Return whether a run would replace the file by this result."""
    policy = Policy(settings.min_saving, settings.min_size, settings.seal, in_place=True)
    status, _ = decide(seen, read(seen.source.path), entry, policy, complete=True)
    return status is Status.OPTIMIZED


def _variant(path: Path, seen: Inspected, answer: Resolution | None, session: Session) -> str:
    """Return what is known of the modern variant beside what a build publishes of the file, "" for nothing."""
    try:
        data = read(path)
    except Unreadable:
        return ""
    published, entry = data, answer.entry if answer is not None else None
    if seen.state is State.OPEN and entry is not None:
        policy = Policy(session.settings.min_saving, session.settings.min_size, session.settings.seal)
        _, published = decide(seen, data, entry, policy, complete=True)
    return known_variant(session, data, published, seen.source.recipe.quality)


def _sources(path: Path, session: Session, *names: str) -> str:
    """Return where the settings of these names come from for the image at `path`."""
    sources = session.selection.rules(path).settings.sources
    return (
        ", ".join(dict.fromkeys(sources[name] for name in names if sources.get(name, "default") != "default"))
        or "default"
    )


def _undo(path: Path, seen: Inspected, session: Session) -> Iterator[str]:
    kept = session.originals.find(path)
    if kept is not None:
        yield _row("original", f"{size(len(kept))}, {share(len(kept), seen.size)} smaller now")
        yield _row("undo", f"imgshrink restore {quoted(str(path))}")
    elif seen.state is State.SHRUNK:
        yield _row("undo", f"no backup is kept; imgshrink restore {quoted(str(path))} looks in git")
