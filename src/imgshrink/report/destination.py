"""Where a report and its pictures lie."""

from __future__ import annotations

from pathlib import Path


def pictured(report: Path) -> bool:
    """Return whether a report of that name shows pictures."""
    return report.suffix.lower() == ".html"


def pictures_folder(report: Path) -> str:
    """Return the name of the folder of pictures that belongs to a report, beside it."""
    return f"{report.stem}-pictures"
