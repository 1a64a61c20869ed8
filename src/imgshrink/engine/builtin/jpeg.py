"""JPEG: encoded again to a target where that saves much, else recoded without loss."""

from __future__ import annotations

from functools import lru_cache

import mozjpeg_lossless_optimization as mozjpeg
import pyvips

from ...containers import parts
from ...model import Format, ImageInfo, Recipe
from .carry import carry
from .proxy import Reference
from .search import Trial, best_trial, search
from .targets import lossy_target
from .weights import LOSSY

_SETTINGS = {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True, "quant_table": 3}
_BELOW_TARGET, _HIGHEST = 14, 95
_WORTH_IT = 0.85
_ALREADY_THERE = 0.85
_LEAST_PENALTY, _MOST_PENALTY = 1.5, 6.0
_MISSED = 6.0


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the JPEG in fewer bytes; a generation is lost only where that saves a fifth."""
    recoded = carry(data, transcode(data))
    if recipe.lossless or info.colour == "cmyk" or is_coarse(data, recipe.quality):
        return recoded
    best = _to_target(pyvips.Image.jpegload_buffer(data, fail_on="error").copy_memory(), lossy_target(recipe.quality))
    if best is None or len(best) > len(recoded):
        return recoded
    result = carry(data, transcode(best))
    return result if len(result) < _WORTH_IT * len(recoded) else recoded


def transcode(data: bytes) -> bytes:
    """Return the same coefficients in fewer bytes, with the ICC profile and without other metadata."""
    return bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.ICC))


def encoded(image: pyvips.Image, setting: int, *, full_chroma: bool) -> bytes:
    """Return the picture as a baseline JPEG: with the lossless pass behind it smaller than a progressive one is."""
    mode = "off" if full_chroma else "on"
    return bytes(image.jpegsave_buffer(Q=setting, subsample_mode=mode, keep="none", **_SETTINGS))


def _to_target(image: pyvips.Image, target: float) -> bytes | None:
    """Return the smallest JPEG that looks as good as the target, None where even the best one misses it by far."""
    reference = Reference(image)
    penalty = _chroma_penalty(reference.chroma_detail)
    trials = []
    if penalty < _MOST_PENALTY or image.bands == 1:
        trials.append(_searched(image, reference, target, penalty, full_chroma=False))
    if not trials or (image.bands > 1 and (penalty > _LEAST_PENALTY or trials[0].score < target)):
        trials.append(_searched(image, reference, target, 0, full_chroma=True))
    best = best_trial(trials, target)
    return best.data if best.score >= target - _MISSED else None


def _searched(image: pyvips.Image, reference: Reference, target: float, penalty: float, *, full_chroma: bool) -> Trial:
    def attempt(setting: int) -> Trial:
        data = encoded(image, setting, full_chroma=full_chroma)
        return Trial(setting, data, reference.score(pyvips.Image.jpegload_buffer(data), LOSSY) - penalty)

    lowest = max(1, round(target) - _BELOW_TARGET)
    return search(attempt, target, first=round(target), lowest=lowest, highest=_HIGHEST)


def _chroma_penalty(detail: float) -> float:
    """Return what 4:2:0 costs beyond what the proxy sees; fitted on saturated text, 4:4:4 against 4:2:0."""
    return max(0.0, 0.29 * detail * detail - 1.5)


def is_coarse(data: bytes, quality: int) -> bool:
    """Whether the input is quantized about as coarsely as our own encoder would: another generation only loses."""
    return luma_sum(data) >= _ALREADY_THERE * _own_luma_sum(round(lossy_target(quality)))


@lru_cache
def _own_luma_sum(setting: int) -> int:
    return luma_sum(encoded(pyvips.Image.black(8, 8), setting, full_chroma=False))


def luma_sum(data: bytes) -> int:
    """Return the sum of the first quantization table (T.81, B.2.4.1), 0 where there is none."""
    for part in parts(data, Format.JPEG):
        if part.kind == "DQT":
            wide = data[part.body] >> 4
            table = data[part.body + 1 : part.body + 1 + (128 if wide else 64)]
            return sum(table[0::2]) * 256 + sum(table[1::2]) if wide else sum(table)
    return 0
