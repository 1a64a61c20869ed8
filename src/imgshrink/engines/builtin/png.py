"""PNG: a palette where it looks as good as the target, fewer levels for photographs, no loss for everything else."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.containers import parts
from .metadata import carry
from .png_lossless import squeeze, squeeze_palette, store
from .score import Scorer
from .targets import HUGE, PaletteTarget, palette_target
from .weights import PALETTE

_OF_INPUT = 0.5
_OF_STORED = 0.7
_OF_LOSSLESS = 0.97
_STEPS = (6, 5, 4, 3, 2)
"""Between the values that are left of a channel; even steps, because filters then leave few different differences."""

_SMALL = 250_000
_ROUNDED_OF_LOSSLESS = 0.9
_ROUNDED_OF_STORED = 0.8
_COLOURS_GAIN = 12.0
"""Points that more colours or dithering have gained at most."""

_DITHER_CAUTION = 1.5
"""Points that the estimate is too kind to dithered photographs."""

_FULL = 256 * 3

_SMALLEST_SIDE = 16
_GLANCE = 8
"""Every so many pixels of every so many rows are enough to see that a image has not been rounded."""


@dataclass(frozen=True)
class _Candidate:
    """A palette version of the image and its score."""

    data: bytes
    score: float


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the PNG in fewer bytes."""
    small = min(info.width, info.height) < _SMALLEST_SIDE
    if recipe.lossless or small or info.animated or info.depth == 16:
        return squeeze(data, info.all_pixels, depth_may_fall=info.depth != 16)
    if info.colour == "palette":
        return squeeze_palette(data, info.pixels)
    image = _decoded(data)
    if _is_rounded(image):
        return squeeze(data, info.pixels)
    scorer = Scorer(image)
    target = palette_target(recipe.quality)
    best = _best_palette(image, scorer, target)
    if best.score >= target.floor:
        result = squeeze_palette(carry(data, best.data), info.pixels)
        if _worth_it(data, result, info.pixels):
            return result
    return _fewer_levels(data, image, scorer, target)


def _decoded(data: bytes) -> pyvips.Image:
    """Return the pixels, without an alpha channel that is opaque everywhere."""
    image = pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory()
    if image.hasalpha() and image[-1].min() == 255:
        image = image[: image.bands - 1].copy_memory()
    return image


def _best_palette(image: pyvips.Image, scorer: Scorer, target: PaletteTarget) -> _Candidate:
    """Return the first palette that is good enough: one of few colours, a large one, a large one dithered."""
    best = _palette(image, scorer, target.setting, 0.0)
    hopeless = best.score < target.floor - _COLOURS_GAIN
    if best.score >= target.score or hopeless or image.width * image.height > HUGE:
        return best
    if not _is_full(best.data):
        best = max(best, _palette(image, scorer, 100, 0.0), key=_score)
    if best.score >= target.floor:
        return best
    return max(best, _palette(image, scorer, 100, 0.5), key=_score)


def _palette(image: pyvips.Image, scorer: Scorer, setting: int, dither: float) -> _Candidate:
    data = quantized(image, setting, dither)
    score = scorer.score(pyvips.Image.pngload_buffer(data), PALETTE)
    return _Candidate(data, score - _DITHER_CAUTION if dither else score)


def _score(candidate: _Candidate) -> float:
    return candidate.score


def _is_full(data: bytes) -> bool:
    """Whether the palette has as many colours as it can."""
    return any(part.kind == "PLTE" and part.body_end - part.body == _FULL for part in parts(data, Format.PNG))


def _worth_it(data: bytes, result: bytes, pixels: int) -> bool:
    """Whether the lossy `result` saves enough to be worth its loss, measured against ever costlier rivals."""
    if len(result) < _OF_INPUT * len(data) or len(result) < _OF_STORED * len(store(data)):
        return True
    return len(result) < _OF_LOSSLESS * len(squeeze(data, pixels))


def _fewer_levels(data: bytes, image: pyvips.Image, scorer: Scorer, target: PaletteTarget) -> bytes:
    """Return a photograph rounded as coarsely as does not show, or without loss."""
    pixels = image.width * image.height
    place = bisect_left(_STEPS, target.floor, key=lambda step: scorer.score(_rounded(image, step), PALETTE))
    if place == len(_STEPS):
        return squeeze(data, pixels)
    coarse = _rounded(image, _STEPS[place]).pngsave_buffer(compression=1, keep="none")
    result = squeeze(carry(data, coarse), pixels)
    if pixels >= _SMALL and len(result) < _ROUNDED_OF_STORED * len(store(data)):
        return result
    lossless = squeeze(data, pixels)
    return result if len(result) < _ROUNDED_OF_LOSSLESS * len(lossless) else lossless


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


def quantized(image: pyvips.Image, setting: int, dither: float) -> bytes:
    """Return the image as a palette PNG, barely compressed and without metadata."""
    return bytes(
        image.pngsave_buffer(
            palette=True, Q=setting, dither=dither, effort=EFFORT, compression=1, filter=0, keep="none"
        )
    )
