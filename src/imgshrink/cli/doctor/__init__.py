"""`doctor`: shows versions, settings, folders, and other tools that work on the same images. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...files.paths import absolute
from ...session import Session
from ..options import build_from, build_option, settings_of
from ..output import print_result
from .conflicts import neighbours
from .environment import codecs, programs, versions
from .folders import cache, images
from .settings import account, settings
from .shared import shared_cache

if TYPE_CHECKING:
    from ...session import Session

Section = Callable[["Session", Path, Mapping[str, str]], Iterator[str]]

SECTIONS: Mapping[str, Section] = {
    "versions": versions,
    "codecs": codecs,
    "programs": programs,
    "settings": settings,
    "account": account,
    "cache": cache,
    "shared cache": shared_cache,
    "images": images,
    "neighbours": neighbours,
}


def examine_all(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield each section's heading and lines about `folder`; a line that needs attention starts with `!`."""
    for heading, section in SECTIONS.items():
        yield heading
        yield from (f"  {line}" for line in section(session, folder, environ))


@click.command()
@build_option
def doctor(config_file: Path | None) -> int:
    """Check versions, settings, cache and other image tools."""
    build = build_from(config_file)
    folder = absolute(build.file).parent if build is not None else Path.cwd()
    with Session(settings_of({}, build=build)) as session:
        for line in examine_all(session, folder, os.environ):
            print_result(line)
    return 0
