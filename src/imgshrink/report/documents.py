"""The JSON report (version 1, sorted by path) and the Markdown report (sorted by saving)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from ..core.model import Outcome
from ..core.pages import PagesSummary
from . import pages as words
from .quoting import shown
from .summary import Summary, savings
from .units import counted, share, size

VERSION = 1
LARGEST = 20
WORDS = (
    "images", "optimized", "kept", "sealed", "skipped", "failed",
    "before", "after", "from_cache", "uploads", "quota_left", "seconds", "dropped", "excluded",
)  # fmt: skip
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&@-])")


def to_json(
    outcomes: Iterable[Outcome],
    summary: Summary,
    notes: Sequence[str] | None = None,
    *,
    pages: PagesSummary | None = None,
) -> str:
    """Return the JSON report, with sizes in bytes and the images by path; `notes` are lines for people."""
    numbers = {word: getattr(summary, word) for word in WORDS}
    images = [_image(row) for row in sorted(outcomes, key=lambda row: row.path)]
    document: dict[str, object] = {
        "version": VERSION,
        "summary": numbers | {"seconds": round(summary.seconds, 3)},
        "images": images,
    }
    if pages is not None:
        document["pages"] = words.to_dict(pages)
    if notes is not None:
        document["notes"] = list(notes)
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _image(row: Outcome) -> dict[str, object]:
    return {
        "path": row.path,
        "status": row.status.value,
        "before": row.before,
        "after": row.after,
        "format": row.format.value if row.format else None,
        "engine": row.engine,
        "from_cache": row.from_cache,
        "reason": row.reason,
        "wider_than_shown": round(row.wider, 1) or None,
    }


def to_markdown(outcomes: Iterable[Outcome], summary: Summary, *, pages: PagesSummary | None = None) -> str:
    """Return a Markdown table of the 20 largest savings under a heading with the totals."""
    shrunk = savings(outcomes)
    saved = share(summary.before, summary.after)
    heading = f"### imgshrink: {size(summary.before)} -> {size(summary.after)}, {saved} smaller"
    counts = f"{counted(summary.images, 'image')}: {summary.optimized} shrunk, {counted(summary.uploads, 'upload')}"
    lines = [heading, "", counts]
    if shrunk:
        lines += ["", "| image | before | after | smaller by |", "|---|--:|--:|--:|", *map(_row, shrunk[:LARGEST])]
    if len(shrunk) > LARGEST:
        lines += ["", f"and {len(shrunk) - LARGEST} more"]
    if pages is not None:
        lines += ["", _escaped(words.result(pages)), *_variants(pages)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\1", text)


def _variants(pages: PagesSummary) -> Iterator[str]:
    """Yield a table of the 20 variants that save most."""
    rows = list(words.table(pages))
    if rows:
        yield from ("", f"| {' | '.join(words.HEAD)} |", "|---|--:|--:|--:|--:|")
        yield from (f"| {' | '.join(map(_escaped, cells))} |" for cells in rows[:LARGEST])
    if len(rows) > LARGEST:
        yield from ("", f"and {len(rows) - LARGEST} more")


def _row(row: Outcome) -> str:
    return f"| {_escaped(shown(row.path))} | {size(row.before)} | {size(row.after)} | {share(row.before, row.after)} |"
