"""WebP: a lossless one stays nearly so, a lossy one is encoded again to the target where that saves enough."""

from __future__ import annotations

import pyvips

from ...core.model import ImageInfo, Recipe
from .metadata import carry
from .score import Scorer, sample
from .search import Trial, search
from .targets import HUGE, lossy_target
from .vp8 import estimated_quality
from .weights import LOSSY

_WORTH_IT = 0.9
_ALREADY_THERE = 8.0
"""Points of quality above the target's number up to which nothing is encoded again: all that we set lie below."""

_CAUTION = 8.5
"""Points that the estimate, fitted on JPEG for the most part, is too kind to WebP."""

_MISSED = 6.0
_LOWEST = 50
_NEAR_LOSSLESS = 40
_EFFORT, _LEAST_EFFORT = 4, 1
_SMALLEST_SIDE = 16


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the WebP in fewer bytes, with its frames and timings; `data` itself where less than a tenth is saved."""
    candidate = _lossless(data, info, recipe) if info.lossless else _lossy(data, info, recipe)
    if candidate is None:
        return data
    candidate = carry(data, candidate)
    return candidate if len(candidate) < _WORTH_IT * len(data) else data


def _lossless(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    near = {} if recipe.lossless else {"near_lossless": True, "Q": _NEAR_LOSSLESS}
    effort = _LEAST_EFFORT if info.all_pixels > HUGE else _EFFORT
    return bytes(_decoded(data).webpsave_buffer(lossless=True, effort=effort, keep="none", **near))


def _lossy(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes | None:
    """Return the image encoded to the target; None where it is there already or the target is missed."""
    target = lossy_target(recipe.quality)
    quality = estimated_quality(data)
    if recipe.lossless or min(info.width, info.height) < _SMALLEST_SIDE:
        return None
    if quality is None or quality <= target + _ALREADY_THERE:
        return None
    image = _decoded(data).copy_memory()
    tried = sample(image) if info.all_pixels > HUGE else image
    scorer = Scorer(tried)

    def attempt(setting: int) -> Trial:
        trial = encoded(tried, setting)
        return Trial(setting, trial, scorer.score(_decoded(trial), LOSSY) - _CAUTION)

    highest = min(95, round(target + _ALREADY_THERE) - 1)
    best = search(attempt, target, first=round(target), lowest=_LOWEST, highest=max(_LOWEST, highest))
    if best.score < target - _MISSED:
        return None
    return best.data if tried.height == image.height else encoded(image, best.setting)


def encoded(image: pyvips.Image, setting: int) -> bytes:
    """Return the image as a lossy WebP."""
    return bytes(image.webpsave_buffer(Q=setting, effort=_EFFORT, smart_subsample=True, keep="none"))


def _decoded(data: bytes) -> pyvips.Image:
    return pyvips.Image.webpload_buffer(data, n=-1, fail_on="error")
