"""`restore`, and the start of `optimize --redo`: originals put back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import ImgshrinkError, Unreadable
from ..core.model import Source
from ..files.discovery import discover
from ..files.gitignore import repository_of
from ..files.reader import read
from ..image.seal import read_seal
from ..pipeline.restore import Original, find_original
from ..report.quoting import shown
from ..report.units import counted, size
from ..session import opened
from ..settings.folders import home
from ..settings.project import Project, find_project
from .exclude import add_excludes, pattern_of
from .options import paths_argument, settings_of
from .output import say, tell

if TYPE_CHECKING:
    from ..session import Session

FINE, FAILURES = 0, 3


@click.command()
@click.option("--keep", is_flag=True, help="Exclude them in the project file too, so that they stay as they are.")
@paths_argument("restore docs/img/photo.jpg")
def restore(paths: tuple[Path, ...], *, keep: bool) -> int:
    """Put back what images were before they were shrunk."""
    with opened(settings_of({})) as session:
        images = discover(paths)
        originals = list(_originals(session, images.found))
        project = _project()
        patterns = {original.path: pattern_of(original.path, project.folder) for original in originals if keep}
        done = [original for original in originals if _put_back(original)]
    for note in (*images.notes, *images.hints):
        say(f"imgshrink: {note}")
    for original in done:
        sizes = f"{size(len(original.now))} -> {size(len(original.data))}"
        tell(f"  {shown(str(original.path))}   {sizes}, from {original.source}")
    lost = sum(map(_is_sealed, {*images.found} - {original.path for original in originals}))
    why = f"; no original of {lost} is known" if lost else ""
    tell(f"imgshrink: {counted(len(done), 'original')} put back of {counted(len(images.found), 'image')}{why}")
    if keep and done:
        file = add_excludes(project, [patterns[original.path] for original in done])
        tell(f"imgshrink: excluded in {shown(str(file))}")
    return FINE if len(done) == len(originals) else FAILURES


def start_again(session: Session, sources: Iterable[Source]) -> None:
    """Put the originals of `sources` back, where there are any, so that they are treated anew."""
    done = [original for original in _originals(session, [source.path for source in sources]) if _put_back(original)]
    say(f"imgshrink: starting again from {counted(len(done), 'original')}")


def _originals(session: Session, paths: Iterable[Path]) -> Iterable[Original]:
    found = (find_original(path, session.originals, session.same_picture) for path in paths)
    return (original for original in found if original is not None and original.data != original.now)


def _is_sealed(path: Path) -> bool:
    try:
        return read_seal(read(path, follow=False)) is not None
    except Unreadable:
        return False


def _put_back(original: Original) -> bool:
    try:
        original.put_back()
    except ImgshrinkError as error:
        say(f"imgshrink: {error}")
        return False
    return True


def _project() -> Project:
    here = Path.cwd()
    project = find_project(here, home(os.environ))
    return project if project.file is not None else find_project(repository_of(here) or here, home(os.environ))
