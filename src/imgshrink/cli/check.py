"""`check`: fails for images without a valid seal. Works offline."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..core.errors import SettingsError
from ..image.signatures import LFS_POINTER
from ..pipeline import baseline as baselines
from ..pipeline.check import Checked, as_outcomes
from ..pipeline.check import check as check_images
from ..pipeline.inspection import State
from ..report.hook_messages import all_shrunk, not_shrunk, under
from ..report.messages import left_alone
from ..report.quoting import shown
from ..report.tables import LISTED
from ..report.units import counted
from ..session import Session
from ..settings.project import OWN, SHARED
from ..settings.schema import Settings
from .options import (
    build_from,
    build_option,
    named_or_docs,
    paths_argument,
    settings_of,
    settings_options,
    verbose_option,
)
from .output import info, print_result
from .run import find_images

FINE, NOT_SHRUNK, WRONG_USE, FAILURES = 0, 1, 2, 3
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@build_option
@settings_options("quality", "min_size", "seal", "embedded", "include", "exclude", "strict")
@click.option("--baseline", type=FILE, help="Let the images pass that this file lists.")
@click.option(
    "--write-baseline",
    type=FILE,
    help="List all images that are not shrunk in this file, so that they pass from now on.",
)
@verbose_option
@paths_argument("check docs/")
def check(
    paths: tuple[Path, ...],
    config_file: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    *,
    verbose: bool,
    **options: object,
) -> int:
    """Fail for images that are not shrunk yet. Works offline and changes nothing."""
    build = build_from(config_file)
    paths = named_or_docs(paths, build)
    with Session(settings_of(options, build=build)) as session:
        settings = session.settings
        images = find_images(session, paths, build=build)
        listed = frozenset[str]()
        if baseline is not None and write_baseline is None:  # a new list holds all images that are not shrunk
            listed = baselines.read_baseline(baseline)
        checked = check_images(images.sources, min_size=settings.min_size, seal=settings.seal, baseline=listed)
    where = ", ".join(shown(str(path)) for path in paths)
    if not (images.sources or images.excluded or images.notes):
        raise SettingsError(f"no images found in {where}: name files or folders that hold images")
    for note in (*images.notes, *images.hints):
        info(f"imgshrink: {note}")
    if write_baseline is not None:
        return _write(write_baseline, checked)
    if checked.not_shrunk:
        _print_not_shrunk(checked, settings, verbose=verbose)
    else:
        print_result(all_shrunk(checked.images, _passed(checked, settings), excluded=images.excluded, paths=where))
    if verbose and checked.left:
        info(f"imgshrink: {left_alone(as_outcomes(checked.left))}")
    return _code(checked, settings, pointers=_report_pointers(checked))


def _report_pointers(checked: Checked) -> int:
    """Say how many images are not there to be checked, and return their number."""
    pointers = sum(image.reason == LFS_POINTER for image in checked.left)
    if pointers:
        info(f"imgshrink: not checked: {counted(pointers, 'Git LFS pointer')}. Run git lfs pull first")
    return pointers


def _write(file: Path, checked: Checked) -> int:
    rows = [(seen.digest, seen.source.name) for seen in checked.not_shrunk]
    count = baselines.write_baseline(file, rows)
    print_result(f"imgshrink: {counted(count, 'image')} listed in {shown(str(file))}")
    return FINE


def _print_not_shrunk(checked: Checked, settings: Settings, *, verbose: bool) -> None:
    rows = as_outcomes(checked.not_shrunk)
    hook = bool(os.environ.get("PRE_COMMIT"))
    listed = len(rows) if verbose else LISTED
    for line in not_shrunk(rows, checked.images, hook=hook, runner=_runner(), file=_file(settings), listed=listed):
        print_result(line)


def _runner() -> str:
    return "prek" if os.environ.get("PREK_HOOK_STAGE") else "pre-commit"


def _file(settings: Settings) -> str:
    shared = settings.base / SHARED
    return SHARED if any(str(shared) in source for source in settings.sources.values()) else OWN


def _passed(checked: Checked, settings: Settings) -> dict[str, int]:
    return {
        "in the baseline": checked.listed,
        under(settings.min_size): checked.small,
        "left alone": len(checked.left),
    }


def _code(checked: Checked, settings: Settings, *, pointers: int) -> int:
    """Return the exit code: wrong use where nothing but pointers to images was there.

    Under `strict` a broken image fails too, one that is left alone on purpose does not.
    """
    if 0 < pointers == checked.images:
        return WRONG_USE
    if settings.strict and any(seen.state in (State.BROKEN, State.UNREADABLE) for seen in checked.left):
        return FAILURES
    return NOT_SHRUNK if checked.not_shrunk else FINE
