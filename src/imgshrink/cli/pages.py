"""`pages`: rewrites the pages of a built site, whatever generator made it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from ..core.errors import SettingsError
from ..core.model import Note
from ..files.paths import absolute, why_missing
from ..pages.options import MODERN, OFF, Options, options_for, require
from ..pages.site import pages_of, rewrite
from ..report import pages as words
from ..report.messages import in_order
from ..report.quoting import shown
from ..session import Session
from .options import PathName, examples, json_option, quiet_option, settings_of, settings_options
from .output import info, print_result

if TYPE_CHECKING:
    from ..settings.schema import Settings

FINE, FAILURES = 0, 3
SETTINGS = (
    "pages", "pages_formats", "pages_saving", "pages_eager", "pages_exclude",
    "quality", "include", "exclude", "jobs", "max_time", "cache_dir", "cache_size", "strict",
)  # fmt: skip
EXAMPLE = "pages site/"


def _folder(context: click.Context, parameter: click.Parameter, value: str | None) -> Path:  # noqa: ARG001  click's own
    if value is None:
        raise click.UsageError(f"Name the folder of a built site, for example: imgshrink {EXAMPLE}", context)
    return Path(value)


def _root(context: click.Context, parameter: click.Parameter, value: str) -> str:  # noqa: ARG001  click's own
    return f"/{value.strip('/')}/" if value.strip("/") else "/"


@click.command(
    epilog=examples(EXAMPLE, "pages --dry-run public/", "pages --pages reserve _build/html", "pages --undo site/")
)
@settings_options(*SETTINGS)
@click.option(
    "--base-path",
    default="/",
    metavar="PATH",
    callback=_root,
    help="Path below which the site is published, such as /docs/. [/]",
)
@click.option("--undo", is_flag=True, help="Take everything back that was written into the pages before.")
@click.option("--dry-run", is_flag=True, help="Show what would be done to pages; write nothing, make no variants.")
@json_option
@quiet_option
@click.argument("site", required=False, type=PathName(), callback=_folder)
def pages(
    site: Path, base_path: str, *, undo: bool, dry_run: bool, as_json: bool, quiet: bool, **options: object
) -> int:
    """Write sizes, lazy loading and modern variants of images into the pages of a built site.

    It runs after the generator, each time. Not for sites that React or Vue builds again in the browser.
    """
    _require_site(site)
    with Session(settings_of(options)) as session:
        wanted = _wanted(session, site, base_path, undo=undo, dry_run=dry_run)
        summary = rewrite(site, wanted)
        others = session.notes()
    if as_json:
        print_result(json.dumps({"version": 1, "pages": words.to_dict(summary)}, indent=1))
    elif not quiet:
        say = words.taken_back if undo else words.result
        print_result(f"imgshrink: {say(summary, dry_run=dry_run)}")
    return _noted([*words.notes(summary), *others], strict=session.settings.strict)


def _require_site(site: Path) -> None:
    """Raise `SettingsError` with the cure for what is no folder of a built site."""
    if not os.path.exists(site):
        why = why_missing(site, kind="folder")
        raise SettingsError(f"{shown(str(site))}: {why}. Build the site first, then name its folder")
    if not os.path.isdir(site):
        raise SettingsError(f"{shown(str(site))} is a file: name the folder of the built site")
    if not pages_of(site):
        raise SettingsError(
            f"{shown(str(site))} holds no HTML pages: name the folder of the built site, such as site/, public/ or "
            "_build/html"
        )


def _wanted(session: Session, site: Path, root: str, *, undo: bool, dry_run: bool) -> Options:
    settings = session.settings
    if undo:
        return Options(root=root, undo=True, dry_run=dry_run)
    require(settings)
    where = settings.sources.get("pages", "default")
    if settings.pages == OFF and where != "default":
        raise SettingsError(f"pages is off ({where}): set it to reserve or modern, or add --pages modern")
    return options_for(
        settings if settings.pages != OFF else replace(settings, pages=MODERN),
        root=root,
        known_by=lambda file: _known_by(settings, site, file),
        excluded=session.selection.excluded,
        original=lambda file: None if settings.docs is None else settings.docs / file,
        variants=session.variants,
        waiting=words.Patience(lambda line: info(f"imgshrink: {line}")),
        dry_run=dry_run,
    )


def _known_by(settings: Settings, site: Path, file: PurePosixPath) -> list[Path]:
    """Return the paths that patterns may name a file by: where it was published, and where it is in the docs."""
    return [absolute(site / file), *([settings.docs / file] if settings.docs is not None else [])]


def _noted(notes: list[Note], *, strict: bool) -> int:
    for line in in_order(notes, strict=strict):
        info(f"imgshrink: {line}")
    return FAILURES if strict and any(note.failure for note in notes) else FINE
