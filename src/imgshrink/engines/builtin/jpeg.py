"""JPEG: encoded again to a target where that saves much, else recoded without loss."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from struct import unpack_from

import mozjpeg_lossless_optimization as mozjpeg
import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.containers import parts
from ...image.metadata import read_metadata
from ...pixels.color import displayed
from .metadata import carry
from .score import Reference, sample
from .search import Trial, best_trial, search
from .targets import lossy_target
from .weights import LOSSY

_SETTINGS = {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True}
_TABLE_OF_HALF_CHROMA, _TABLE_OF_FULL_CHROMA = 2, 3
"""mozjpeg's tables. The one for MS-SSIM is 2 to 3 per cent smaller at an equal score than its command's default, but
so coarse in fine colours that text which is worth full chroma would lose it again."""

_BELOW_USUALLY, _BELOW_TARGET, _HIGHEST = 6, 10, 95
"""Settings of the encoder, counted from the target: where the search begins, and where it ends."""

_WORTH_IT = 0.8
"""Of the bytes without loss."""

_CLEARLY_WORTH_IT = 0.7 * _WORTH_IT
"""Of the coded pixels: what is left without loss was never less than 0.7 of them in 85 JPEGs of documentation."""

_ALREADY_THERE = 1.3
"""Sums of luma tables: what another encoder quantized so much more coarsely than we would has nothing to gain."""

_LEAST_PENALTY, _MOST_PENALTY = 1.5, 6.0
_FULL_CHROMA_GENTLER = 15
"""How much less of the chroma penalty 4:4:4 pays: its chroma is quantized, which shows on saturated text only."""

_CLOSE = 0.5
"""Points below the target at which 4:2:0 is as good as met: 4:4:4 would cost more than they are worth."""

_MISSED = 6.0


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the JPEG in fewer bytes; a generation is lost only where that saves much."""
    profile = read_metadata(data).icc if info.colour == "cmyk" else b""
    best = None
    if not recipe.lossless and not is_done(data, recipe.quality):
        best = _to_target(decoded(data), profile, lossy_target(recipe.quality))
    if best is not None and _coded_pixels(best) < _CLEARLY_WORTH_IT * _coded_pixels(data):
        return carry(data, transcode(best))
    recoded = carry(data, transcode(data))
    if best is None or len(best) > len(recoded):
        return recoded
    result = carry(data, transcode(best))
    return result if len(result) - len(profile) < _WORTH_IT * (len(recoded) - len(profile)) else recoded


def _coded_pixels(data: bytes) -> int:
    """Return the bytes of all scans."""
    return sum(part.end - part.start for part in parts(data, Format.JPEG) if part.kind == "scan")


def decoded(data: bytes) -> pyvips.Image:
    """Return the pixels as they are stored; raises on broken ones."""
    return pyvips.Image.jpegload_buffer(data, fail_on="error").copy_memory()


def transcode(data: bytes) -> bytes:
    """Return the same coefficients in fewer bytes, with the ICC profile and without other metadata."""
    return bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.ICC))


def encoded(image: pyvips.Image, setting: int, *, full_chroma: bool) -> bytes:
    """Return the image as a baseline JPEG: with the lossless pass behind it smaller than a progressive one is."""
    mode, table = ("off", _TABLE_OF_FULL_CHROMA) if full_chroma else ("on", _TABLE_OF_HALF_CHROMA)
    return bytes(image.jpegsave_buffer(Q=setting, subsample_mode=mode, quant_table=table, keep="none", **_SETTINGS))


def _to_target(image: pyvips.Image, profile: bytes, target: float) -> bytes | None:
    """Return the smallest JPEG that looks as good as the target, None where even the best one misses it by far.

    What is tried on the way are the strips that the estimate looks at. `profile` is what CMYK is shown with.
    """

    def shown(stored: pyvips.Image) -> pyvips.Image:
        return displayed(stored, profile, 1).copy_memory() if stored.interpretation == "cmyk" else stored

    def searched(penalty: float, *, full_chroma: bool) -> Trial:
        def attempt(setting: int) -> Trial:
            data = encoded(strips, setting, full_chroma=full_chroma)
            score = reference.score(shown(pyvips.Image.jpegload_buffer(data)), LOSSY)
            return Trial(setting, data, score - penalty)

        lowest = max(1, round(target) - _BELOW_TARGET)
        return search(
            attempt, target, first=max(lowest, round(target) - _BELOW_USUALLY), lowest=lowest, highest=_HIGHEST
        )

    strips = sample(image)
    reference = Reference(shown(strips))
    penalty = _chroma_penalty(reference.chroma_detail) if image.bands == 3 else 0.0
    trials = {}
    if penalty < _MOST_PENALTY:
        trials[False] = searched(penalty, full_chroma=False)
    if not trials or (image.bands == 3 and (penalty > _LEAST_PENALTY or trials[False].score < target - _CLOSE)):
        trials[True] = searched(min(_MOST_PENALTY, penalty / _FULL_CHROMA_GENTLER), full_chroma=True)
    best = best_trial(list(trials.values()), target - _CLOSE)
    if best.score < target - _MISSED:
        return None
    whole = strips.height == image.height
    return best.data if whole else encoded(image, best.setting, full_chroma=best is trials.get(True))


def _chroma_penalty(detail: float) -> float:
    """Return what 4:2:0 costs beyond what the estimate sees; fitted on saturated text, 4:4:4 against 4:2:0."""
    return max(0.0, 0.29 * detail * detail - 1.5)


def is_done(data: bytes, quality: int) -> bool:
    """Whether another generation would only lose: quantized about as coarsely as we would, or by our own tables."""
    table = luma_table(data)
    usual = _own_luma_table(round(lossy_target(quality)), full_chroma=False)
    if sum(table) >= _ALREADY_THERE * sum(usual):
        return True
    return any(table == _nearest_own(sum(table), full_chroma=full_chroma) for full_chroma in (False, True))


def _nearest_own(total: int, *, full_chroma: bool) -> tuple[int, ...]:
    """Return the luma table of the lowest setting at which none of our encoder's sums to more than `total`."""

    def finer(setting: int) -> int:
        return -sum(_own_luma_table(setting, full_chroma=full_chroma))

    return _own_luma_table(bisect_left(range(_HIGHEST), -total, lo=1, key=finer), full_chroma=full_chroma)


@cache
def _own_luma_table(setting: int, *, full_chroma: bool) -> tuple[int, ...]:
    """Return the luma table that our encoder uses at a setting."""
    return luma_table(encoded(pyvips.Image.black(8, 8), setting, full_chroma=full_chroma))


def luma_table(data: bytes) -> tuple[int, ...]:
    """Return the first quantization table (T.81, B.2.4.1), empty where there is none."""
    for part in parts(data, Format.JPEG):
        if part.kind == "DQT":
            body = data[part.body : part.body_end] or bytes(1)
            return unpack_from(">64H", body, 1) if body[0] >> 4 and len(body) > 128 else tuple(body[1:65])
    return ()
