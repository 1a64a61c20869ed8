"""File names as a person may see them."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: Path) -> str:
    """Return the path for a message: on one line, with control characters and bytes of no encoding escaped."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in os.fspath(path))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
