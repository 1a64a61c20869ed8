"""`cache`: information about the cache, and its maintenance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import SettingsError
from ..report.quoting import shown
from ..report.units import counted, size
from ..session import Session
from ..settings.shared import SECRET
from ..shared_tier import wanted_tier
from .options import PathName, json_option, settings_of, size_of_option
from .output import info, print_result

if TYPE_CHECKING:
    from ..cache.local import LocalCache
    from ..cache.maintenance import CacheInfo, Removed

FILE = PathName(path_type=Path, dir_okay=False)
VERDICTS = {
    "better": "results that are smaller",
    "done": "known as outputs of imgshrink",
    "not-smaller": "with nothing to gain",
    "refused": "with no result that looks the same",
}
VERSION = 1
"""Of the JSON of `cache info`."""


@click.group()
def cache() -> None:
    """Show what the cache holds, or maintain it."""


@contextmanager
def _session() -> Iterator[Session]:
    with Session(settings_of({})) as session:
        yield session
        for note in session.local_cache.notes():
            info(f"imgshrink: {note}")


@contextmanager
def _opened() -> Iterator[LocalCache]:
    with _session() as session:
        yield session.local_cache


@cache.command("info")
@json_option
def show_info(*, as_json: bool) -> None:
    """Show the folder of the cache and what it holds."""
    with _session() as session:
        held, limit = session.local_cache.info(), session.settings.cache_size
        shared = {cache.folder.name: cache.info() for cache in _believed(session.local_cache)}
    if as_json:
        print_result(_as_json(held, limit))
        return
    print_result(f"folder    {shown(str(held.folder))}")
    print_result(f"entries   {held.entries}, {size(held.bytes)} of at most {size(limit)}")
    for verdict, count in sorted(held.verdicts.items()):
        print_result(f"  {count:>7} {VERDICTS.get(verdict, verdict)}")
    if held.oldest is not None:
        print_result(f"oldest    {datetime.fromtimestamp(held.oldest, UTC):%Y-%m-%d}")
    for key_id, believed in shared.items():
        print_result(f"shared    {believed.entries}, {size(believed.bytes)}, signed by key {shown(key_id)}")


def _as_json(held: CacheInfo, limit: int) -> str:
    oldest = None if held.oldest is None else datetime.fromtimestamp(held.oldest, UTC).isoformat(timespec="seconds")
    document = {
        "version": VERSION,
        "folder": str(held.folder),
        "entries": held.entries,
        "bytes": held.bytes,
        "limit": limit,
        "verdicts": dict(sorted(held.verdicts.items())),
        "oldest": oldest,
    }
    return json.dumps(document, indent=1)


@cache.command()
def verify() -> None:
    """Read every entry and remove the damaged ones."""
    with _opened() as opened_cache:
        removed = opened_cache.verify_all()
    print_result(f"imgshrink: {_entries(removed.left)} sound, {removed.entries} damaged and removed")


@cache.command()
@click.option(
    "--size",
    "limit",
    callback=size_of_option,
    metavar="SIZE",
    help="Remove entries down to this size, such as 500MB [cache_size].",
)
def prune(limit: int | None) -> None:
    """Remove the entries that were not used for the longest time."""
    with _opened() as opened_cache:
        _print_removed(opened_cache.prune(limit))


@cache.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def clear(*, yes: bool) -> None:
    """Remove all entries."""
    with _opened() as opened_cache:
        if not yes:
            held = opened_cache.info()
            if not click.confirm(f"Remove {_entries(held.entries)}, {size(held.bytes)}?", err=True):
                print_result("imgshrink: nothing removed")
                return
        _print_removed(opened_cache.clear())
        for believed in _believed(opened_cache):
            print_result(f"imgshrink: {_entries(believed.clear().entries)} of a shared cache removed")
            believed.close()


@cache.command("export")
@click.argument("file", type=FILE)
def export(file: Path) -> None:
    """Write all entries to a file, for another machine."""
    with _opened() as opened_cache:
        count = opened_cache.export(file)
    print_result(f"imgshrink: {_entries(count)} written to {shown(str(file))}")


@cache.command("import")
@click.argument("file", type=FILE)
def import_(file: Path) -> None:
    """Add the entries of a file that `export` wrote. Import only files that you trust."""
    with _opened() as opened_cache:
        imported = opened_cache.import_(file)
    refused = f", {imported.refused} refused" if imported.refused else ""
    print_result(f"imgshrink: {_entries(imported.stored)} added{refused}")


@cache.command()
def keygen() -> None:
    """Make a pair of keys for a shared cache, and print it."""
    try:
        from ..cache.signature import Signer, new_secret
    except ImportError as error:
        raise SettingsError(f"{error.name} is not installed: pip install 'imgshrink[shared]'") from None
    secret = new_secret()
    info("imgshrink: the key is public; the secret belongs to builds of the main branch alone, and is shown only now")
    print_result(f"IMGSHRINK_SHARED_KEY={Signer(secret).public}")
    print_result(f"{SECRET}={secret}")


@cache.command()
def push() -> None:
    """Write the results in the cache to the shared cache."""
    with _session() as session:
        wanted, unused = wanted_tier(session.settings), session.settings.shared.unused
        if wanted is None:
            raise SettingsError("shared_url is not set: IMGSHRINK_SHARED_URL=s3://bucket/folder")
        if not wanted.secret:
            raise SettingsError(unused or f"{SECRET} is not set: without it nothing can be signed")
        from ..cache.opening import open_parts

        parts = open_parts(wanted)
        from ..cache.push import push as push_all

        assert parts.signer is not None
        pushed = push_all(session.local_cache, parts.shelf, parts.signer)
    print_result(f"imgshrink: {_entries(pushed.added)} added to {wanted.url}, {pushed.there} there already")


def _believed(local: LocalCache) -> list[LocalCache]:
    """Return the caches that hold what came from shared ones."""
    from ..cache.local import LocalCache
    from ..cache.opening import believed_folders

    return [LocalCache(folder) for folder in believed_folders(local.folder)]


def _entries(count: int) -> str:
    return counted(count, "entry", "entries")


def _print_removed(removed: Removed) -> None:
    print_result(f"imgshrink: {_entries(removed.entries)} removed ({size(removed.bytes)}), {removed.left} left")
