"""File names as a person may see them, and those that have a meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

REPORT_MARK = ".imgshrink-report"
"""The file by which a folder of a report's images is known."""


def shown(path: Path | str) -> str:
    """Return the path, or another program's words, for a message: on one line, control characters escaped."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in str(path))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
