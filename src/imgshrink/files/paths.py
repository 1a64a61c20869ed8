"""Paths as the file system takes them."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """Return the path from the root, without `..`; symlinks in it stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` would follow them


def relative_name(path: Path, folder: Path) -> str:
    """Return `path` for people: relative to `folder`, with slashes; the name alone where it lies on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.name
