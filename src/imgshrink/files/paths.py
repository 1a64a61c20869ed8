"""Paths as the file system takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..core.errors import SettingsError


def as_paths(paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str]) -> list[Path]:
    """Return one path or many as a list; raises `SettingsError` for an empty name, the current folder to `Path`."""
    found = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if "" in found:
        raise SettingsError("an empty name names no file and no folder")
    return [Path(path) for path in found]


def absolute(path: Path) -> Path:
    """Return the path from the root, without `..`; symlinks in it stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` would follow them


def relative_name(path: Path, folder: Path) -> str:
    """Return `path` for people: relative to `folder`, with slashes; the name alone where it lies on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.name


def in_utf8(name: str) -> str:
    """Return a name from the file system as files of settings hold it, in UTF-8 whatever the locale's encoding is."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


NO_FILE = "no such file"


def why_missing(path: Path, *, kind: str = "file") -> str:
    """Return why there is no `kind` at `path`: there is none, or the system refuses the name."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"no such {kind}"
    except OSError as error:
        return error.strerror or str(error)
    return f"not a {kind}"
