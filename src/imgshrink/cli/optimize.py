"""`optimize`: shrinks images in place, or into another folder."""

from __future__ import annotations

from pathlib import Path

import click

from ..files.destinations import Mirror
from ..session import Session
from .dry_run import dry_run_of
from .options import (
    build_from,
    build_option,
    named_or_docs,
    paths_argument,
    settings_of,
    settings_options,
    verbose_option,
)
from .restore import start_again
from .run import find_images, run_over

SETTINGS = (
    "engine", "quality", "min_saving", "min_size", "embedded", "include", "exclude", "jobs", "max_uploads",
    "max_time", "cache_dir", "cache_size", "strict", "report",
)  # fmt: skip
EXISTING = click.Path(path_type=Path)

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done; write and upload nothing.")


@click.command()
@settings_options(*SETTINGS, "seal")
@click.option("--output", type=EXISTING, help="Write all images into this folder, and leave the originals as they are.")
@build_option
@click.option("--redo", is_flag=True, help="Start again from the originals, from the backup or from git.")
@dry_run_option
@verbose_option
@paths_argument("optimize docs/")
def optimize(
    paths: tuple[Path, ...],
    output: Path | None,
    config_file: Path | None,
    *,
    redo: bool,
    dry_run: bool,
    verbose: bool,
    **options: object,
) -> int:
    """Shrink images, in place or into another folder. Folders are searched recursively, without what git ignores."""
    if redo and (dry_run or output is not None):
        raise click.UsageError("--redo can't be combined with --dry-run or --output.")
    build = build_from(config_file)
    paths = named_or_docs(paths, build)
    with Session(settings_of(options, build=build)) as session:
        images = find_images(session, paths, build=build)
        if dry_run:
            return dry_run_of(session, images)
        if redo:
            session.require_account()
            start_again(session, images.sources)
        if output is None:
            destination = session.in_place(images.sources, named=paths)
            return run_over(session, images, destination, in_place=True, verbose=verbose, unkept=destination.unkept)
        mirror = Mirror(output, paths)
        return run_over(session, images, mirror, verbose=verbose, complete=mirror.complete)
