"""Small pictures for people to look at."""

from __future__ import annotations

import pyvips

SIDE = 320
_QUALITY = 75


def small(image: pyvips.Image) -> pyvips.Image:
    """Return a picture with its longer side at most `SIDE` pixels."""
    return image.thumbnail_image(SIDE, height=SIDE, size="down", no_rotate=True)


def webp(image: pyvips.Image) -> bytes:
    """Return a picture in 8-bit sRGB as a WebP that says nothing but what it shows."""
    saved: bytes = image.webpsave_buffer(Q=_QUALITY, keep="none")
    return saved
