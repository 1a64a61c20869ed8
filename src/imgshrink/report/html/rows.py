"""One image in the HTML report: its row in the list, and its card among the most visible changes."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.model import Outcome, Status
from ..advice import Action
from ..messages import wider_than_shown
from ..quoting import shown
from ..units import share, size
from .previews import Look, Pair, Preview

SHRUNK, UNCHANGED, LEFT_ALONE = "shrunk", "unchanged", "left alone"
STATES = {
    Status.OPTIMIZED: SHRUNK,
    Status.KEPT: UNCHANGED,
    Status.SEALED: UNCHANGED,
    Status.SKIPPED: LEFT_ALONE,
    Status.FAILED: LEFT_ALONE,
}
"""What the filter calls each status."""


SAME = "every pixel is the same"
SEPARATOR = " \u00b7 "


@dataclass(frozen=True)
class Row:
    """One image: what became of it, what there is to show, the URL of the folder of images, and what one can do."""

    outcome: Outcome
    preview: Preview | None
    folder: str
    actions: Sequence[Action]

    @property
    def name(self) -> str:
        """The name as a person may see it."""
        return shown(self.outcome.path)

    @property
    def pair(self) -> Pair | None:
        """What the viewer shows."""
        return self.preview.largest if self.preview else None


def text(words: str) -> str:
    """Return words as they may stand in the page, in an attribute too."""
    return html.escape(shown(words), quote=True)


def row(image: Row, ranks: Sequence[int]) -> str:
    """Return the image's row; `ranks` are its places in each order."""
    return (
        f'<li data-ranks="{" ".join(map(str, ranks))}" data-state="{STATES[image.outcome.status]}"'
        f"{_attributes(image)}>{_thumbnail(image)}"
        f'<div class="what"><h3>{_name(image.outcome.path)}</h3><p>{text(_facts(image))}</p></div>'
        f"{_sizes(image.outcome)}{_buttons(image)}</li>"
    )


def card(image: Row) -> str:
    """Return the image's card: the part with the largest difference, in full size under a divider."""
    assert image.preview is not None
    crop = image.preview.crop
    assert crop is not None
    return (
        f'<li class="card"{_attributes(image)}>'
        f'<div class="compare" data-x="{crop.x / crop.width:.4f}" data-y="{crop.y / crop.height:.4f}">'
        f'<div class="pair">{_image(image, crop.before, "original", crop)}{_image(image, crop.after, "shrunk", crop)}'
        f"</div>{RANGE.format(name=text(image.name))}</div>"
        f'<div class="what"><h3>{_name(image.outcome.path)}</h3><p>{text(_looks(image.preview.look))}</p></div>'
        f"{_buttons(image)}</li>"
    )


def _attributes(image: Row) -> str:
    """Return what the script reads: the names of the viewer's two files, the place in them, and what to copy."""
    facts = [f' data-name="{text(image.name)}"', f' data-facts="{text(_told(image))}"']
    if pair := image.pair:
        facts.append(f' data-before="{image.folder}/{pair.before}" data-after="{image.folder}/{pair.after}"')
        facts.append(f' data-x="{pair.x}" data-y="{pair.y}"{_whole(image, pair)}')
    if image.actions:
        listed = json.dumps([[action.label, action.text] for action in image.actions])
        facts.append(f' data-actions="{html.escape(listed, quote=True)}"')
    return "".join(facts)


def _whole(image: Row, pair: Pair) -> str:
    """Return the size of the whole image where only a part of it is shown."""
    assert image.preview is not None
    width, height = image.preview.size
    return "" if (pair.width, pair.height) == (width, height) else f' data-whole="{width} x {height}"'


def _told(image: Row) -> str:
    """Return what the viewer says of the image."""
    outcome = image.outcome
    if outcome.status is not Status.OPTIMIZED:
        return _facts(image)
    sizes = f"{size(outcome.before)} \u2192 {size(outcome.after)}, {share(outcome.before, outcome.after)} smaller"
    return SEPARATOR.join(part for part in (sizes, _looks(image.preview.look if image.preview else None)) if part)


def _facts(image: Row) -> str:
    """Return what is known of an image in a few words: what it is, who worked on it, how it looks now."""
    outcome, preview = image.outcome, image.preview
    pixels = "{} x {} ".format(*preview.size) if preview else ""
    words = [f"{pixels}{_format(outcome)}".strip(), outcome.engine]
    if outcome.status is not Status.OPTIMIZED:
        words.append(outcome.reason or outcome.status.value)
    elif preview is None:
        words.append("no preview")
    elif look := preview.look:
        words += [f"quality {look.quality}", f"{_percent(look)} of the allowed change" if look.share else SAME]
    words += [wider_than_shown(outcome.wider)] if outcome.wider else []
    return SEPARATOR.join(word for word in words if word)


def _format(outcome: Outcome) -> str:
    name = outcome.format.value if outcome.format else ""
    return "WebP" if name == "webp" else name.upper()


def _looks(look: Look | None) -> str:
    """Return sentences about how an image looks beside its original, "" where that was not measured."""
    if look is None:
        return ""
    if not look.share:
        return SAME
    return (
        f"{_percent(look)} of the change that quality {look.quality} allows. "
        f"Largest colour difference {look.worst:.1f} (under 10: rarely seen), mean {look.mean:.1f}"
    )


def _percent(look: Look) -> str:
    return f"{max(1, round(100 * look.share))} %"


def _name(path: str) -> str:
    folder, slash, file = shown(path).rpartition("/")
    return f"<span>{html.escape(folder + slash)}</span>{html.escape(file)}" if slash else html.escape(file)


def _thumbnail(image: Row) -> str:
    preview = image.preview
    if preview is None:
        return '<div class="none"></div>'
    return (
        f'<img class="small" src="{image.folder}/{preview.small}" alt="" width="{preview.width}" '
        f'height="{preview.height}" loading="lazy" decoding="async">'
    )


def _image(image: Row, file: str, words: str, pair: Pair) -> str:
    return (
        f'<img src="{image.folder}/{file}" alt="{words}: {text(image.name)}" width="{pair.width}" '
        f'height="{pair.height}" draggable="false" decoding="async">'
    )


def _sizes(outcome: Outcome) -> str:
    if outcome.status is not Status.OPTIMIZED:
        return f'<p class="sizes">{size(outcome.after)}</p><p class="saved"></p>'
    left = 100 * min(1, outcome.after / outcome.before) if outcome.before else 100
    return (
        f'<p class="sizes">{size(outcome.before)} <span>\u2192</span> {size(outcome.after)}{bar(left)}</p>'
        f'<p class="saved">{share(outcome.before, outcome.after)}</p>'
    )


def bar(left: float) -> str:
    """Return a bar of which `left` per cent are filled: what is left of the original's bytes."""
    return (
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{left:.1f}" height="4"></rect></svg>'
    )


def _buttons(image: Row) -> str:
    name = text(image.name)
    buttons = ""
    if image.pair:
        buttons += f'<button type="button" class="open" aria-label="Compare {name}">Compare</button>'
    if image.actions:
        first = image.actions[0]
        buttons += (
            f'<button type="button" class="copy" data-copy="{html.escape(first.text, quote=True)}" '
            f'title="{html.escape(first.text, quote=True)}" aria-label="Copy: {text(first.label)}, {name}">'
            f"Copy {text(first.short)}</button>"
        )
    return f'<div class="buttons">{buttons}</div>'


RANGE = (
    '<input type="range" min="0" max="100" value="50" autocomplete="off" '
    'aria-label="how much of it shows the original: {name}">'
)
