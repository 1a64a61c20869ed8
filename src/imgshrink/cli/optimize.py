"""`optimize`: shrinks images in place, or into another folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..files.destinations import destination_at
from ..report.quoting import quoted
from ..session import Session
from .dry_run import dry_run_of
from .options import (
    PathName,
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
from .path_options import STANDARD_INPUT, choose, list_options
from .restore import start_again
from .run import FEW, Shown, find_images, run_over
from .stream import optimize_stream

SETTINGS = (
    "engine", "quality", "min_saving", "min_size", "embedded", "include", "exclude", "jobs", "max_uploads",
    "max_time", "cache_dir", "cache_size", "shared_url", "shared_key", "strict", "report",
)  # fmt: skip
EXISTING = PathName(path_type=Path)

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done; write and upload nothing.")


@click.command(
    epilog=examples(
        "optimize docs/",
        "optimize --dry-run docs/",
        'optimize --quality 90 --exclude "docs/photos/" docs/',
        "optimize --output small/ docs/",
        "optimize --redo --quality 90 docs/photo.jpg",
    )
)
@settings_options(*SETTINGS, "seal")
@click.option(
    "--output",
    type=EXISTING,
    help="Write all images into this folder, or one image to this file, and leave the originals as they are.",
)
@build_option
@click.option("--redo", is_flag=True, help="Start again from the originals, from the backup or from git.")
@dry_run_option
@list_options
@json_option
@quiet_option
@verbose_option
@paths_argument("optimize docs/")
def optimize(
    paths: tuple[Path, ...],
    output: Path | None,
    config_file: Path | None,
    files_from: str | None,
    since: str | None,
    *,
    redo: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: object,
) -> int:
    """Shrink images, in place or into another folder.

    Folders are searched recursively, without what git ignores. With - as the only path, an image is read from standard
    input and written to standard output.
    """
    if redo and (dry_run or output is not None):
        raise click.UsageError("--redo can't be combined with --dry-run or --output.")
    if STANDARD_INPUT in map(str, paths):
        _stand_alone(len(paths) > 1, output, config_file, files_from, since, redo, dry_run, as_json)
        return optimize_stream(settings_of(options))
    build = build_from(config_file)
    chosen = choose(named_or_docs(paths, build), files_from=files_from, since=since)
    shown = Shown(verbose=verbose, quiet=quiet, as_json=as_json)
    with Session(settings_of(options, build=build)) as session:
        images = find_images(session, chosen.paths, build=build, among=chosen.among)
        if dry_run:
            return dry_run_of(session, images, shown)
        again = "" if redo else _again(session.settings.quality, paths)
        if redo:
            session.require_account()
            start_again(session, images.sources)
        if output is None:
            place = session.in_place(images.sources, named=[path for path in chosen.paths if path != Path()])
            return run_over(session, images, place, shown=shown, in_place=True, unkept=place.unkept, redo=again)
        elsewhere = destination_at(output, chosen.paths)
        return run_over(session, images, elsewhere, shown=shown, complete=elsewhere.complete, redo=again)


def _again(quality: int, paths: Sequence[Path]) -> str:
    """Return the command that shrinks the images at `paths` from their originals."""
    targets = "".join(f" {quoted(str(path))}" for path in paths) if len(paths) <= FEW else ""
    return f"imgshrink optimize --redo --quality {quality}{targets}"


def _stand_alone(*others: object) -> None:
    if any(others):
        raise click.UsageError("- stands alone: one image comes from standard input and goes to standard output.")
