"""WebP: a lossless one stays nearly so, a lossy one is encoded again to the target where that saves enough."""

from __future__ import annotations

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.sniff import sniff
from ...pixels.compare import acceptable
from ...pixels.frames import pairs
from ...pixels.looks import Looks
from .margins import Judge
from .metadata import carry
from .places import PlaceScorer
from .score import Scorer, on, sample
from .search import Trial, search
from .targets import HUGE, JpegTarget, lossy_target, webp_place_target, webp_target
from .vp8 import estimated_quality
from .weights import LOSSY

_WORTH_IT = 0.9
_ALREADY_THERE = 8.0
"""Points of quality above the target's number up to which nothing is encoded again: all that we set lie below."""

_CAUTION = 8.5
"""Points that the estimate, fitted on JPEG for the most part, is too kind to WebP."""

_MISSED = 6.0
"""Points below the target of the estimate to which it is taken."""

_BELOW_TARGET, _SLOPE = 14, 0.35
"""Settings below the target's number where the search of stills begins, and the points that a setting gains there."""

_FRAMES = 3
_LOWEST = 40
_NEAR_LOSSLESS = 40
_EFFORT, _LEAST_EFFORT = 4, 1
_SMALLEST_SIDE = 16


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the WebP in fewer bytes, with its frames and timings; `data` itself where less than a tenth is saved."""
    candidate = _lossless(data, info, recipe) if info.lossless else _lossy(data, info, recipe, looks)
    if candidate is None:
        return data
    candidate = carry(data, candidate)
    return candidate if len(candidate) < _WORTH_IT * len(data) else data


def _lossless(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the image as lossless as the recipe asks: without loss it hardly gets smaller, which is not tried."""
    effort = _LEAST_EFFORT if info.all_pixels > HUGE else _EFFORT
    way: dict[str, object] = {} if recipe.lossless else {"near_lossless": True, "Q": _NEAR_LOSSLESS}
    return bytes(_decoded(data).webpsave_buffer(lossless=True, effort=effort, keep="none", **way))


def _lossy(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes | None:
    """Return the image encoded to the target; None where it is there already or the target is missed."""
    quality = estimated_quality(data)
    most = lossy_target(recipe.quality) + _ALREADY_THERE
    if recipe.lossless or min(info.width, info.height) < _SMALLEST_SIDE or quality is None or quality <= most:
        return None
    image = _decoded(data).copy_memory()
    highest = max(_LOWEST, min(95, round(most) - 1))
    if info.animated or info.all_pixels > HUGE:
        return _estimated(data, info, recipe, image, highest)
    attempt = _Attempt(image, webp_target(recipe.quality))
    first = round(lossy_target(recipe.quality)) - _BELOW_TARGET
    best = search(attempt, 0, first=first, lowest=_LOWEST, highest=highest, slope=_SLOPE)
    if best.score < 0 or _altered(image, best.data, recipe.quality, looks):
        best = attempt(highest)
    return None if best.score < 0 or _altered(image, best.data, recipe.quality, looks) else best.data


def _altered(image: pyvips.Image, candidate: bytes, quality: int, looks: Looks) -> bool:
    """Tell whether verify would refuse a candidate."""
    return bool(acceptable(image, _decoded(candidate).copy_memory(), quality, Format.WEBP, looks.measure))


class _Attempt:
    """Encodes an image at a setting; the score is by how much SSIMULACRA2 is above its target where that is least."""

    def __init__(self, image: pyvips.Image, target: JpegTarget) -> None:
        backgrounds = (0, 255) if image.hasalpha() else (255,)
        self._image = image
        self._judges = [(background, Judge(on(image, background).copy_memory(), target)) for background in backgrounds]

    def __call__(self, setting: int) -> Trial:
        data = encoded(self._image, setting)
        shown = _decoded(data).copy_memory()
        margins = (judge.margin(on(shown, background).copy_memory()) for background, judge in self._judges)
        return Trial(setting, data, min(margins))


def _estimated(data: bytes, info: ImageInfo, recipe: Recipe, image: pyvips.Image, highest: int) -> bytes | None:
    """Return an animated or very large image encoded to the target by its estimate, which takes less time."""
    target = lossy_target(recipe.quality)
    tried = sample(image) if info.all_pixels > HUGE else image
    scorer = Scorer(tried)

    def attempt(setting: int) -> Trial:
        made = encoded(tried, setting)
        return Trial(setting, made, scorer.score(_decoded(made).copy_memory(), LOSSY) - _CAUTION)

    best = search(attempt, target, first=round(target), lowest=_LOWEST, highest=highest)
    return None if best.score < target - _MISSED else _looking_well(data, info, recipe, image, best, highest)


def _looking_well(
    data: bytes, info: ImageInfo, recipe: Recipe, image: pyvips.Image, best: Trial, highest: int
) -> bytes | None:
    """Return the lowest of a few settings from `best` on at which every place of what changed most looks well."""
    for setting in dict.fromkeys((best.setting, (best.setting + highest + 1) // 2, highest)):
        candidate = best.data if setting == best.setting and info.animated else encoded(image, setting)
        after = sniff(candidate)
        assert after is not None
        if worst_frames_score(data, candidate, info, after) >= webp_place_target(recipe.quality):
            return candidate
    return None


def worst_frames_score(data: bytes, candidate: bytes, before: ImageInfo, after: ImageInfo) -> float:
    """Return the worst score of a place in the frames that changed most, at most three."""
    worst: list[tuple[float, int, pyvips.Image, pyvips.Image]] = []
    for number, pair in enumerate(pairs(data, candidate, before, after)):
        left, right = (on(image, 255).copy_memory() for image in pair)
        entry = ((left - right).abs().avg(), number, left, right)
        worst = sorted([*worst, entry], key=lambda entry: -entry[0])[:_FRAMES]
    return min(PlaceScorer(left).scores(right, LOSSY).worst for _, _, left, right in worst)


def encoded(image: pyvips.Image, setting: int) -> bytes:
    """Return the image as a lossy WebP; `smart_subsample` takes twice the time for half a point."""
    return bytes(image.webpsave_buffer(Q=setting, effort=_EFFORT, keep="none"))


def _decoded(data: bytes) -> pyvips.Image:
    return pyvips.Image.webpload_buffer(data, n=-1, fail_on="error")
