"""Lossless WebP that shows the very pixels of a published PNG or GIF."""

from __future__ import annotations

import pyvips

from ....core.model import Format, ImageInfo, Variant
from ....image.metadata import read_metadata
from ....image.variants.rules import MEDIA_TYPES, WEBP
from ....pixels.decode import stack, still
from ....pixels.variants.judge import is_exact
from ....pixels.variants.shown import carried_profile, carrying, kept
from ..targets import HUGE

_EFFORT, _LEAST_EFFORT = 4, 1
"""libwebp's methods: 6 takes a third longer than 4 for half a per cent."""


def exact(published: bytes, info: ImageInfo) -> Variant | None:
    """Return the PNG or GIF as a lossless WebP, None where that can't show the same; raises on broken pixels."""
    profile = carried_profile(published, info)
    if profile is None:
        return None
    image = carrying(_opened(published, info), profile, read_metadata(published).notices.packet())
    effort = _LEAST_EFFORT if info.all_pixels > HUGE else _EFFORT
    data = bytes(image.webpsave_buffer(lossless=True, effort=effort, keep=kept(image)))
    return Variant(f".{WEBP}", MEDIA_TYPES[WEBP], data, None) if is_exact(published, data) else None


def _opened(data: bytes, info: ImageInfo) -> pyvips.Image:
    if info.format is Format.GIF:
        image = stack(data, info).copy()
        image.set_type(pyvips.GValue.gint_type, "loop", info.loop)
        return image
    return still(data, info)
