"""`restore`, and the start of `optimize --redo`: originals put back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ImgshrinkError
from ..excluding import add_excludes, pattern_of
from ..files import discover
from ..files.ignored import repository_of
from ..model import Source
from ..report import counted, shown, size
from ..runtime import opened
from ..settings.folders import home
from ..settings.project import find_project
from ..undo import Original, find_original, same_picture
from .options import paths_argument, settings_of
from .output import say, tell

if TYPE_CHECKING:
    from ..runtime import Runtime

FINE, FAILURES = 0, 3


@click.command()
@click.option("--keep", is_flag=True, help="Exclude them in the project file too, so that they stay as they are.")
@paths_argument("restore docs/img/photo.jpg")
def restore(paths: tuple[Path, ...], *, keep: bool) -> int:
    """Put back what images were before they were shrunk."""
    with opened(settings_of({})) as runtime:
        images = discover(paths)
        originals = list(_originals(runtime, images.found))
        done = [original for original in originals if _put_back(original)]
    for note in images.notes:
        say(f"imgshrink: {note}")
    for original in done:
        sizes = f"{size(len(original.now))} -> {size(len(original.data))}"
        tell(f"  {shown(str(original.path))}   {sizes}, from {original.source}")
    tell(f"imgshrink: {counted(len(done), 'original')} put back of {counted(len(images.found), 'image')}")
    if keep and done:
        _exclude([original.path for original in done])
    return FINE if len(done) == len(originals) else FAILURES


def start_again(runtime: Runtime, sources: Iterable[Source]) -> None:
    """Put the originals of `sources` back, where there are any, so that they are treated anew."""
    done = [original for original in _originals(runtime, [source.path for source in sources]) if _put_back(original)]
    say(f"imgshrink: starting again from {counted(len(done), 'original')}")


def _originals(runtime: Runtime, paths: Iterable[Path]) -> Iterable[Original]:
    same = same_picture(runtime.workers)
    found = (find_original(path, runtime.originals, same) for path in paths)
    return (original for original in found if original is not None and original.data != original.now)


def _put_back(original: Original) -> bool:
    try:
        original.put_back()
    except ImgshrinkError as error:
        say(f"imgshrink: {error}")
        return False
    return True


def _exclude(paths: Sequence[Path]) -> None:
    here = Path.cwd()
    project = find_project(here, home(os.environ))
    if project.file is None:
        project = find_project(repository_of(here) or here, home(os.environ))
    file = add_excludes(project, [pattern_of(path, project.folder) for path in paths])
    tell(f"imgshrink: excluded in {shown(str(file))}")
