"""JPEG: encoded again where that saves much, else recoded without loss."""

from __future__ import annotations

import mozjpeg_lossless_optimization as mozjpeg
import pyvips

from ...containers import parts
from ...model import Format, ImageInfo, Recipe

_LUMA_SUMS = {60: 4484, 70: 3426, 75: 2868, 80: 2278, 85: 1714, 90: 1141}
_SETTINGS = {"optimize_coding": True, "trellis_quant": True, "overshoot_deringing": True, "quant_table": 3}
_WORTH_IT = 0.8
_ALREADY_THERE = 0.85


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the JPEG in fewer bytes."""
    recoded = transcode(data, keep_all=info.orientation != 1)
    if recipe.lossless or info.colour == "cmyk" or _is_coarse(data, recipe.quality):
        return recoded
    image = pyvips.Image.jpegload_buffer(data, fail_on="error").copy_memory()
    encoded = image.jpegsave_buffer(Q=recipe.quality, keep="icc|exif", **_SETTINGS)
    encoded = transcode(encoded, keep_all=info.orientation != 1)
    return encoded if len(encoded) < _WORTH_IT * len(recoded) else recoded


def transcode(data: bytes, *, keep_all: bool) -> bytes:
    """Return the same coefficients in fewer bytes, with the ICC profile or with all markers."""
    return bytes(mozjpeg.optimize(data, mozjpeg.COPY_MARKERS.ALL if keep_all else mozjpeg.COPY_MARKERS.ICC))


def _is_coarse(data: bytes, quality: int) -> bool:
    """Whether the input is quantized about as coarsely as the wanted quality would."""
    nearest = min(_LUMA_SUMS, key=lambda known: abs(known - quality))
    return luma_sum(data) >= _ALREADY_THERE * _LUMA_SUMS[nearest]


def luma_sum(data: bytes) -> int:
    """Return the sum of the first quantization table (T.81, B.2.4.1), 0 where there is none."""
    for part in parts(data, Format.JPEG):
        if part.kind == "DQT":
            wide = data[part.body] >> 4
            table = data[part.body + 1 : part.body + 1 + (128 if wide else 64)]
            return sum(table[0::2]) * 256 + sum(table[1::2]) if wide else sum(table)
    return 0
