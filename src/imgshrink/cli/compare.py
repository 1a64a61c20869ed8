"""`compare`: writes the report's page for a few images, each beside its original or beside a git revision."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import SettingsError, Unwritable
from ..core.model import Outcome, Recipe, Source, Status
from ..files.atomic import write
from ..files.discovery import ENDINGS
from ..files.git import modified_since, revision, staged
from ..files.paths import absolute, relative_name
from ..pipeline.comparison import Pair, Unpaired, with_original, with_revision
from ..report import advice
from ..report.quoting import shown
from ..report.summary import summarize
from ..report.units import counted
from ..session import Session
from .options import PathName, examples, settings_of
from .output import info, print_result

if TYPE_CHECKING:
    from ..report.html.images import ReportImages

FINE, FAILURES = 0, 3
LISTED = 10
ROOM = 1_000_000_000
"""Bytes of images that a page may have beside it: these few were asked for, so all are shown in full size."""
NOTHING = (
    "nothing to compare. Name images that were shrunk in place on this machine, "
    "or a git revision that holds them as they were, for example: imgshrink compare HEAD~1 docs/photo.jpg"
)
NOTHING_IN_HOOK = (
    "nothing to compare: none of these images was shrunk by the hook on this machine, or their originals are gone"
)


@dataclass(frozen=True)
class Wanted:
    """The files to compare; `named` are those that a person named. `word` is the git revision, if one was named."""

    files: Sequence[Path]
    named: Collection[Path]
    word: str = ""
    commit: str = ""


@click.command(
    epilog=examples("compare docs/photo.jpg", "compare HEAD~1 docs/", "compare --output compare.html docs/photo.jpg")
)
@click.option(
    "--output",
    type=PathName(path_type=Path),
    metavar="FILE.html",
    help="Write the page to this file, with a folder of images beside it. [a new temporary folder]",
)
@click.option("--open", "open_page", is_flag=True, help="Also open the page in the browser.")
@click.argument("words", nargs=-1, type=PathName(), metavar="FILE... | REF")
def compare(words: tuple[str, ...], output: Path | None, *, open_page: bool) -> int:
    """Show shrunk images beside their originals on one page.

    The path of the page is printed. Nothing else is written.

    The original is the backup, else what git has staged or committed. With a git revision (a commit, branch or tag),
    images are shown beside what it holds: all that changed since, or the files that are named too.
    """
    if not words:
        raise click.UsageError("Name images or a git revision, for example: imgshrink compare docs/photo.jpg")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"--output is the page, so its name ends in .html: {shown(output)}")
    with Session(settings_of({})) as session:
        wanted = _wanted(session, words)
        pairs = _pairs(session, wanted)
        if not pairs and _in_hook():
            info(f"imgshrink: {NOTHING_IN_HOOK}")
            return FINE
        if not pairs:
            raise SettingsError(NOTHING)
        page = output or Path(tempfile.mkdtemp(prefix="imgshrink-compare-"), "compare.html")
        notes = _write(session, pairs, page, _advice(wanted, pairs))
    for note in notes:
        info(f"imgshrink: {note}")
    print_result(shown(page))
    if open_page and not webbrowser.open(absolute(page).as_uri()):
        info("imgshrink: no browser could be started; open the page yourself")
    return FAILURES if notes else FINE


def _wanted(session: Session, words: Sequence[str]) -> Wanted:
    """Tell files from a revision: what exists is a file."""
    here = Path.cwd()
    paths = [Path(word) for word in words if os.path.lexists(word)]
    others = [word for word in words if not os.path.lexists(word)]
    commits = {word: revision(here, word) for word in others}
    if lost := [word for word, commit in commits.items() if not commit]:
        raise SettingsError(f"{shown(lost[0])}: no such file, folder or git revision")
    if len(others) > 1:
        raise SettingsError(f"two git revisions are named, {shown(others[0])} and {shown(others[1])}; name one")
    word, commit = next(iter(commits.items()), ("", ""))
    if not paths and commit:
        return Wanted(_images(modified_since(here, commit)), (), word, commit)
    found = session.discover(paths)
    for note in (*found.notes, *found.hints):
        info(f"imgshrink: {note}")
    files = [*found.found, *found.excluded]
    return Wanted(files, [path for path in files if path in paths], word, commit)


def _images(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if path.name.lower().endswith(ENDINGS) and os.path.isfile(path)]


def _pairs(session: Session, wanted: Wanted) -> list[Pair]:
    """Return what can be compared; say of each image that a person named why it can't be, and count the others."""
    found: list[Pair] = []
    left: list[Unpaired] = []
    for path in wanted.files:
        if wanted.commit:
            pair = with_revision(path, wanted.commit, shown(wanted.word))
        else:
            pair = with_original(path, session.originals, session.same_image)
        found.append(pair) if isinstance(pair, Pair) else left.append(pair)
    named = [one for one in left if one.path in wanted.named]
    for one in named[:LISTED]:
        info(f"imgshrink: {shown(one.path)}: {one.reason}")
    if others := len(left) - len(named[:LISTED]):
        info(
            f"imgshrink: {counted(others, 'other image') if found or named else counted(others, 'image')} not compared"
        )
    return found


def _write(session: Session, pairs: Sequence[Pair], page: Path, actions: advice.Advice) -> list[str]:
    """Write the page and its images; return a line for each problem."""
    from ..report.html.images import ReportImages
    from ..report.html.page import images_folder, to_html

    images = ReportImages(page, lambda: session.workers, room=ROOM)
    try:
        outcomes = [_shown(images, pair) for pair in pairs]
        page.parent.mkdir(parents=True, exist_ok=True)
        previews = images.write(outcomes, lambda line: info(f"imgshrink: {line}"))
        title = "imgshrink compare"
        text = to_html(outcomes, summarize(outcomes), previews, images_folder(page), actions=actions, title=title)
        write(page, text.encode())
    except OSError as error:
        raise Unwritable(f"the page can't be written: {shown(page)}: {error.strerror}") from error
    finally:
        images.close()
    return images.notes()


def _shown(images: ReportImages, pair: Pair) -> Outcome:
    """Hand the two images to the page; return its row."""
    name = relative_name(pair.path, Path.cwd()) if pair.path.is_absolute() else pair.path.as_posix()
    images.replaced(Source(pair.path, name, Recipe(), ()), pair.before, pair.after)
    return Outcome(name, Status.OPTIMIZED, len(pair.before), len(pair.after), pair.info.format)


def _advice(wanted: Wanted, pairs: Sequence[Pair]) -> advice.Advice:
    """Return what the page offers to do: the command that brings back what an image is shown beside."""
    if wanted.commit:
        return advice.from_revision(wanted.word)
    if not _in_hook():
        return advice.in_place
    restorable = {pair.path.as_posix() for pair in pairs if staged(pair.path) == pair.before}
    return lambda row, quality: advice.by_git(row, quality) if row.path in restorable else ()


def _in_hook() -> bool:
    """Whether pre-commit runs this, whose users have no `imgshrink` on their PATH."""
    return bool(os.environ.get("PRE_COMMIT"))
