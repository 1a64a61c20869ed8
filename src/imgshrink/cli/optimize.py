"""`optimize`: shrink images in place, or into another folder."""

from __future__ import annotations

from pathlib import Path

import click

from ..files.destinations import Mirror
from ..session import Session
from .dry_run import outlook
from .options import paths_argument, settings_of, settings_options, verbose_option
from .restore import start_again
from .run import found, work

SETTINGS = (
    "engine", "quality", "min_saving", "min_size", "embedded", "include", "exclude", "jobs", "max_uploads",
    "max_time", "cache_dir", "cache_size", "strict", "report",
)  # fmt: skip
EXISTING = click.Path(path_type=Path)

dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing, spend nothing.")


@click.command()
@settings_options(*SETTINGS, "seal")
@click.option("--output", type=EXISTING, help="Leave the files alone, and put all images into this folder.")
@click.option("--redo", is_flag=True, help="Start again from the kept originals, or git's.")
@dry_run_option
@verbose_option
@paths_argument("optimize docs/")
def optimize(
    paths: tuple[Path, ...], output: Path | None, *, redo: bool, dry_run: bool, verbose: bool, **options: object
) -> int:
    """Make images smaller, in place or into another folder."""
    if redo and (dry_run or output is not None):
        raise click.UsageError("--redo goes neither with --dry-run nor with --output.")
    with Session(settings_of(options)) as session:
        images = found(session, paths)
        if dry_run:
            return outlook(session, images)
        if redo:
            start_again(session, images.sources)
        if output is None:
            destination = session.in_place(images.sources, named=paths)
            return work(session, images, destination, in_place=True, verbose=verbose, unkept=destination.unkept)
        mirror = Mirror(output, paths)
        return work(session, images, mirror, verbose=verbose, complete=mirror.complete)
