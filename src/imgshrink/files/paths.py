"""Paths as the file system takes them."""

from __future__ import annotations

import os
from pathlib import Path


def absolute(path: Path) -> Path:
    """Return the path from the root, without `..`; symlinks in it stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` would follow them
