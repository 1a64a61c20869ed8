"""Palettes by libimagequant."""

from __future__ import annotations

import pyvips

EFFORT = 5
"""libimagequant's effort: 7 takes half as long again for the same bytes, 3 costs some bytes on photographs."""


def quantized(image: pyvips.Image, setting: int, dither: float) -> bytes:
    """Return the picture as a palette PNG, barely compressed and without metadata."""
    return bytes(
        image.pngsave_buffer(
            palette=True, Q=setting, dither=dither, effort=EFFORT, compression=1, filter=0, keep="none"
        )
    )
