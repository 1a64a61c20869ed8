"""How different two images look, and whether they are the same to the last bit: strip by strip, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyvips

from ..core.model import Format
from .changes import Harmless, Pixels, boxes_to_test
from .color import as_srgb
from .difference import Difference, Place, worse_places
from .structure import ALIGNED, MARGIN, Box, Strip, merged, worst_areas, worst_windows
from .tolerance import structure_limits

__all__ = ["Difference", "acceptable", "identical", "measure"]

_STRIP_PIXELS = 1 << 20
_FETCHED = 1 << 17
_OPAQUE = 255.0
_BLACK, _WHITE = 0, 255
_KEPT_PIXELS = 4 << 20

Limits = Mapping[str, float]
"""Of the tests of structure, as `tolerance.structure_limits` returns them."""

Measure = Callable[[pyvips.Image, pyvips.Image, Limits], Difference]


def acceptable(
    original: pyvips.Image, candidate: pyvips.Image, quality: int, format: Format, measured: Measure | None = None
) -> str:
    """Return why a candidate does not look like its original at a quality, "" if it does.

    Both are of one size, in 8-bit sRGB or grey, with or without alpha. The reason names the worst place. At quality 100
    every pixel counts. `measured` is asked in place of `measure`, whose results it may remember.
    """
    if quality == 100:
        return "" if identical(original, candidate) else "pixels changed, and quality 100 is lossless"
    limits = structure_limits(quality, format)
    return (measured or measure)(as_srgb(original), as_srgb(candidate), limits).reason(quality, format)


def measure(reference: pyvips.Image, candidate: pyvips.Image, limits: Limits | None = None) -> Difference:
    """Compare two images of one size in 8-bit sRGB, with or without alpha; each is read once from top to bottom.

    With `limits`, what cannot exceed them is not measured, as `Comparison` says.
    """
    return Comparison(limits).measure(reference, candidate)


class Comparison:
    """Compares pairs of images of one size, the frames of two animations.

    Where both images are what they were in the pair before they are not tested again for structure. Two images of at
    most 4 megapixels are kept for that. With `limits`, those of `tolerance.structure_limits`, they are not tested
    either where they differ so slightly that no test can exceed its limit at any quality that has these limits: places,
    `worst` and `mean` may then be missing.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._harmless = Harmless.within(limits) if limits else None
        self._before: dict[int, Pixels] = {}
        self._clear: set[int] = set()
        self._totals: dict[int, float] = {}

    def measure(self, reference: pyvips.Image, candidate: pyvips.Image) -> Difference:
        """Compare as `measure` does."""
        worst, faded, on_black, on_white = 0.0, 0.0, _Ground(), _Ground()
        for rows in _strips(*_alike(reference, candidate)):
            pixels, before = rows.pixels, self._before.get(rows.top)
            if reference.width * reference.height <= _KEPT_PIXELS:
                self._before[rows.top] = pixels
            if pixels[0] == pixels[1]:
                self._totals[rows.top] = 0.0
                continue
            boxes, added = self._doubtful(rows, boxes_to_test(pixels, before, rows.like.width, rows.height))
            known = (self._totals.get(rows.top) if before else 0.0) if rows.top not in self._clear else None
            if not boxes and known is not None and self._passes(known + added, rows):
                self._totals[rows.top] = known + added
                continue
            strip = rows.strip
            if opaque := self._still_opaque(strip, boxes):
                shown = [_bare(strip)] if before else [_bare(strip).in_memory()]
            else:
                alphas = [float(side[-1].min()) for side in strip.sides]
                faded = max(faded, alphas[1] - alphas[0])
                shown = _flattened(strip, opaque=min(alphas) == _OPAQUE)
            total = known + added if opaque and known is not None else None
            looks = [_look(ground, boxes, self._harmless, total) for ground in shown]
            self._totals[rows.top] = looks[0].bound
            on_black.add(looks[0])
            on_white.add(looks[-1])
            worst = max(worst, looks[0].worst, looks[-1].worst)
        mean = max(on_black.total, on_white.total) / (reference.width * reference.height)
        return Difference(worst, mean, faded, worse_places(on_black.places(), on_white.places()))

    def _doubtful(self, rows: Rows, boxes: list[Box]) -> tuple[list[Box], float]:
        """Return the boxes that are not soon told to be harmless, and a bound of what the others differ by."""
        doubtful, added = list[Box](), 0.0
        for box in boxes:
            part = rows.around(box)
            most = -1 if self._harmless is None else self._harmless.slight(rows.pixels, rows.like, part)
            if most < 0:
                doubtful.append(box)
            else:
                added += most * (part[2] - part[0]) * (part[3] - part[1])
        return doubtful, added

    def _passes(self, total: float, rows: Rows) -> bool:
        return self._harmless is not None and self._harmless.bounded(
            total, rows.like.width * (rows.height - rows.margin)
        )

    def _still_opaque(self, strip: Strip, boxes: Sequence[Box]) -> bool:
        """Tell whether all that has ever differed in a strip is opaque: nothing can have faded."""
        if not strip.left.hasalpha():
            return True
        if strip.top not in self._clear and not all(_is_opaque(strip.around(box)) for box in boxes):
            self._clear.add(strip.top)
        return strip.top not in self._clear


def identical(reference: pyvips.Image, candidate: pyvips.Image) -> bool:
    """Tell whether two images have the same size and the same bits; each is read once from top to bottom."""
    left, right = _alike(reference, candidate)
    if (left.width, left.height, left.bands, left.format) != (right.width, right.height, right.bands, right.format):
        return False
    return all(one == other for one, other in (rows.pixels for rows in _strips(left, right)))


def _alike(reference: pyvips.Image, candidate: pyvips.Image) -> tuple[pyvips.Image, pyvips.Image]:
    if reference.hasalpha() == candidate.hasalpha():
        return reference, candidate
    return (
        reference if reference.hasalpha() else reference.addalpha(),
        candidate if candidate.hasalpha() else candidate.addalpha(),
    )


@dataclass(frozen=True)
class Rows:
    """Rows of both images, which `like` stands for: samples from `top` on, `margin` rows of the strip above first."""

    like: pyvips.Image
    pixels: Pixels
    top: int
    height: int
    margin: int
    last: bool

    @property
    def strip(self) -> Strip:
        """The rows as images."""
        left, right = (_image(self.like, side, self.height) for side in self.pixels)
        return Strip(left, right, self.top, self.margin, self.last)

    def around(self, box: Box) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of what every window lies in that reaches a box."""
        top = max(0, max(self.margin, box.top) - MARGIN)
        right, bottom = min(self.like.width, box.right + MARGIN), min(self.height, box.bottom + MARGIN)
        return max(0, box.left - MARGIN), top, right, bottom


def _strips(left: pyvips.Image, right: pyvips.Image) -> Iterator[Rows]:
    """Yield both images from top to bottom, each strip with the last rows of the one above."""
    rows = max(4 * ALIGNED, _STRIP_PIXELS // left.width // ALIGNED * ALIGNED)
    one, other = pyvips.Region.new(left), pyvips.Region.new(right)
    above, over = b"", b""
    for top in range(0, left.height, rows):
        height, margin = min(rows, left.height - top), MARGIN if top else 0
        here, there = above + _rows(one, left.width, top, height), over + _rows(other, right.width, top, height)
        yield Rows(left, (here, there), top - margin, height + margin, margin, top + height == left.height)
        kept = -MARGIN * (len(here) // (height + margin))
        above, over = here[kept:], there[kept:]


def _rows(region: pyvips.Region, width: int, top: int, height: int) -> bytes:
    """Return whole rows, fetched a few at a time: what the steps of decoding hand on then stays in the processor."""
    step = max(1, _FETCHED // width)
    end = top + height
    return b"".join(region.fetch(0, row, width, min(step, end - row)) for row in range(top, end, step))


def rows_of(image: pyvips.Image, region: pyvips.Region, top: int, height: int) -> pyvips.Image:
    """Return whole rows in memory; strips are asked for from top to bottom."""
    return _image(image, _rows(region, image.width, top, height), height)


def _image(like: pyvips.Image, pixels: bytes, height: int) -> pyvips.Image:
    image = pyvips.Image.new_from_memory(pixels, like.width, height, like.bands, like.format)
    return image.copy(interpretation=like.interpretation)


def _is_opaque(strip: Strip) -> bool:
    return bool((strip.left & strip.right)[-1].min() == _OPAQUE)


def _flattened(strip: Strip, *, opaque: bool) -> list[Strip]:
    """Return the strip on black and on white, once where that is the same."""
    if opaque:
        return [_bare(strip).in_memory()]
    shown = [
        tuple(side.flatten(background=[ground]).copy_memory() for side in strip.sides) for ground in (_BLACK, _WHITE)
    ]
    return [replace(strip, left=left, right=right) for left, right in shown]


def _bare(strip: Strip) -> Strip:
    if not strip.left.hasalpha():
        return strip
    left, right = (side.extract_band(0, n=3) for side in strip.sides)
    return replace(strip, left=left, right=right)


@dataclass(frozen=True)
class _Look:
    """What one strip shows on one background.

    `total` is the mean difference of its samples times its pixels, 0 where that is slight; it is at most `bound`.
    """

    worst: float
    total: float
    bound: float
    windows: Mapping[str, list[Place]]


@dataclass
class _Ground:
    """All strips on one background."""

    total: float = 0
    windows: dict[str, list[Place]] = field(default_factory=dict)

    def add(self, look: _Look) -> None:
        """Add a strip."""
        self.total += look.total
        self.windows = merged(self.windows, look.windows)

    def places(self) -> dict[str, Place]:
        """Return the place that counts of each test."""
        return {name: found[-1] for name, found in self.windows.items() if found}


def _total(strip: Strip) -> float:
    one, other = (
        image.crop(0, strip.margin, image.width, image.height - strip.margin) if strip.margin else image
        for image in strip.sides
    )
    return float((one - other).abs().avg()) * float(one.width * one.height)


def _look(strip: Strip, boxes: Sequence[Box], harmless: Harmless | None, before: float | None) -> _Look:
    """Measure one strip: its mean over all of it, the rest in the boxes.

    `before` is a bound of the total of the pair before, None if nothing is known of it.
    """
    worst, bound, windows = 0.0, before, dict[str, list[Place]]()
    for box in boxes:
        part = strip.around(box).in_memory()
        if harmless is None or harmless.levels_exceeded(part):
            worst = max(worst, part.blocks[0].colourspace("lab").dE76(part.blocks[1].colourspace("lab")).max())
            windows = merged(windows, worst_areas(part))
        for doubtful in [box] if harmless is None else harmless.exceeded(strip, box, part):
            windows = merged(windows, worst_windows(strip.around(doubtful).in_memory()))
        if bound is not None and harmless is not None:
            bound += part.most * part.left.width * part.left.height
    pixels = strip.left.width * (strip.left.height - strip.margin)
    if harmless is not None and bound is not None and harmless.bounded(bound, pixels):
        return _Look(worst, 0.0, bound, windows)
    total = _total(strip)
    return _Look(worst, total, total, windows)
