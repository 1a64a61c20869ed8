"""`check`: fails for images without a valid seal. Works offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from ..core.errors import SettingsError
from ..core.model import Note
from ..image.signatures import LFS_POINTER
from ..pipeline import baseline as baselines
from ..pipeline.check import Checked, as_outcomes
from ..pipeline.check import check as check_images
from ..pipeline.inspection import State
from ..report import findings
from ..report.findings import CheckSummary, Finding
from ..report.hook_messages import all_shrunk, not_shrunk, too_large, under
from ..report.messages import in_order, left_alone
from ..report.quoting import shown
from ..report.tables import LISTED
from ..report.units import counted
from ..session import Session
from ..settings.project import OWN, SHARED
from ..settings.schema import Settings
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
    size_of_option,
    verbose_option,
)
from .output import info, print_result
from .path_options import choose, list_options
from .run import Images, find_images

FINE, FAILING, WRONG_USE, FAILURES = 0, 1, 2, 3
FILE = PathName(path_type=Path, dir_okay=False)


@click.command(
    epilog=examples(
        "check", "check --since main", "check --max-size 500kB docs/", "check --baseline .imgshrink-baseline docs/"
    )
)
@build_option
@settings_options("quality", "min_size", "seal", "embedded", "include", "exclude", "strict")
@click.option("--baseline", type=FILE, help="Let the images pass that this file lists.")
@click.option(
    "--write-baseline",
    type=FILE,
    help="List all images that are not shrunk in this file, so that they pass from now on.",
)
@click.option(
    "--max-size", callback=size_of_option, metavar="SIZE", help="Fail for larger files too, shrunk or not: 500kB, 2MiB."
)
@list_options
@json_option
@click.option(
    "--output-format",
    type=click.Choice(["text", "json", "github", "gitlab"]),
    default="text",
    help="github prints annotations, which GitHub Actions gets with text too; gitlab prints a code quality report.",
)
@quiet_option
@verbose_option
@paths_argument("check docs/", all_tracked=True)
def check(
    paths: tuple[Path, ...],
    config_file: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    max_size: int | None,
    files_from: str | None,
    since: str | None,
    output_format: str,
    *,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: object,
) -> int:
    """Fail for images that are not shrunk yet. Works offline and changes nothing.

    Without a path it checks all images below the working folder that git tracks.
    """
    build = build_from(config_file)
    chosen = choose(named_or_docs(paths, build), files_from=files_from, since=since, all_tracked=True)
    with Session(settings_of(options, build=build)) as session:
        settings = session.settings
        images = find_images(session, chosen.paths, build=build, among=chosen.among)
        listed = frozenset[str]()
        if baseline is not None and write_baseline is None:  # a new list holds all images that are not shrunk
            listed = baselines.read_baseline(baseline)
        checked = check_images(
            images.sources, min_size=settings.min_size, seal=settings.seal, baseline=listed, max_size=max_size
        )
    if not (images.sources or images.excluded or images.notes or chosen.listed):
        raise SettingsError(f"no images found in {chosen.where}: name files or folders that hold images")
    for note in (*images.notes, *images.hints):
        info(f"imgshrink: {note}")
    if write_baseline is not None:
        return _write(write_baseline, checked)
    report = _Report(checked, images, settings, max_size or 0, chosen.where)
    code = _code(checked, settings, pointers=_report_pointers(checked))
    report.print("json" if as_json else output_format, code, quiet=quiet, verbose=verbose)
    return code


class _Report:
    """Prints what a check found, for people or for programs."""

    def __init__(self, checked: Checked, images: Images, settings: Settings, max_size: int, where: str) -> None:
        self._checked, self._images, self._settings = checked, images, settings
        self._max_size = max_size
        self._where = where

    def print(self, form: str, code: int, *, quiet: bool, verbose: bool) -> None:
        """Print the report in one of the forms of `--output-format`."""
        if form == "json":
            notes = [*self._images.notes, *self._images.hints]
            print_result(findings.to_json(self._findings(), self._summary(), notes, passed=code == FINE))
        elif form == "gitlab":
            print_result(findings.to_gitlab(self._findings(), os.environ))
        elif form == "github":
            self._annotate()
        else:
            self._print_text(code, quiet=quiet, verbose=verbose)
            if os.environ.get("GITHUB_ACTIONS") == "true":
                self._annotate()

    def _annotate(self) -> None:
        for line in findings.to_github(self._findings(), os.environ):
            print_result(line)

    def _print_text(self, code: int, *, quiet: bool, verbose: bool) -> None:
        checked = self._checked
        for line in self._blocks(verbose=verbose):
            print_result(line)
        if not (checked.failing or quiet or code == WRONG_USE):
            print_result(self._passed())
        if checked.left and (verbose or code == FAILURES):
            notes = [Note(left_alone(as_outcomes(checked.left)))]
            for line in in_order(notes, strict=code == FAILURES):
                info(f"imgshrink: {line}")

    def _blocks(self, *, verbose: bool) -> Iterator[str]:
        checked, hook = self._checked, bool(os.environ.get("PRE_COMMIT"))
        if rows := as_outcomes(checked.not_shrunk):
            listed, file = len(rows) if verbose else LISTED, _file(self._settings)
            yield from not_shrunk(rows, checked.images, hook=hook, runner=_runner(), file=file, listed=listed)
        if rows := as_outcomes(checked.too_large):
            yield from too_large(rows, self._max_size, listed=len(rows) if verbose else LISTED)

    def _passed(self) -> str:
        checked = self._checked
        passed = {
            "in the baseline": checked.listed,
            under(self._settings.min_size): checked.small,
            "left alone": len(checked.left),
        }
        return all_shrunk(checked.images, passed, excluded=self._images.excluded, paths=self._where)

    def _findings(self) -> Iterator[Finding]:
        checked = self._checked
        yield from (Finding(row, findings.NOT_SHRUNK) for row in as_outcomes(checked.not_shrunk))
        yield from (Finding(row, findings.TOO_LARGE, self._max_size) for row in as_outcomes(checked.too_large))
        yield from (Finding(row, findings.LEFT_ALONE) for row in as_outcomes(checked.left))

    def _summary(self) -> CheckSummary:
        checked = self._checked
        others = len(checked.not_shrunk) + checked.listed + checked.small + len(checked.left)
        return CheckSummary(
            images=checked.images,
            shrunk=checked.images - others,
            not_shrunk=len(checked.not_shrunk),
            too_large=len(checked.too_large),
            in_baseline=checked.listed,
            small=checked.small,
            left_alone=len(checked.left),
            excluded=self._images.excluded,
        )


def _report_pointers(checked: Checked) -> int:
    """Say how many images are not there to be checked, and return their number."""
    pointers = sum(image.reason == LFS_POINTER for image in checked.left)
    if pointers:
        info(f"imgshrink: not checked: {counted(pointers, 'Git LFS pointer')}. Run git lfs pull first")
    return pointers


def _write(file: Path, checked: Checked) -> int:
    rows = [(seen.digest, seen.source.name) for seen in checked.failing if seen.digest]
    count = baselines.write_baseline(file, rows)
    print_result(f"imgshrink: {counted(count, 'image')} listed in {shown(str(file))}")
    return FINE


def _runner() -> str:
    return "prek" if os.environ.get("PREK_HOOK_STAGE") else "pre-commit"


def _file(settings: Settings) -> str:
    shared = settings.base / SHARED
    return SHARED if any(str(shared) in source for source in settings.sources.values()) else OWN


def _code(checked: Checked, settings: Settings, *, pointers: int) -> int:
    """Return the exit code: wrong use where nothing but pointers to images was there.

    Under `strict` a broken image fails too, one that is left alone on purpose does not.
    """
    if 0 < pointers == checked.images:
        return WRONG_USE
    if settings.strict and any(seen.state in (State.BROKEN, State.UNREADABLE) for seen in checked.left):
        return FAILURES
    return FAILING if checked.failing else FINE
