"""`warm`: computes results ahead of time, into the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..files.destinations import nowhere
from ..session import Session
from .dry_run import dry_run_of
from .optimize import EXISTING, SETTINGS, dry_run_option
from .options import paths_argument, settings_of, settings_options, verbose_option
from .run import find_images, run_over


@click.command()
@settings_options(*SETTINGS)
@click.option(
    "-f", "--config-file", type=EXISTING, is_eager=True, help="Use the folder and the settings of this mkdocs.yml."
)
@dry_run_option
@verbose_option
@paths_argument("warm docs/")
def warm(paths: tuple[Path, ...], config_file: Path | None, *, dry_run: bool, verbose: bool, **options: object) -> int:
    """Compute results ahead of time; files are not changed."""
    among: frozenset[Path] | None = None
    mkdocs: Any = None
    if config_file is not None:
        from .mkdocs_config import build_of

        build = build_of(config_file)
        among, mkdocs, paths = build.files, build.options, paths or (build.folder,)
    with Session(settings_of(options, start=config_file, mkdocs=mkdocs)) as session:
        images = find_images(session, paths, among=among)
        return dry_run_of(session, images) if dry_run else run_over(session, images, nowhere, verbose=verbose)
