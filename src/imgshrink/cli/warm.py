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
    named_or_docs,
    paths_argument,
    settings_of,
    settings_options,
    verbose_option,
)
from .run import find_images, run_over


@click.command()
@settings_options(*SETTINGS)
@build_option
@dry_run_option
@verbose_option
@paths_argument("warm docs/")
def warm(paths: tuple[Path, ...], config_file: Path | None, *, dry_run: bool, verbose: bool, **options: object) -> int:
    """Compute results ahead of time; files are not changed."""
    build = build_from(config_file)
    with Session(settings_of(options, build=build)) as session:
        images = find_images(session, named_or_docs(paths, build), build=build)
        return dry_run_of(session, images) if dry_run else run_over(session, images, nowhere, verbose=verbose)
