"""The HTML report: one page that needs nothing but the image files beside it. Its parts are files here."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ...core.model import Outcome, Status
from ...core.pages import PagesSummary
from .. import advice
from ..pages import HEAD, result, table
from ..summary import Summary, savings
from ..units import counted, share, size, span
from .previews import Preview
from .rows import LEFT_ALONE, RANGE, SHRUNK, STATES, UNCHANGED, Row, bar, card, row, text

CARDS = 6
"""How many of the most visible changes are shown above the list."""

PAGE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Order:
    name: str
    description: str
    rows: Sequence[Outcome]


def to_html(
    outcomes: Sequence[Outcome],
    summary: Summary,
    previews: Mapping[str, Preview],
    folder: str,
    *,
    actions: advice.Advice = advice.none,
    title: str = "imgshrink report",
    pages: PagesSummary | None = None,
) -> str:
    """Return the page. `previews` are by path; their files lie in `folder`, beside the page."""
    orders = _orders(outcomes, previews)
    ranks = [{row.path: number for number, row in enumerate(order.rows)} for order in orders]
    url = quote(folder.encode("utf-8", "surrogateescape"), safe="")
    images = {outcome.path: _row(outcome, previews.get(outcome.path), url, actions) for outcome in outcomes}
    options = [f'<option data-description="{text(order.description)}">{text(order.name)}</option>' for order in orders]
    return PAGE.format(
        policy=_policy(),
        style=STYLE,
        script=SCRIPT,
        title=text(title),
        numbers=_numbers(summary),
        bar=bar(100 * min(1, summary.after / summary.before) if summary.before else 100),
        line=text(". ".join([", ".join(_counts(summary)), *([result(pages)] if pages else [])])),
        worst=_worst(images, orders[2].rows),
        description=text(orders[0].description),
        options="".join(options),
        states="".join(_states(outcomes)),
        shown=text(f"{counted(len(outcomes), 'image')}"),
        variants=_variants(pages) if pages and pages.offered else "",
        items="\n".join(row(images[one.path], [rank[one.path] for rank in ranks]) for one in orders[0].rows),
        range=RANGE.format(name="the image in the viewer"),
    )


def _row(outcome: Outcome, preview: Preview | None, folder: str, actions: advice.Advice) -> Row:
    quality = preview.look.quality if preview and preview.look else 0
    return Row(outcome, preview, folder, actions(outcome, quality))


def _policy() -> str:
    """Return the page's content security policy: images beside the page, and this very style and script."""
    style, script = (
        base64.b64encode(hashlib.sha256(part.encode()).digest()).decode("ascii") for part in (STYLE, SCRIPT)
    )
    return (
        f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def images_folder(report: Path) -> str:
    """Return the name of the folder of images that belongs to a report, beside it."""
    return f"{report.stem}-images"


def _numbers(summary: Summary) -> str:
    numbers = {
        "smaller": share(summary.before, summary.after),
        "before": size(summary.before),
        "after": size(summary.after),
        "image" if summary.images == 1 else "images": str(summary.images),
    }
    return "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in numbers.items())


def _counts(summary: Summary) -> Iterator[str]:
    """Yield what became of the images, and what it took."""
    new = summary.optimized - summary.known
    known = f" ({summary.known} from the cache, {new} new)" if summary.known else ""
    yield f"{summary.optimized} shrunk{known}"
    others = {
        "unchanged": summary.kept + summary.sealed,
        "left alone": summary.skipped + summary.failed,
        "excluded": summary.excluded,
    }
    yield from (f"{count} {words}" for words, count in others.items() if count)
    if summary.uploads:
        yield counted(summary.uploads, "upload")
    if summary.seconds:
        yield span(summary.seconds)


def _states(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(STATES[outcome.status] for outcome in outcomes)
    yield f'<option value="">all ({len(outcomes)})</option>'
    for state in (SHRUNK, UNCHANGED, LEFT_ALONE):
        if counts[state]:
            yield f'<option value="{state}">{state} ({counts[state]})</option>'


def _worst(images: Mapping[str, Row], rows: Sequence[Outcome]) -> str:
    """Return the section of the most visible changes, "" where nothing can be seen."""
    shown = [image for image in (images[row.path] for row in rows) if image.preview and image.preview.crop]
    if not shown:
        return ""
    return _WORST.format(cards="\n".join(map(card, shown[:CARDS])))


def _variants(pages: PagesSummary) -> str:
    """Return the section of the variants that the pages offer."""
    head = "".join(f"<th scope=col>{text(name)}</th>" for name in HEAD)
    rows = ("".join(f"<td>{text(cell)}</td>" for cell in cells) for cells in table(pages))
    return _VARIANTS.format(head=head, rows="\n".join(f"<tr>{cells}</tr>" for cells in rows))


def _orders(outcomes: Sequence[Outcome], previews: Mapping[str, Preview]) -> list[_Order]:
    looks = {path: preview.look for path, preview in previews.items() if preview.look is not None}
    by_path = sorted(outcomes, key=lambda row: row.path)
    shrunk = savings(outcomes)
    by_saving = shrunk + [row for row in by_path if row.status is not Status.OPTIMIZED]
    by_share = sorted(by_saving, key=_left_over)
    by_look = sorted(by_share, key=lambda row: -looks[row.path].share if row.path in looks else 1.0)
    return [
        _Order("largest saving first", "By the number of bytes saved.", by_saving),
        _Order("largest share first", "By the share of the file saved.", by_share),
        _Order(
            "most visible change first", _about_looks(len(looks), sum(row.path not in looks for row in shrunk)), by_look
        ),
        _Order("name", "By name.", by_path),
    ]


def _about_looks(measured: int, others: int) -> str:
    if not measured:
        return "No difference was measured, so by the share of the file saved."
    words = "By the largest difference as a share of what the quality allows, in animations that of the first frame."
    return words + (
        f" It is not known for {counted(others, 'image')}; they follow by the share saved." if others else ""
    )


def _left_over(row: Outcome) -> float:
    return row.after / row.before if row.status is Status.OPTIMIZED and row.before else 2.0


_VARIANTS = """<section aria-labelledby="variants">
<h2 id="variants">Modern variants</h2>
<p class="hint">What pages offer, beside each image, to browsers that can show it. The score says how alike it looks to
the original, up to 100.</p>
<div class="wide" tabindex="0" role="region" aria-label="modern variants"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody></table></div>
</section>"""

_WORST = """<section aria-labelledby="worst">
<h2 id="worst">Most visible changes</h2>
<p class="hint">Pixel by pixel, without loss, where each image differs most: the ring marks the place. Drag across an
image<span class="keyboard">, or hold <kbd>F</kbd> over it for the original and let go for the result</span>.</p>
<ul id="cards">
{cards}
</ul>
</section>"""
