"""`cache`: what is remembered, and its upkeep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..report.quoting import shown
from ..report.units import counted, size
from ..session import Session
from ..settings.parsers import InvalidValue, RawValue
from ..settings.parsers import size as size_of
from .options import settings_of
from .output import say, tell

if TYPE_CHECKING:
    from ..cache.local import LocalCache
    from ..cache.maintenance import Removed

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def cache() -> None:
    """Look at what is remembered, or tend it."""


@contextmanager
def _opened() -> Iterator[LocalCache]:
    with Session(settings_of({})) as session:
        yield session.cache
        for note in session.cache.notes():
            say(f"imgshrink: {note}")


@cache.command()
def info() -> None:
    """Say where it is and what it holds."""
    with _opened() as opened_cache:
        held = opened_cache.info()
        limit = settings_of({}).cache_size
    tell(f"folder    {shown(str(held.folder))}")
    tell(f"entries   {held.entries}, {size(held.bytes)} of at most {size(limit)}")
    for verdict, count in sorted(held.verdicts.items()):
        tell(f"  {verdict:<12}{count}")
    if held.oldest is not None:
        tell(f"oldest    {datetime.fromtimestamp(held.oldest, UTC):%Y-%m-%d}")


@cache.command()
def verify() -> None:
    """Read every record and remove those that are damaged."""
    with _opened() as opened_cache:
        removed = opened_cache.verify_all()
    tell(f"imgshrink: {_entries(removed.left)} sound, {removed.entries} damaged and removed")


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else size_of(RawValue(value, text=True))
    except InvalidValue as error:
        raise click.BadParameter(f"{value!r}; it must be {error}", context, parameter) from None


@cache.command()
@click.option("--size", "limit", callback=_size, metavar="SIZE", help="Prune to this size, such as 500MB [cache_size].")
def prune(limit: int | None) -> None:
    """Remove what was not used for longest."""
    with _opened() as opened_cache:
        _tell_removed(opened_cache.prune(limit))


@cache.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(*, yes: bool) -> None:
    """Remove everything that is remembered."""
    with _opened() as opened_cache:
        if not yes:
            held = opened_cache.info()
            if not click.confirm(f"Remove {_entries(held.entries)}, {size(held.bytes)}?", err=True):
                tell("imgshrink: nothing removed")
                return
        _tell_removed(opened_cache.clear())


@cache.command("export")
@click.argument("file", type=FILE)
def export(file: Path) -> None:
    """Write all entries to a file, for another machine."""
    with _opened() as opened_cache:
        count = opened_cache.export(file)
    tell(f"imgshrink: {_entries(count)} written to {shown(str(file))}")


@cache.command("import")
@click.argument("file", type=FILE)
def import_(file: Path) -> None:
    """Take the entries of a file that `export` wrote. Import only what you trust."""
    with _opened() as opened_cache:
        taken = opened_cache.import_(file)
    refused = f", {taken.refused} refused" if taken.refused else ""
    tell(f"imgshrink: {_entries(taken.stored)} taken{refused}")


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")


def _tell_removed(removed: Removed) -> None:
    tell(f"imgshrink: {_entries(removed.entries)} removed ({size(removed.bytes)}), {removed.left} left")
