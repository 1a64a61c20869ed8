"""`explain` and `doctor`: what is known of a file, and of the ground we stand on."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..doctor import examine_all
from ..errors import SettingsError
from ..explain import explain as lines_about
from ..names import shown
from ..runtime import opened
from .options import settings_of
from .output import tell


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def explain(file: Path) -> int:
    """Say all that is known of one image."""
    if not file.is_file():
        raise SettingsError(f"{shown(file)}: {'a folder: name one image' if file.is_dir() else 'no such file'}")
    with opened(settings_of({})) as runtime:
        for line in lines_about(file, runtime):
            tell(line)
    return 0


@click.command()
def doctor() -> int:
    """Look at versions, settings, the cache, and other tools that work on the same images."""
    with opened(settings_of({})) as runtime:
        for line in examine_all(runtime, Path.cwd(), os.environ):
            tell(line)
    return 0
