"""File names as a person may see them, and those that have a meaning."""

from __future__ import annotations

import os
from pathlib import Path

REPORT_MARK = ".imgshrink-report"
"""The file by which a folder of a report's pictures is known."""


def pictured(report: Path) -> bool:
    """Return whether a report of that name shows pictures."""
    return report.suffix.lower() == ".html"


def pictures_folder(report: Path) -> str:
    """Return the name of the folder of pictures that belongs to a report, beside it."""
    return f"{report.stem}-pictures"


def absolute(path: Path) -> Path:
    """Return the path from the root, without `..`; symlinks in it stay as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  `resolve` would follow them


def shown(path: Path | str) -> str:
    """Return the path, or another program's words, for a message: on one line, control characters escaped."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in os.fspath(path))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
