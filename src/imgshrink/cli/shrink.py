"""`optimize` and `warm`: the commands that make images smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..mirror import Mirror
from ..place import nowhere
from ..runtime import opened
from .options import paths_argument, settings_of, settings_options, verbose_option
from .outlook import outlook
from .undo import start_again
from .work import found, work

SETTINGS = (
    "engine", "quality", "min_saving", "min_size", "include", "exclude", "jobs", "max_uploads", "max_time",
    "cache_dir", "cache_size", "strict", "report",
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
    with opened(settings_of(options)) as runtime:
        images = found(runtime, paths)
        if dry_run:
            return outlook(runtime, images)
        if redo:
            start_again(runtime, images.sources)
        if output is None:
            place = runtime.in_place(images.sources, named=paths)
            return work(runtime, images, place, in_place=True, verbose=verbose, unkept=place.unkept)
        mirror = Mirror(output, paths)
        return work(runtime, images, mirror, verbose=verbose, complete=mirror.complete)


@click.command()
@settings_options(*SETTINGS)
@click.option(
    "-f", "--config-file", type=EXISTING, is_eager=True, help="Take the folder and the settings of this mkdocs.yml."
)
@dry_run_option
@verbose_option
@paths_argument("warm docs/")
def warm(paths: tuple[Path, ...], config_file: Path | None, *, dry_run: bool, verbose: bool, **options: object) -> int:
    """Fill the cache and touch no file, so that the next build finds everything known."""
    among: frozenset[Path] | None = None
    mkdocs: Any = None
    if config_file is not None:
        from .build import build_of

        build = build_of(config_file)
        among, mkdocs, paths = build.files, build.options, paths or (build.folder,)
    with opened(settings_of(options, start=config_file, mkdocs=mkdocs)) as runtime:
        images = found(runtime, paths, among=among)
        return outlook(runtime, images) if dry_run else work(runtime, images, nowhere, verbose=verbose)
