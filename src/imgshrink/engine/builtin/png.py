"""PNG: a palette where it looks as good as the target, fewer levels for photographs, no loss for everything else."""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from ...model import ImageInfo, Recipe
from .carry import carry
from .judge import Judge
from .oxide import squeeze, squeeze_palette, store
from .palette import quantized
from .targets import PaletteTarget, palette_target
from .weights import PALETTE

_OF_INPUT = 0.5
_OF_STORED = 0.7
_OF_LOSSLESS = 0.97
_LEVELS = (36, 52, 64, 86, 128)
_SMALL = 250_000
_LEVELS_SCORE = 86.0
_LEVELS_OF_LOSSLESS = 0.9
_LEVELS_OF_STORED = 0.8
_DITHER_GAIN = 8.0
"""Points that dithering and more colours have gained at most."""

_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class _Candidate:
    """A palette version of the picture and its score."""

    data: bytes
    score: float


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the PNG in fewer bytes."""
    small = min(info.width, info.height) < _SMALLEST_SIDE
    if recipe.lossless or small or info.animated or info.depth == 16:
        return squeeze(data, depth_may_fall=info.depth != 16)
    if info.colour == "palette":
        return squeeze_palette(data, every_filter=info.pixels < _SMALL)
    image = _decoded(data)
    if _is_rounded(image):
        return squeeze(data)
    judge = Judge(image, PALETTE)
    target = palette_target(recipe.quality)
    best = _best_palette(image, judge, target)
    if best.score >= target.floor:
        result = squeeze_palette(carry(data, best.data), every_filter=info.pixels < _SMALL)
        if _worth_it(data, result):
            return result
    return _fewer_levels(data, image, judge, target)


def _decoded(data: bytes) -> pyvips.Image:
    """Return the pixels, without an alpha channel that is opaque everywhere."""
    image = pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory()
    if image.hasalpha() and image[-1].min() == 255:
        image = image[: image.bands - 1].copy_memory()
    return image


def _best_palette(image: pyvips.Image, judge: Judge, target: PaletteTarget) -> _Candidate:
    """Return a plain palette if it meets the target, else the better one of it and a large dithered one."""
    plain = _palette(image, judge, target.setting, 0.0)
    if plain.score >= target.score or plain.score < target.floor - _DITHER_GAIN:
        return plain
    return max(plain, _palette(image, judge, 100, 0.5), key=lambda candidate: candidate.score)


def _palette(image: pyvips.Image, judge: Judge, setting: int, dither: float) -> _Candidate:
    data = quantized(image, setting, dither)
    return _Candidate(data, judge.score(pyvips.Image.pngload_buffer(data)))


def _worth_it(data: bytes, result: bytes) -> bool:
    """Whether the lossy `result` saves enough to be worth its loss, measured against ever costlier rivals."""
    if len(result) < _OF_INPUT * len(data) or len(result) < _OF_STORED * len(store(data)):
        return True
    return len(result) < _OF_LOSSLESS * len(squeeze(data))


def _fewer_levels(data: bytes, image: pyvips.Image, judge: Judge, target: PaletteTarget) -> bytes:
    """Return a photograph rounded to as few levels a channel as do not show, or without loss."""
    for levels in _LEVELS:
        candidate = _rounded(image, levels)
        if judge.score(candidate) >= max(_LEVELS_SCORE, target.floor):
            result = squeeze(carry(data, candidate.pngsave_buffer(compression=1, keep="none")))
            if image.width * image.height >= _SMALL and len(result) < _LEVELS_OF_STORED * len(store(data)):
                return result
            lossless = squeeze(data)
            return result if len(result) < _LEVELS_OF_LOSSLESS * len(lossless) else lossless
    return squeeze(data)


def _is_rounded(image: pyvips.Image) -> bool:
    """Whether it has been rounded before: nothing is left to gain, and judged by itself it would be rounded further."""
    return any((image != _rounded(image, levels)).max() == 0 for levels in _LEVELS)


def _rounded(image: pyvips.Image, levels: int) -> pyvips.Image:
    """Return the picture with `levels` evenly spaced values a channel; rounding again changes nothing."""
    table = [round(round(value * (levels - 1) / 255) * 255 / (levels - 1)) for value in range(256)]
    return image.maplut(pyvips.Image.new_from_array([table]).cast("uchar"))
