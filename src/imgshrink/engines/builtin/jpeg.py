"""JPEG: encoded again to a target where that saves much, else recoded without loss."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from struct import unpack_from

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.containers import parts
from ...image.metadata import read_metadata
from ...pixels.looks import Looks
from .jpeg_lossless import SAVING, transcode
from .jpeg_search import HIGHEST, TargetSearch
from .metadata import carry
from .targets import lossy_target

_SETTINGS = {"optimize_coding": True, "trellis_quant": True, **SAVING}
"""Without `overshoot_deringing`: at low settings it makes samples overflow, so that black lines turn white inside."""

_TABLE_OF_HALF_CHROMA, _TABLE_OF_FULL_CHROMA = 2, 3
"""mozjpeg's tables. The one for MS-SSIM is 2 to 3 per cent smaller at an equal score than its command's default, but
so coarse in fine colours that text which is worth full chroma would lose it again."""

_WORTH_IT = 0.8
"""Of the bytes without loss."""

_CERTAINLY_LESS = 0.5
"""Of the bytes as they are, of which no more than a third goes without loss."""

_ALREADY_THERE = 1.3
"""Sums of luma tables: what another encoder quantized so much more coarsely than we would has nothing to gain."""


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the JPEG in fewer bytes; a generation is lost only where that saves much."""

    @cache
    def recoded() -> bytes:
        return carry(data, transcode(data))

    def too_large(size: float) -> bool:
        if size < _CERTAINLY_LESS * len(data):
            return False
        return size - len(profile) >= _WORTH_IT * (len(recoded()) - len(profile))

    profile = read_metadata(data).icc if info.colour == "cmyk" else b""
    if recipe.lossless or is_done(data, recipe.quality):
        return recoded()
    best = TargetSearch(decoded(data), profile, len(data), recipe.quality, encoded, looks, too_large).result()
    if best is None:
        return recoded()
    result = carry(data, transcode(best))
    return recoded() if too_large(len(result)) else result


def decoded(data: bytes) -> pyvips.Image:
    """Return the pixels as they are stored; raises on broken ones."""
    return pyvips.Image.jpegload_buffer(data, fail_on="error").copy_memory()


def encoded(image: pyvips.Image, setting: int, *, full_chroma: bool) -> bytes:
    """Return the image as a JPEG: baseline for the lossless pass behind it, progressive where there is none."""
    mode, table = ("off", _TABLE_OF_FULL_CHROMA) if full_chroma else ("on", _TABLE_OF_HALF_CHROMA)
    return bytes(image.jpegsave_buffer(Q=setting, subsample_mode=mode, quant_table=table, keep="none", **_SETTINGS))


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

    return _own_luma_table(bisect_left(range(HIGHEST), -total, lo=1, key=finer), full_chroma=full_chroma)


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
