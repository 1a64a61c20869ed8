"""What a run over the pages of a site says: one line with its numbers, and notes about what was left alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from ..core.model import Note
from ..core.pages import PagesSummary
from .quoting import shown
from .units import counted, size, span

LISTED = 3
FIRST, EVERY = 5.0, 30.0
_NAMES = {".avif": "AVIF", ".webp": "WebP"}


class Patience:
    """Says that variants are being made, once that takes some time, and again every half minute."""

    def __init__(self, info: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._info, self._clock = info, clock
        self._started = clock()
        self._next = FIRST

    def __call__(self) -> None:
        """Print a line if it is time for one."""
        passed = self._clock() - self._started
        if passed >= self._next:
            self._next = passed + EVERY
            self._info(f"making modern variants of images, {span(passed)} so far; they are kept for later runs")


def result(summary: PagesSummary, *, dry_run: bool = False) -> str:
    """Say what was written into pages, and what a reader's page weighs before and after."""
    changed = f"{summary.changed} to change" if dry_run else f"{summary.changed} changed"
    images = [f"{counted(summary.sized, 'image')} with a size of ours, {summary.lazy} of all load lazily"]
    if summary.varied:
        kinds = ", ".join(f"{number} {_NAMES[suffix]}" for suffix, number in sorted(summary.variants.items()))
        images.append(f"{summary.varied} with a variant ({kinds})")
    if summary.kept:
        images.append(f"{summary.kept} left as the site's CSS needs them")
    line = f"pages: {summary.read} read, {changed}; {', '.join(images)}"
    return f"{line}. {weight(summary)}" if summary.shown_before else line


def weight(summary: PagesSummary) -> str:
    """Say what the images of a page weigh in the mean, of which a browser loads a part at once."""
    before, after = summary.shown_before, summary.shown_after
    sizes = size(before) if before == after else f"{size(before)} -> {size(after)}"
    at_once = "" if summary.at_once == after else f", {size(summary.at_once)} at once"
    return f"A page with images: {sizes}{at_once}"


def taken_back(summary: PagesSummary, *, dry_run: bool = False) -> str:
    """Say how many pages are as they were."""
    return f"pages: {summary.read} read, {summary.changed} {'to be ' if dry_run else ''}put back as they were"


def notes(summary: PagesSummary, *, next_run: str = "the next run") -> Iterator[Note]:
    """Yield a note for each reason why pages were left alone, for each failure, and for variants that are not ready."""
    pages = defaultdict(list)
    for page, reason in sorted(summary.left.items()):
        pages[reason].append(page)
    for reason, names in sorted(pages.items()):
        stay = "stays as it is" if len(names) == 1 else "stay as they are"
        yield Note(f"{counted(len(names), 'page')} {stay}, {shown(reason)}: {_listed(names)}", failure=False)
    for file, reason in sorted(summary.failed.items()):
        yield Note(f"{shown(file)} stays as it is: {shown(reason)}")
    if summary.waiting:
        waits = "image waits" if summary.waiting == 1 else "images wait"
        yield Note(f"{summary.waiting} {waits} for a variant: {next_run} goes on", failure=False)


HEAD = ("image", "published", "variant", "score", "pages")


def table(summary: PagesSummary) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each offered variant, in the order of `HEAD`."""
    for row in summary.offered:
        score = "the same pixels" if row.score is None else f"{row.score:.0f}"
        kind = _NAMES["." + row.variant.rpartition(".")[2]]
        yield (shown(row.image), size(row.before), f"{size(row.after)} {kind}", score, str(row.pages))


def to_dict(summary: PagesSummary) -> Mapping[str, object]:
    """Return what the JSON report says about pages; sizes are bytes."""
    return {
        "read": summary.read,
        "changed": summary.changed,
        "sized": summary.sized,
        "lazy": summary.lazy,
        "varied": summary.varied,
        "kept": summary.kept,
        "variants": {suffix.removeprefix("."): number for suffix, number in sorted(summary.variants.items())},
        "offered": [asdict(row) for row in summary.offered],
        "waiting": summary.waiting,
        "left": dict(sorted(summary.left.items())),
        "failed": dict(sorted(summary.failed.items())),
        "page_before": summary.shown_before,
        "page_after": summary.shown_after,
        "page_at_once": summary.at_once,
    }


def _listed(names: list[str]) -> str:
    listed = ", ".join(map(shown, names[:LISTED]))
    return listed + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
