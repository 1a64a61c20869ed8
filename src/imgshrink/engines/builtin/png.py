"""PNG: a palette where it looks as good as the target, fewer levels for photographs, no loss for everything else."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.containers import parts
from ...image.metadata import read_metadata
from ...image.sniff import sniff
from ...pixels.compare import acceptable
from ...pixels.looks import Looks
from .exact import ExactScorer
from .metadata import carry
from .places import PlaceScorer
from .png_lossless import rough, squeeze
from .score import Scorer, on
from .targets import HUGE, palette_target
from .weights import PALETTE

_OF_LOSSLESS = 0.97
_CERTAINLY_LESS = 0.5
"""Of the bytes of a rough lossless recoding, which a careful one of the corpus never reduced to less than 0.7."""

_ALTERED = 1.0
"""Points below the floor for what is not taken."""

_DOUBT, _CLEAR = 4.0, 2.0
"""Points below and above the floor between which SSIMULACRA2 itself decides."""

_BLOCK = 8
_EVEN, _EDGE = 0.1, 8.0
_SOFT = 0.1
"""Of the blocks with edges of a strength, by Sobel's operator, between these: of soft gradients, in which bands of few
colours can be seen, SSIMULACRA2 says little, and only the estimate's floor is high enough."""

_HIGH_RANGE = {"cICP", "mDCV", "cLLI"}
_STEPS = (6, 5, 4, 3, 2)
"""Between the values that are left of a channel; even steps, because filters then leave few different differences."""

_ROUNDED_OF_LOSSLESS = 0.9
_COLOURS_GAIN = 12.0
"""Points that more colours have gained at most."""

_FULL = 256 * 3

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
        self._scorer = Scorer(image)
        self._places = PlaceScorer(image)
        self._grounds = (0, 255) if image.hasalpha() else (255,)
        self._exact: list[tuple[int, ExactScorer]] = []
        self._soft = _is_soft(image)

    def whole(self, candidate: pyvips.Image) -> float:
        """Return the estimate for the image as a whole."""
        return self._scorer.score(candidate, PALETTE)

    def score(self, candidate: pyvips.Image) -> float:
        """Return the estimate for the image; below the floor where a place or the structure looks too different.

        Where the estimate is in doubt SSIMULACRA2 itself decides, of the whole image and of its worst place.
        """
        score, floor = self.whole(candidate), self.target.floor
        if score < floor - _DOUBT:
            return score
        if not (self._estimated_well(score, candidate) or self._exactly_well(candidate)):
            return min(score, floor - _ALTERED)
        altered = acceptable(self._image, candidate, self._quality, Format.PNG, self._looks.measure)
        return floor - _ALTERED if altered else max(score, floor)

    def _estimated_well(self, score: float, candidate: pyvips.Image) -> bool:
        if score < self.target.floor + (0 if self._soft else _CLEAR):
            return False
        return self._places.scores(candidate, PALETTE).worst >= self.target.place

    def _exactly_well(self, candidate: pyvips.Image) -> bool:
        if self._soft:
            return False
        self._exact = self._exact or [(ground, ExactScorer(on(self._image, ground))) for ground in self._grounds]
        found = [scorer.scores(on(candidate, ground)) for ground, scorer in self._exact]
        target = self.target
        return all(each.whole >= target.exact and min(each.places) >= target.exact_place for each in found)


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
    target = scorer.target
    best = _palette(image, scorer, target.setting)
    hopeless = best.score < target.floor - _COLOURS_GAIN
    if best.score >= target.score or hopeless or image.width * image.height > HUGE:
        return best
    for setting in ((target.setting + 104) // 2, 100):
        if not _is_full(best.data):
            best = max(best, _palette(image, scorer, setting), key=_score)
        if best.score >= target.floor:
            break
    return best


def _palette(image: pyvips.Image, scorer: _Scorer, setting: int) -> _Candidate:
    data = quantized(image, setting)
    return _Candidate(data, scorer.score(pyvips.Image.pngload_buffer(data).copy_memory()))


def _score(candidate: _Candidate) -> float:
    return candidate.score


def _is_full(data: bytes) -> bool:
    """Whether the palette has as many colours as it can."""
    return any(part.kind == "PLTE" and part.body_end - part.body == _FULL for part in parts(data, Format.PNG))


def _fewer_levels(data: bytes, image: pyvips.Image, scorer: _Scorer) -> bytes:
    """Return a photograph rounded as coarsely as does not show, or without loss."""
    pixels = image.width * image.height
    step = _coarsest(image, scorer)
    lossless = squeeze(data, pixels)
    if step is None:
        return lossless
    coarse = _rounded(image, step).pngsave_buffer(compression=1, keep="none")
    result = squeeze(carry(data, coarse), pixels)
    return result if len(result) < _ROUNDED_OF_LOSSLESS * len(lossless) else lossless


def _coarsest(image: pyvips.Image, scorer: _Scorer) -> int | None:
    """Return the largest step at which the image, and then each of its places, looks well; None where none does."""
    floor = scorer.target.floor
    place = bisect_left(_STEPS, floor - _DOUBT, key=lambda step: scorer.whole(_rounded(image, step)))
    return next((step for step in _STEPS[place:] if scorer.score(_rounded(image, step)) >= floor), None)


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


EFFORT = 5
"""libimagequant's effort: 7 takes half as long again for the same bytes, 3 costs some bytes on photographs."""


def quantized(image: pyvips.Image, setting: int, dither: float = 0.0) -> bytes:
    """Return the image as a palette PNG, barely compressed and without metadata."""
    return bytes(
        image.pngsave_buffer(
            palette=True, Q=setting, dither=dither, effort=EFFORT, compression=1, filter=0, keep="none"
        )
    )
