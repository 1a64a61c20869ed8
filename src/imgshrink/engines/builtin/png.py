"""PNG: a palette where it looks as good as the target, fewer levels for photographs, no loss for everything else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.metadata import read_metadata
from ...image.sniff import sniff
from ...pixels.compare import acceptable
from ...pixels.looks import Looks
from .exact import ExactScorer
from .metadata import carry
from .palette import is_full, quantized, quantized_to_sight
from .places import PlaceScorer
from .png_lossless import rough, squeeze
from .score import Scorer, on
from .targets import HUGE, palette_target
from .weights import PALETTE

_OF_LOSSLESS = 0.97
_CERTAINLY_LESS = 0.6
"""Of the bytes of a rough lossless recoding, which a careful one of the corpus never reduced to less than 0.68."""

_ALTERED = 1.0
"""Points below the floor for what is not taken."""

_DOUBT, _CLEAR = 4.0, 2.0
"""Points below and above the floor between which SSIMULACRA2 itself decides."""

_EXACT_TO = 85
"""The highest quality at which it decides: above, the estimate asks for more."""

_BLOCK = 8
_EVEN, _EDGE = 0.1, 8.0
_SOFT = 0.1
"""Of the blocks with edges of a strength, by Sobel's operator, between these: of soft gradients, in which bands of few
colours can be seen, SSIMULACRA2 says little, and only the estimate's floor is high enough."""

_HIGH_RANGE = {"cICP", "mDCV", "cLLI"}
_STEPS = (6, 5, 4, 3, 2)
"""Between the values that are left of a channel; even steps, because filters then leave few different differences."""

_ROUNDED_OF_LOSSLESS = 0.9
_COLOURS_GAIN, _SIGHT_GAIN = 12.0, 9.0
"""Points that more colours, and then colours to sight, have gained at most."""

_COLOUR_BANDS = 3
_SMALLEST_SIDE = 16
_GLANCE = 8
"""Every so many pixels of every so many rows are enough to see that an image has not been rounded."""


@dataclass(frozen=True)
class _Candidate:
    """A palette version of the image and its score."""

    data: bytes
    score: float


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the PNG in fewer bytes; never in more than without loss."""
    small = min(info.width, info.height) < _SMALLEST_SIDE
    if recipe.lossless or small or info.animated or info.colour == "palette":
        return squeeze(data, info.all_pixels, depth_may_fall=info.depth != 16)
    if info.depth == 16:
        return _of_8_bits(data, info, recipe, looks)
    image = _decoded(data)
    if _is_rounded(image):
        return squeeze(data, info.pixels)
    scorer = _Scorer(image, recipe.quality, looks)
    best = _best_palette(image, scorer)
    if best.score >= scorer.target.floor:
        result = squeeze(carry(data, best.data), info.pixels)
        if len(result) < _CERTAINLY_LESS * len(rough(data)):
            return result
        lossless = squeeze(data, info.pixels)
        if len(result) < _OF_LOSSLESS * len(lossless):
            return result
    return _fewer_levels(data, image, scorer)


def _of_8_bits(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return a PNG of 16 bits in 8 bits, which screens show alike; without loss if it is of high dynamic range."""
    lossless = squeeze(data, info.pixels, depth_may_fall=False)
    if _HIGH_RANGE & set(read_metadata(data).colour):
        return lossless
    image = pyvips.Image.pngload_buffer(data, fail_on="error")
    shallow = carry(
        data, image.colourspace("srgb" if image.bands > 2 else "b-w").cast("uchar").pngsave_buffer(keep="none")
    )
    found = sniff(shallow)
    assert found is not None
    return min(optimize(shallow, found, recipe, looks), lossless, key=len)


class _Scorer:
    """Scores candidates for one image: all of it, then each place, then their structure as verify compares it."""

    def __init__(self, image: pyvips.Image, quality: int, looks: Looks) -> None:
        self.target = palette_target(quality)
        self._image, self._quality, self._looks = image, quality, looks
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
        if self._exactly_well(candidate, _DOUBT):
            return self._unaltered(candidate, self.target.floor)
        return self.target.floor - _ALTERED

    def _unaltered(self, candidate: pyvips.Image, score: float) -> float:
        altered = acceptable(self._image, candidate, self._quality, Format.PNG, self._looks.measure)
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


def _decoded(data: bytes) -> pyvips.Image:
    """Return the pixels, without an alpha channel that is opaque everywhere."""
    image = pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory()
    if image.hasalpha() and image[-1].min() == 255:
        image = image[: image.bands - 1].copy_memory()
    return image


def _best_palette(image: pyvips.Image, scorer: _Scorer) -> _Candidate:
    """Return the first palette that is good enough: one of few colours, of more, of as many as there can be."""
    target, coloured = scorer.target, image.bands >= _COLOUR_BANDS
    best = _scored(quantized(image, target.setting), scorer.score)
    if best.score >= target.floor or best.score < target.floor - _COLOURS_GAIN or image.width * image.height > HUGE:
        return best
    if not is_full(best.data):
        best = _scored(quantized(image, 100), partial(scorer.score, doubt=0.0 if coloured else _DOUBT))
    if coloured and target.floor - _SIGHT_GAIN <= best.score < target.floor:
        seen = _scored(quantized_to_sight(image), scorer.score_to_sight)
        best = seen if seen.score >= target.floor else _scored(best.data, partial(scorer.score, doubt=_DOUBT))
    return best


def _scored(data: bytes, score: Callable[[pyvips.Image], float]) -> _Candidate:
    return _Candidate(data, score(pyvips.Image.pngload_buffer(data).copy_memory()))


def _fewer_levels(data: bytes, image: pyvips.Image, scorer: _Scorer) -> bytes:
    """Return a photograph rounded as coarsely as does not show, or without loss."""
    pixels = image.width * image.height
    step = _coarsest(image, scorer)
    if step is None:
        return squeeze(data, pixels)
    coarse = _rounded(image, step).pngsave_buffer(compression=1, keep="none")
    result = squeeze(carry(data, coarse), pixels)
    if len(result) < _CERTAINLY_LESS * len(rough(data)):
        return result
    lossless = squeeze(data, pixels)
    return result if len(result) < _ROUNDED_OF_LOSSLESS * len(lossless) else lossless


def _coarsest(image: pyvips.Image, scorer: _Scorer) -> int | None:
    """Return the largest step at which the image, and then each of its places, looks well; None where none does."""
    floor = scorer.target.floor
    place = bisect_left(_STEPS, floor - _DOUBT, key=lambda step: scorer.whole(_rounded(image, step)))
    return next((step for step in _STEPS[place:] if scorer.score(_rounded(image, step), _DOUBT) >= floor), None)


def _is_rounded(image: pyvips.Image) -> bool:
    """Whether it has been rounded before: nothing is left to gain, and judged by itself it would be rounded further."""
    glance = image.subsample(_GLANCE, _GLANCE)
    return all(any(used <= set(_table(step)) for step in _STEPS) for used in map(_levels, (glance, image)))


def _levels(image: pyvips.Image) -> set[int]:
    """Return the values that are there in any channel."""
    counts = memoryview(image.hist_find().write_to_memory()).cast("I")
    return {place // image.bands for place, count in enumerate(counts) if count}


def _rounded(image: pyvips.Image, step: int) -> pyvips.Image:
    """Return the image with values `step` apart in each channel; rounding again changes nothing."""
    return image.maplut(pyvips.Image.new_from_array([_table(step)]).cast("uchar"))


def _table(step: int) -> list[int]:
    """Return what becomes of each value: white and black stay, the others move to the nearest step below white."""
    return [0] + [max(0, 255 - step * round((255 - value) / step)) for value in range(1, 256)]
