"""`warm`: computes results ahead of time, into the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..files.destinations import nowhere
from ..session import Session
from .dry_run import dry_run_of
from .optimize import EXISTING, SETTINGS, dry_run_option
from .options import json_option, paths_argument, quiet_option, settings_of, settings_options, verbose_option
from .path_options import choose, list_options
from .run import Shown, find_images, run_over


@click.command()
@settings_options(*SETTINGS)
@click.option(
    "-f", "--config-file", type=EXISTING, is_eager=True, help="Use the folder and the settings of this mkdocs.yml."
)
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
    among: frozenset[Path] | None = None
    mkdocs: Any = None
    if config_file is not None:
        from .mkdocs_config import build_of

        build = build_of(config_file)
        among, mkdocs, paths = build.files, build.options, paths or (build.folder,)
    chosen = choose(paths, files_from=files_from, since=since)
    meant = [files for files in (among, chosen.among) if files is not None]
    shown = Shown(verbose=verbose, quiet=quiet, as_json=as_json)
    with Session(settings_of(options, start=config_file, mkdocs=mkdocs)) as session:
        images = find_images(session, chosen.paths, among=frozenset.intersection(*meant) if meant else None)
        return dry_run_of(session, images, shown) if dry_run else run_over(session, images, nowhere, shown=shown)
