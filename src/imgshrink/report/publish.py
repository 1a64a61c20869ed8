"""Writes the report to the file that the settings name, and the summary of a GitHub job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..core.errors import Unwritable
from ..core.model import Outcome
from ..core.pages import PagesSummary
from ..core.text import shown
from ..files.atomic import write
from . import advice
from .documents import to_json, to_markdown
from .summary import Summary

if TYPE_CHECKING:
    from .html.previews import Preview

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def publish(
    outcomes: Sequence[Outcome],
    summary: Summary,
    *,
    report: Path | None,
    environ: Mapping[str, str],
    previews: Mapping[str, Preview] = MappingProxyType({}),
    actions: advice.Advice = advice.none,
    pages: PagesSummary | None = None,
) -> list[str]:
    """Write the report and append to the job's summary where asked for; return a line for each that failed.

    `previews` are those of an HTML report, by path; `actions` says what it offers to do about an image. `pages` is what
    was done to the pages of a site.
    """
    notes = []
    if report is not None:
        try:
            report.parent.mkdir(parents=True, exist_ok=True)
            write(report, _document(report, outcomes, summary, previews, actions, pages).encode())
        except (OSError, Unwritable) as error:
            notes.append(f"the report can't be written: {error}")
    page = environ.get(STEP_SUMMARY, "")
    if page:
        try:
            with Path(page).open("a", encoding="utf-8") as end:
                end.write(to_markdown(outcomes, summary, pages=pages))
        except OSError as error:
            notes.append(f"{STEP_SUMMARY} can't be appended to ({shown(Path(page))}): {error.strerror}")
    return notes


def _document(
    report: Path,
    outcomes: Sequence[Outcome],
    summary: Summary,
    previews: Mapping[str, Preview],
    actions: advice.Advice,
    pages: PagesSummary | None,
) -> str:
    kind = report.suffix.lower()
    if kind in (".json", ".md"):
        return (
            to_json(outcomes, summary, pages=pages) if kind == ".json" else to_markdown(outcomes, summary, pages=pages)
        )
    from .html.page import images_folder, to_html

    return to_html(outcomes, summary, previews, images_folder(report), actions=actions, pages=pages)
