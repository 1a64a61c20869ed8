"""`restore`, and the start of `optimize --redo`: puts originals back."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
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
NAMED = 2


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
        unread = session.originals.notes()
    for note in (*images.notes, *images.hints, *unread):
        info(f"imgshrink: {note}")
    for line in _table(done):
        print_result(line)
    print_result(f"imgshrink: {_summary(len(done), set(images.found) - {original.path for original in originals})}")
    if keep and done:
        file = add_excludes(project, [patterns[original.path] for original in done])
        print_result(f"imgshrink: excluded in {shown(str(file))}")
    return FINE if len(done) == len(originals) else FAILURES


def start_again(session: Session, sources: Iterable[Source]) -> None:
    """Put the originals of `sources` back, where there are any, so that they are shrunk again."""
    done = [original for original in _originals(session, [source.path for source in sources]) if _put_back(original)]
    info(f"imgshrink: starting again from {counted(len(done), 'original')}")


def _table(done: Sequence[Original]) -> Iterator[str]:
    cells = [(shown(str(one.path)), size(len(one.now)), size(len(one.data)), one.source) for one in done]
    name, before, after = (max((len(cell[column]) for cell in cells), default=0) for column in range(3))
    return (f"  {a:<{name}}   {b:>{before}} -> {c:>{after}}, from {source}" for a, b, c, source in cells)


def _summary(restored: int, others: Collection[Path]) -> str:
    """Say how many images were restored, and why `others` were not; a few of them are named."""
    lost = [path for path in sorted(others) if _is_sealed(path)]
    reasons = {"without a known original": lost, "not shrunk, or edited since": sorted({*others} - {*lost})}
    why = ", ".join(f"{_named(paths)} {words}" for words, paths in reasons.items() if paths)
    return f"restored {counted(restored, 'image') if restored else 'nothing'}" + (f"; {why}" if why else "")


def _named(paths: Sequence[Path]) -> str:
    names = [shown(str(path)) for path in paths]
    if len(names) > NAMED:
        return f"{counted(len(names), 'image')} {'is' if len(names) == 1 else 'are'}"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


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
