"""`warm`: computes results ahead of time, into the cache."""

from __future__ import annotations

from pathlib import Path

import click

from ..files.destinations import nowhere
from ..session import Session
from .dry_run import dry_run_of
from .optimize import SETTINGS, dry_run_option
from .options import (
    build_from,
    build_option,
    examples,
    json_option,
    named_or_docs,
    paths_argument,
    quiet_option,
    settings_of,
    settings_options,
    verbose_option,
)
from .path_options import choose, list_options
from .run import Shown, find_images, run_over


@click.command(epilog=examples("warm docs/", "warm -f mkdocs.yml"))
@settings_options(*SETTINGS)
@build_option
@dry_run_option
@list_options
@json_option
@quiet_option
@verbose_option
@paths_argument("warm docs/")
def warm(
    paths: tuple[Path, ...],
    config_file: Path | None,
    files_from: str | None,
    since: str | None,
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: object,
) -> int:
    """Compute results ahead of time; files are not changed."""
    build = build_from(config_file)
    chosen = choose(named_or_docs(paths, build), files_from=files_from, since=since)
    shown = Shown(verbose=verbose, quiet=quiet, as_json=as_json)
    with Session(settings_of(options, build=build)) as session:
        images = find_images(session, chosen.paths, build=build, among=chosen.among)
        return dry_run_of(session, images, shown) if dry_run else run_over(session, images, nowhere, shown=shown)
