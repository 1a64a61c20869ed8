"""`restore`, and the start of `optimize --redo`: puts originals back."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
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
from ..session import Session
from ..settings.folders import home
from ..settings.project import Project, find_project
from .exclude import add_excludes, pattern_of
from .options import examples, paths_argument, settings_of
from .output import info, print_result

if TYPE_CHECKING:
    from ..session import Session

FINE, FAILURES = 0, 3


@click.command(epilog=examples("restore docs/photo.jpg", "restore --keep docs/photo.jpg"))
@click.option(
    "--keep", is_flag=True, help="Also exclude the images in the project file, so that they are not shrunk again."
)
@paths_argument("restore docs/img/photo.jpg")
def restore(paths: tuple[Path, ...], *, keep: bool) -> int:
    """Put back the originals of images that were shrunk in place."""
    with Session(settings_of({})) as session:
        images = discover(paths)
        originals = list(_originals(session, images.found))
        project = _project()
        patterns = {original.path: pattern_of(original.path, project.folder) for original in originals if keep}
        done = [original for original in originals if _put_back(original)]
    for note in (*images.notes, *images.hints):
        info(f"imgshrink: {note}")
    for original in done:
        sizes = f"{size(len(original.now))} -> {size(len(original.data))}"
        print_result(f"  {shown(str(original.path))}   {sizes}, from {original.source}")
    print_result(f"imgshrink: {_summary(len(done), set(images.found) - {original.path for original in originals})}")
    if keep and done:
        file = add_excludes(project, [patterns[original.path] for original in done])
        print_result(f"imgshrink: excluded in {shown(str(file))}")
    return FINE if len(done) == len(originals) else FAILURES


def start_again(session: Session, sources: Iterable[Source]) -> None:
    """Put the originals of `sources` back, where there are any, so that they are shrunk again."""
    done = [original for original in _originals(session, [source.path for source in sources]) if _put_back(original)]
    info(f"imgshrink: starting again from {counted(len(done), 'original')}")


def _summary(restored: int, others: Collection[Path]) -> str:
    """Say how many images were restored, and why `others` were not."""
    lost = sum(map(_is_sealed, others))
    reasons = {"without a known original": lost, "not shrunk, or edited since": len(others) - lost}
    why = ", ".join(f"{counted(count, 'image')} {words}" for words, count in reasons.items() if count)
    return f"restored {counted(restored, 'image') if restored else 'nothing'}" + (f": {why}" if why else "")


def _originals(session: Session, paths: Iterable[Path]) -> Iterable[Original]:
    found = (find_original(path, session.originals, session.same_image) for path in paths)
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
        info(f"imgshrink: {error}")
        return False
    return True


def _project() -> Project:
    here = Path.cwd()
    project = find_project(here, home(os.environ))
    return project if project.file is not None else find_project(repository_of(here) or here, home(os.environ))
