"""The palette of an image: the first that looks as good as the target, everywhere, chosen in RGB or to sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import pyvips

from ...core.model import Format
from ...pixels.compare import acceptable
from ...pixels.looks import Looks
from .exact import ExactScorer
from .palette import is_full, quantized, quantized_to_sight
from .places import PlaceScorer
from .score import Scorer, on
from .targets import HUGE, palette_target
from .weights import PALETTE

_ALTERED = 1.0
"""Points below the floor for what is not taken."""

DOUBT, _CLEAR = 4.0, 2.0
"""Points below and above the floor between which SSIMULACRA2 itself decides."""

_EXACT_TO = 85
"""The highest quality at which it decides: above, the estimate asks for more."""

_BLOCK = 8
_EVEN, _EDGE = 0.1, 8.0
_SOFT = 0.1
"""Of the blocks with edges of a strength, by Sobel's operator, between these: of soft gradients, in which bands of few
colours can be seen, SSIMULACRA2 says little, and only the estimate's floor is high enough."""

_COLOURS_GAIN, _SIGHT_GAIN = 12.0, 9.0
"""Points that more colours, and then colours to sight, have gained at most."""

_MORE = 94
"""The quantizer's next setting where its first was lower."""

_COLOUR_BANDS = 3
_OPAQUE = 255


@dataclass(frozen=True)
class Candidate:
    """A version of the image with a palette, as a PNG that is barely compressed, and its score."""

    data: bytes
    score: float


class PaletteScorer:
    """Scores candidates for one image: all of it, then each place, then their structure as verify compares it.

    `format` is that of the results.
    """

    def __init__(self, image: pyvips.Image, quality: int, format: Format, looks: Looks) -> None:
        self.target = palette_target(quality)
        self._image, self._quality, self._format, self._looks = image, quality, format, looks
        self._places = PlaceScorer(image)

    def whole(self, candidate: pyvips.Image) -> float:
        """Return the estimate for the image as a whole, from a sample of it."""
        return self._sampled.score(candidate, PALETTE)

    def score(self, candidate: pyvips.Image, doubt: float = 0.0) -> float:
        """Return the estimate for the image; below the floor where a place or the structure looks too different.

        SSIMULACRA2 itself decides, of the whole image and of its worst place, from so many points below the floor on to
        where the estimate is clear; without doubt, the estimate does.
        """
        found, target = self._places.scores(candidate, PALETTE), self.target
        high = found.whole >= target.floor + _CLEAR or (found.whole >= target.floor and self._estimated)
        clear = high and found.worst >= target.place
        if not clear and (found.whole < target.floor - doubt or not self._exactly_well(candidate, doubt)):
            return min(found.whole, target.floor - _ALTERED)
        return self._unaltered(candidate, max(found.whole, target.floor))

    def score_to_sight(self, candidate: pyvips.Image) -> float:
        """Return what `score` does for a palette to sight, of which the estimate is five points too severe."""
        if self._estimated:
            return self.score(candidate)
        if self._exactly_well(candidate, DOUBT):
            return self._unaltered(candidate, self.target.floor)
        return self.target.floor - _ALTERED

    def _unaltered(self, candidate: pyvips.Image, score: float) -> float:
        altered = acceptable(self._image, candidate, self._quality, self._format, self._looks.measure)
        return self.target.floor - _ALTERED if altered else score

    def _exactly_well(self, candidate: pyvips.Image, doubt: float) -> bool:
        if not doubt or self._estimated:
            return False
        target = self.target
        found = (scorer.scores(on(candidate, background)) for background, scorer in self._exact)
        return all(each.whole >= target.exact and min(each.places) >= target.exact_place for each in found)

    @cached_property
    def _sampled(self) -> Scorer:
        return Scorer(self._image)

    @cached_property
    def _exact(self) -> list[tuple[int, ExactScorer]]:
        backgrounds = (0, 255) if self._image.hasalpha() else (255,)
        return [(background, ExactScorer(on(self._image, background))) for background in backgrounds]

    @cached_property
    def _estimated(self) -> bool:
        """Whether the estimate decides also where it is in doubt."""
        return self._quality > _EXACT_TO or _is_soft(self._image)


def _is_soft(image: pyvips.Image) -> bool:
    """Tell whether much of an image is soft gradients."""
    edges = on(image, 255).colourspace("b-w").sobel().cast("float").shrink(_BLOCK, _BLOCK).copy_memory()
    soft = (edges > _EVEN).avg() - (edges > _EDGE).avg()
    return bool(soft / 255 > _SOFT)


def without_opaque_alpha(image: pyvips.Image) -> pyvips.Image:
    """Return an image in memory without an alpha channel that is opaque everywhere."""
    opaque = image.hasalpha() and image[-1].min() == _OPAQUE
    return image[: image.bands - 1].copy_memory() if opaque else image


def best_palette(image: pyvips.Image, scorer: PaletteScorer) -> Candidate:
    """Return the first palette that is good enough: one of few colours, of more, of as many as there can be."""
    target, coloured = scorer.target, image.bands >= _COLOUR_BANDS
    best = _scored(quantized(image, target.setting), scorer.score)
    if best.score >= target.floor or image.width * image.height > HUGE:
        return best
    if target.setting < _MORE and not is_full(best.data):
        best = _scored(quantized(image, _MORE), scorer.score)
    if best.score >= target.floor or best.score < target.floor - _COLOURS_GAIN:
        return best
    if not is_full(best.data):
        best = _scored(quantized(image, 100), partial(scorer.score, doubt=0.0 if coloured else DOUBT))
    if coloured and target.floor - _SIGHT_GAIN <= best.score < target.floor:
        seen = _scored(quantized_to_sight(image), scorer.score_to_sight)
        best = seen if seen.score >= target.floor else _scored(best.data, partial(scorer.score, doubt=DOUBT))
    return best


def _scored(data: bytes, score: Callable[[pyvips.Image], float]) -> Candidate:
    return Candidate(data, score(pyvips.Image.pngload_buffer(data).copy_memory()))
