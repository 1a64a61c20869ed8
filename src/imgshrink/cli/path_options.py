"""Which files a command works on: named ones, those of a list, those changed since a commit, or all that git tracks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.errors import SettingsError
from ..files import git
from ..files.discovery import ENDINGS
from ..files.paths import absolute
from ..report.quoting import shown
from .output import read_input

F = TypeVar("F", bound=Callable[..., Any])

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Chosen:
    """The files and folders to search, the absolute paths that are meant among what is found there (None for all), and
    words for where that is.
    """

    paths: tuple[Path, ...]
    among: frozenset[Path] | None = None
    where: str = ""

    @property
    def listed(self) -> bool:
        """A list says what is meant, and an empty list is no mistake."""
        return self.among is not None or not self.paths


def list_options(command: F) -> F:
    """Add `--files-from` and `--since`."""
    listed = click.option(
        "--files-from",
        metavar="FILE",
        is_eager=True,
        help="Read the names of files from FILE, one a line or ended by NUL; - is standard input.",
    )
    since = click.option(
        "--since",
        metavar="REF",
        is_eager=True,
        help="Take only images that differ from where the branch left REF, such as main.",
    )
    return listed(since(command))


def choose(
    paths: Iterable[Path], *, files_from: str | None = None, since: str | None = None, all_tracked: bool = False
) -> Chosen:
    """Return what a command works on; with `all_tracked` it is all that git tracks here where nothing is named.

    Raises `SettingsError` for a list that can't be read, and for a commit that git does not know.
    """
    named = tuple(paths)
    where = ", ".join(shown(str(path)) for path in named)
    if files_from is not None:
        named += _listed(files_from)
        where = ", ".join(filter(None, (where, shown(files_from))))
    if since is not None:
        anywhere = () if named or files_from is not None else (Path(),)
        return Chosen(named or anywhere, _changed(since), f"the changes since {shown(since)}")
    if named or files_from is not None or not all_tracked:
        return Chosen(named, None, where)
    return Chosen((Path(),), _tracked(), "this folder")


def _listed(source: str) -> tuple[Path, ...]:
    """Return the images and folders of a list; other files, and files that are gone, are passed over."""
    names = [Path(os.fsdecode(name)) for name in _lines(_read(source))]
    return tuple(
        path for path in names if os.path.isdir(path) or (path.suffix.lower() in ENDINGS and os.path.exists(path))
    )


def _read(source: str) -> bytes:
    try:
        return read_input() if source == STANDARD_INPUT else Path(source).read_bytes()
    except OSError as error:
        raise SettingsError(f"{shown(source)} can't be read as a list of files: {error.strerror}") from error


def _lines(data: bytes) -> list[bytes]:
    names = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [name for name in names if name.strip()]


def _changed(ref: str) -> frozenset[Path]:
    try:
        return frozenset(map(absolute, git.changed_since(Path.cwd(), ref)))
    except git.Silent as error:
        raise SettingsError(
            f"--since {shown(ref)}: git can't compare with it ({error}). Fetch it first, with its history"
        ) from error


def _tracked() -> frozenset[Path] | None:
    """Return what git tracks below the working folder; None, for all files, outside of a repository."""
    try:
        return frozenset(map(absolute, git.tracked(Path.cwd())))
    except git.Silent:
        return None
