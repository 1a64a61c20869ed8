"""File names as a person may see them."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: Path | str) -> str:
    """Return the path, or another program's words, for a message: on one line, control characters escaped."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in os.fspath(path))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
