"""WebP: a lossless one stays lossless, a lossy one is encoded again where that saves enough."""

from __future__ import annotations

import pyvips

from ...model import ImageInfo, Recipe

_WORTH_IT = 0.9


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the WebP in fewer bytes, `data` itself where less than a tenth is saved."""
    if recipe.lossless and not info.lossless:
        return data
    image = pyvips.Image.webpload_buffer(data, n=-1, fail_on="error")
    if info.lossless:
        near = not recipe.lossless
        candidate = image.webpsave_buffer(lossless=True, near_lossless=near, Q=40, effort=4, keep="icc|exif")
    else:
        candidate = image.webpsave_buffer(Q=recipe.quality, effort=4, smart_subsample=True, keep="icc|exif")
    return candidate if len(candidate) < _WORTH_IT * len(data) else data
