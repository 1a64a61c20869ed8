"""One image as the HTML report shows it: small images of it, and how different it looks since. Loads libvips."""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from ..image.metadata import read_metadata
from ..image.sniff import describe, sniff
from .color import displayed
from .compare import Difference, measure
from .decode import Undecodable, still


@dataclass(frozen=True)
class Shown:
    """Small images as WebP, their width and height, and how much what is after differs from what was before."""

    before: bytes
    after: bytes
    width: int
    height: int
    look: Difference | None = None


def preview(before: bytes, after: bytes = b"") -> Shown:
    """Return an image, and what replaced it where there is something, made small; of animations the first image.

    Raises `Undecodable` or `pyvips.Error` where one can't be decoded.
    """
    left = _picture(before)
    drawn = small(left)
    if not after:
        return Shown(webp(drawn), b"", drawn.width, drawn.height)
    right = _picture(after)
    return Shown(webp(drawn), webp(small(right)), drawn.width, drawn.height, measure(left, right))


def _picture(data: bytes) -> pyvips.Image:
    info = sniff(data)
    if info is None:
        raise Undecodable(describe(data))
    kept = read_metadata(data)
    # The comparison and the thumbnail both read it.
    return displayed(still(data, info), kept.icc, kept.orientation).copy_memory()


SIDE = 320
_QUALITY = 75


def small(image: pyvips.Image) -> pyvips.Image:
    """Return an image with its longer side at most `SIDE` pixels."""
    return image.thumbnail_image(SIDE, height=SIDE, size="down", no_rotate=True)


def webp(image: pyvips.Image) -> bytes:
    """Return an image in 8-bit sRGB as a WebP that says nothing but what it shows."""
    saved: bytes = image.webpsave_buffer(Q=_QUALITY, keep="none")
    return saved
