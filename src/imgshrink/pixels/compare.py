"""How different two pictures look, and whether they are the same to the last bit: strip by strip, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyvips

_BLOCK = 8
_STRIP_PIXELS = 1 << 20
_FETCHED = 1 << 17
_OPAQUE = 255.0
_BLACK, _WHITE = 0, 255

_Pair = tuple[pyvips.Image, pyvips.Image]


@dataclass(frozen=True)
class Difference:
    """How far a candidate is from its reference; zero is the same picture.

    `worst` is the largest colour difference (CIE76) between blocks of 8 x 8 pixels, `mean` the mean one of samples,
    0..255; both are taken on black and on white, and the larger counts. `faded` is by how much the lowest alpha of a
    strip rose, 0..255.
    """

    worst: float = 0
    mean: float = 0
    faded: float = 0

    def or_worse(self, other: Difference) -> Difference:
        """Return the larger of each."""
        return Difference(max(self.worst, other.worst), max(self.mean, other.mean), max(self.faded, other.faded))


def measure(reference: pyvips.Image, candidate: pyvips.Image) -> Difference:
    """Compare two pictures of one size in 8-bit sRGB, with or without alpha; each is read once from top to bottom."""
    worst, faded, on_black, on_white = 0.0, 0.0, 0.0, 0.0
    for left, right in _different_strips(*_alike(reference, candidate)):
        alphas = _lowest_alpha(left), _lowest_alpha(right)
        looks = [_look(*pair) for pair in _flattened(left, right, opaque=min(alphas) == _OPAQUE)]
        worst = max(worst, looks[0][0], looks[-1][0])
        faded = max(faded, alphas[1] - alphas[0])
        on_black += looks[0][1]
        on_white += looks[-1][1]
    return Difference(worst, max(on_black, on_white) / (reference.width * reference.height), faded)


def identical(reference: pyvips.Image, candidate: pyvips.Image) -> bool:
    """Tell whether two pictures have the same size and the same bits; each is read once from top to bottom."""
    left, right = _alike(reference, candidate)
    if (left.width, left.height, left.bands, left.format) != (right.width, right.height, right.bands, right.format):
        return False
    return next(_different_strips(left, right), None) is None


def _alike(reference: pyvips.Image, candidate: pyvips.Image) -> _Pair:
    if reference.hasalpha() == candidate.hasalpha():
        return reference, candidate
    return (
        reference if reference.hasalpha() else reference.addalpha(),
        candidate if candidate.hasalpha() else candidate.addalpha(),
    )


def _different_strips(left: pyvips.Image, right: pyvips.Image) -> Iterator[_Pair]:
    """Yield the strips, whole blocks high, in which two pictures are not the same bytes."""
    rows = max(_BLOCK, _STRIP_PIXELS // left.width // _BLOCK * _BLOCK)
    one, other = pyvips.Region.new(left), pyvips.Region.new(right)
    for top in range(0, left.height, rows):
        height = min(rows, left.height - top)
        bytes_of_one, bytes_of_other = _rows(one, left.width, top, height), _rows(other, right.width, top, height)
        if bytes_of_one != bytes_of_other:
            yield _strip(left, bytes_of_one, height), _strip(right, bytes_of_other, height)


def _rows(region: pyvips.Region, width: int, top: int, height: int) -> bytes:
    """Return whole rows, fetched a few at a time: what the steps of decoding hand on then stays in the processor."""
    step = max(1, _FETCHED // width)
    end = top + height
    return b"".join(region.fetch(0, row, width, min(step, end - row)) for row in range(top, end, step))


def _strip(image: pyvips.Image, pixels: object, height: int) -> pyvips.Image:
    strip = pyvips.Image.new_from_memory(pixels, image.width, height, image.bands, image.format)
    return strip.copy(interpretation=image.interpretation)


def _lowest_alpha(image: pyvips.Image) -> float:
    return float(image[-1].min()) if image.hasalpha() else _OPAQUE


def _flattened(left: pyvips.Image, right: pyvips.Image, *, opaque: bool) -> list[_Pair]:
    if opaque:
        return [(left, right)]
    return [(_on(left, background), _on(right, background)) for background in (_BLACK, _WHITE)]


def _on(image: pyvips.Image, background: int) -> pyvips.Image:
    return image.flatten(background=[background]).copy_memory()


def _look(one: pyvips.Image, other: pyvips.Image) -> tuple[float, float]:
    """Return the worst difference of blocks, and the mean difference of colours times the number of pixels.

    An alpha band is the same in both: it counts for the divisor only.
    """
    worst = _blocks(one).dE76(_blocks(other)).max()
    return worst, (one - other).abs().avg() * one.bands / 3 * one.width * one.height


def _blocks(image: pyvips.Image) -> pyvips.Image:
    return image.shrink(_BLOCK, _BLOCK, ceil=True).extract_band(0, n=3).colourspace("lab")
