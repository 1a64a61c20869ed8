"""The HTML report: one page that needs nothing but the image files beside it. Its style and script are files here."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..core.model import Outcome, Status
from .messages import result
from .quoting import shown
from .summary import Summary, savings
from .units import counted, share, size

FULL_SIZE = 50
"""How many of the largest savings are shown in full size."""

STYLE = Path(__file__).with_name("html_page.css").read_text(encoding="utf-8")
SCRIPT = Path(__file__).with_name("html_page.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Preview:
    """What the report shows of one image: names of files in the folder of images, "" for one that does not exist.

    `before` and `after` are reduced in size; an image that was not changed has the first alone. `full_before` and
    `full_after` have the full size. `width` and `height` are pixels of the reduced ones. `look` is the largest colour
    difference (CIE76) and the mean, None where it was not measured.
    """

    before: str
    after: str = ""
    full_before: str = ""
    full_after: str = ""
    width: int = 0
    height: int = 0
    look: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Order:
    name: str
    description: str
    rows: Sequence[Outcome]


def to_html(outcomes: Sequence[Outcome], summary: Summary, previews: Mapping[str, Preview], folder: str) -> str:
    """Return the page. `previews` are by path; their files lie in `folder`, beside the page."""
    orders = _orders(outcomes, previews)
    ranks = [{row.path: number for number, row in enumerate(order.rows)} for order in orders]
    url = quote(folder.encode("utf-8", "surrogateescape"), safe="")
    items = [_item(row, previews.get(row.path), url, [rank[row.path] for rank in ranks]) for row in orders[0].rows]
    options = [
        f'<option data-description="{_text(order.description)}">{_text(order.name)}</option>' for order in orders
    ]
    return _PAGE.format(
        policy=_policy(),
        style=STYLE,
        script=SCRIPT,
        line=_text(result(summary)),
        description=_text(orders[0].description),
        options="".join(options),
        items="\n".join(items),
    )


def _policy() -> str:
    """Return the page's content security policy: images beside the page, and this very style and script."""
    style, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") for text in (STYLE, SCRIPT)
    )
    return (
        f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def images_folder(report: Path) -> str:
    """Return the name of the folder of images that belongs to a report, beside it."""
    return f"{report.stem}-images"


def _orders(outcomes: Sequence[Outcome], previews: Mapping[str, Preview]) -> list[_Order]:
    looks = {path: preview.look for path, preview in previews.items() if preview.look is not None}
    by_path = sorted(outcomes, key=lambda row: row.path)
    shrunk = savings(outcomes)
    by_saving = shrunk + [row for row in by_path if row.status is not Status.OPTIMIZED]
    by_share = sorted(by_saving, key=_left_over)
    by_look = sorted(by_share, key=lambda row: tuple(-part for part in looks.get(row.path, (-1.0, -1.0))))
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
        return "No colour difference was measured, so by the share of the file saved."
    text = "By the largest measured colour difference, in animations that of the first frame."
    return text + (
        f" It is not known for {counted(others, 'image')}; they follow by the share saved." if others else ""
    )


def _left_over(row: Outcome) -> float:
    return row.after / row.before if row.status is Status.OPTIMIZED else 2.0


def _item(row: Outcome, preview: Preview | None, folder: str, ranks: Sequence[int]) -> str:
    return (
        f'<li data-ranks="{" ".join(map(str, ranks))}">{_figure(row, preview, folder)}'
        f"<h2>{_text(row.path)}</h2><p>{_text(_facts(row))}{_look(preview)}</p>{_button(row, preview, folder)}</li>"
    )


def _facts(row: Outcome) -> str:
    if row.status is Status.OPTIMIZED:
        return f"{size(row.before)} -> {size(row.after)}, {share(row.before, row.after)} smaller"
    return f"{size(row.after)}, {row.status.value}" + (f": {row.reason}" if row.reason else "")


def _look(preview: Preview | None) -> str:
    if preview is None or preview.look is None:
        return ""
    worst, mean = preview.look
    return f"<br>largest colour difference {worst:.1f} (under 10: rarely seen), mean {mean:.1f}"


def _figure(row: Outcome, preview: Preview | None, folder: str) -> str:
    if preview is None:
        return '<div class="none">no preview</div>'
    name = _text(row.path)
    if not preview.after:
        return f'<div class="pair">{_image(folder, preview.before, name, preview)}</div>'
    before = _image(folder, preview.before, f"before: {name}", preview)
    after = _image(folder, preview.after, f"after: {name}", preview)
    return f'<div class="compare"><div class="pair">{before}{after}</div>{_RANGE.format(name=name)}</div>'


def _image(folder: str, file: str, words: str, preview: Preview) -> str:
    return f'<img src="{folder}/{file}" alt="{words}" width="{preview.width}" height="{preview.height}" loading="lazy">'


def _button(row: Outcome, preview: Preview | None, folder: str) -> str:
    if preview is None or not preview.full_after:
        return ""
    before, after = (f"{folder}/{file}" for file in (preview.full_before, preview.full_after))
    name = _text(row.path)
    return (
        f'<button type="button" data-name="{name}" data-before="{before}" data-after="{after}" '
        f'aria-label="full size: {name}">full size</button>'
    )


def _text(words: str) -> str:
    return html.escape(shown(words), quote=True)


_RANGE = (
    '<label><span>before</span><input type="range" min="0" max="100" value="50" autocomplete="off" '
    'aria-label="how much of it shows before: {name}"><span>after</span></label>'
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>imgshrink report</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>imgshrink report</h1>
<p>{line}</p>
<noscript><p>Without JavaScript the images are sorted by saving, and the sliders don't move.</p></noscript>
<p><label for="order">Order: </label><select id="order" autocomplete="off">{options}</select>
<span id="description" role="status">{description}</span></p>
</header>
<main>
<ul id="images">
{items}
</ul>
</main>
<dialog id="viewer" aria-labelledby="viewed">
<form method="dialog"><h2 id="viewed"></h2><button>close</button></form>
<div class="compare"><label><span>before</span><input type="range" min="0" max="100" value="50" autocomplete="off"
aria-label="how much of it shows before"><span>after</span></label>
<div class="scrolled" tabindex="0" role="region" aria-label="the image in full size">
<div class="pair"><img alt="before"><img alt="after"></div></div></div>
</dialog>
<script>{script}</script>
</body>
</html>
"""
