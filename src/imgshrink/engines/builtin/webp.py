"""WebP: a lossless one gets a palette, or is encoded to the target as a lossy one is, where that saves enough."""

from __future__ import annotations

import pyvips
from PIL import Image

from ...core.model import Format, ImageInfo, Recipe
from ...image.sniff import sniff
from ...pixels.compare import acceptable
from ...pixels.frames import pairs
from ...pixels.looks import Looks
from .metadata import carry
from .palette_search import PaletteScorer, best_palette, without_opaque_alpha
from .places import PlaceScorer
from .rounding import coarsest, is_rounded, rounded
from .score import Scorer, on, sample
from .search import Trial, search
from .targets import HUGE, lossy_target, webp_place_target
from .vp8 import estimated_quality
from .weights import LOSSY

_WORTH_IT = 0.9
_ALREADY_THERE = 8.0
"""Points of quality above the target's number up to which nothing is encoded again: all that we set lie below."""

_CAUTION = 8.5
"""Points that the estimate, fitted on JPEG for the most part, is too kind to WebP."""

_PALETTE = 256
_CERTAINLY_LESS = 0.6
"""Of the bytes of a lossless WebP, which another lossless encoding never reduced as much."""

_MANY_COLOURS = 0.05
"""Of the pixels: a photograph has more colours, a page with text fewer."""

_CLEARLY = 0.7
"""Of the bytes that a photograph takes without loss or with a palette: what saves less is not worth its loss."""

_MISSED = 6.0
_ALTERED = 1.0
"""Points below the least that is taken: what verify would refuse is not taken."""

_FRAMES = 3
_LOWEST = 50
_NEAR_LOSSLESS = ((85, 40), (95, 60), (99, 80))
"""The encoder's levels by the highest quality that they serve: at 40 a photograph scores 85, at 60 90 and more."""

_EFFORT, _LEAST_EFFORT = 4, 1
_SMALLEST_SIDE = 16


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the WebP in fewer bytes, with its frames and timings; `data` itself where less than a tenth is saved."""
    candidate = _lossless(data, info, recipe, looks) if info.lossless else _lossy(data, info, recipe, looks)
    if candidate is None:
        return data
    candidate = carry(data, candidate)
    return candidate if len(candidate) < _WORTH_IT * len(data) else data


def _lossless(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the image with a palette or fewer levels where they look well, without loss, or a photograph lossy."""
    small = min(info.width, info.height) < _SMALLEST_SIDE
    if recipe.lossless or info.animated or small or info.pixels > HUGE:
        return _exact(_decoded(data), info, near=_near(recipe) if info.animated else None)
    image = without_opaque_alpha(_decoded(data).copy_memory())
    if not _has_more_colours(image, _PALETTE) or is_rounded(image):
        return _exact(image, info)
    scorer = PaletteScorer(image, recipe.quality, Format.WEBP, looks)
    best = best_palette(image, scorer)
    coloured = _exact(pyvips.Image.pngload_buffer(best.data), info) if best.score >= scorer.target.floor else None
    if coloured and len(coloured) < _CERTAINLY_LESS * len(data):
        return coloured
    exact = min([_exact(image, info), *([coloured] if coloured else [])], key=len)
    if not _has_more_colours(image, int(_MANY_COLOURS * info.pixels)):
        return exact
    lossy = _to_target(data, image, info, recipe, looks)
    if lossy and len(lossy) < _CLEARLY * len(exact):
        return lossy
    step = coarsest(image, scorer)
    coarse = _exact(rounded(image, step), info) if step else exact
    return coarse if len(coarse) < _CLEARLY * len(exact) else exact


def _near(recipe: Recipe) -> int | None:
    """Return how near to the exact pixels near-lossless frames are, None for exact ones: lower is less near."""
    if recipe.lossless:
        return None
    return next(level for most, level in _NEAR_LOSSLESS if recipe.quality <= most)


def _exact(image: pyvips.Image, info: ImageInfo, *, near: int | None = None) -> bytes:
    """Return the image as a lossless WebP, or changed hardly visibly where that is smaller, see `_near`."""
    effort = _LEAST_EFFORT if info.all_pixels > HUGE else _EFFORT
    ways: list[dict[str, object]] = [{}]
    if near is not None:
        ways.append({"near_lossless": True, "Q": near})
    return min(
        (bytes(image.webpsave_buffer(lossless=True, effort=effort, keep="none", **way)) for way in ways), key=len
    )


def _has_more_colours(image: pyvips.Image, most: int) -> bool:
    """Tell whether an image in memory has more than so many colours."""
    size, mode = (image.width, image.height), "RGBA" if image.hasalpha() else "RGB"
    return Image.frombuffer(mode, size, image.write_to_memory(), "raw", mode, 0, 1).getcolors(most) is None


def _lossy(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes | None:
    """Return the image encoded to the target; None where it is there already or the target is missed."""
    quality = estimated_quality(data)
    if recipe.lossless or min(info.width, info.height) < _SMALLEST_SIDE:
        return None
    if quality is None or quality <= lossy_target(recipe.quality) + _ALREADY_THERE:
        return None
    return _to_target(data, _decoded(data).copy_memory(), info, recipe, looks)


def _to_target(data: bytes, image: pyvips.Image, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes | None:
    """Return the image, which is in memory, encoded to the target; None where that is missed."""
    target = lossy_target(recipe.quality)
    tried = sample(image) if info.all_pixels > HUGE else image
    highest = max(_LOWEST, min(95, round(target + _ALREADY_THERE) - 1))
    places = tried.height == image.height and not info.animated
    attempt = _Attempt(tried, recipe.quality, looks, places=places)
    best = search(attempt, target, first=round(target), lowest=_LOWEST, highest=highest)
    if best.score < target - _MISSED:
        return None
    if attempt.places:
        return best.data
    return _looking_well(data, info, recipe, image, best, highest)


class _Attempt:
    """Encodes an image at a setting and scores it: all of it, and with `places` each place on its own."""

    def __init__(self, image: pyvips.Image, quality: int, looks: Looks, *, places: bool) -> None:
        self.places = places
        self._image, self._quality, self._looks = image, quality, looks
        self._target, self._place_target = lossy_target(quality), webp_place_target(quality)
        self._scorer, self._place_scorer = Scorer(image), PlaceScorer(image)

    def __call__(self, setting: int) -> Trial:
        """Return the trial; a place that misses its target lowers the score as much below the least that is taken."""
        data = encoded(self._image, setting)
        shown = _decoded(data).copy_memory()
        score = self._scorer.score(shown, LOSSY) - _CAUTION
        if self.places:
            missed = self._place_target - self._place_scorer.scores(shown, LOSSY).worst
            if missed > 0:
                score = min(score, self._target - _MISSED - missed)
            elif score >= self._target - _MISSED and self._altered(shown):
                score = self._target - _MISSED - _ALTERED
        return Trial(setting, data, score)

    def _altered(self, shown: pyvips.Image) -> bool:
        return bool(acceptable(self._image, shown, self._quality, Format.WEBP, self._looks.measure))


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
    """Return the image as a lossy WebP."""
    return bytes(image.webpsave_buffer(Q=setting, effort=_EFFORT, smart_subsample=True, keep="none"))


def _decoded(data: bytes) -> pyvips.Image:
    return pyvips.Image.webpload_buffer(data, n=-1, fail_on="error")
