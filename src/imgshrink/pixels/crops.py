"""The part of two images in which they differ most, in full size and without loss. Loads libvips."""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from ..core.model import Format
from .difference import Difference
from .tolerance import structure_limits, tolerance

WIDTH, HEIGHT = 480, 320
"""Pixels of a crop; an image that is smaller is taken whole."""

_BLOCK = 8
_EFFORT = 0
"""Of WebP's lossless encoder, 0..6: at 3 a noisy part takes ten times as long for a fifth fewer bytes."""


@dataclass(frozen=True)
class Crop:
    """The same part of two images as lossless WebP, and where it lies: its corner and size in pixels of the image."""

    before: bytes
    after: bytes
    left: int
    top: int
    width: int
    height: int


def crop(before: pyvips.Image, after: pyvips.Image, place: tuple[int, int]) -> Crop:
    """Return the part of both images around `place`. They are of one size, in 8-bit sRGB, with or without alpha."""
    width, height = min(WIDTH, before.width), min(HEIGHT, before.height)
    left = _corner(place[0], width, before.width)
    top = _corner(place[1], height, before.height)
    parts = [lossless(image.crop(left, top, width, height)) for image in (before, after)]
    return Crop(parts[0], parts[1], left, top, width, height)


def _corner(centre: int, length: int, whole: int) -> int:
    return max(0, min(centre - length // 2, whole - length))


def lossless(image: pyvips.Image) -> bytes:
    """Return an image in 8-bit sRGB as a lossless WebP without metadata; hidden colours of transparent pixels stay."""
    saved: bytes = image.webpsave_buffer(lossless=True, exact=True, effort=_EFFORT, keep="none")
    return saved


def worst_place(
    before: pyvips.Image, after: pyvips.Image, found: Difference, quality: int, format: Format
) -> tuple[int, int]:
    """Return the pixel around which two images differ most: where verify comes nearest to refusing at `quality`.

    `found` is what `measure` says of the two. An image that changed evenly has no such place: its middle is returned.
    """
    limits = structure_limits(quality, format)
    shares = [(place.value / limits[name], place.x, place.y) for name, place in found.places.items()]
    share, x, y = max(shares, default=(0.0, before.width // 2, before.height // 2))
    if found.worst / tolerance(quality)[0] > share:
        x, y = _worst_block(before, after)
    return min(x, before.width - 1), min(y, before.height - 1)


def _worst_block(before: pyvips.Image, after: pyvips.Image) -> tuple[int, int]:
    """Return the centre of the block of 8 x 8 pixels whose colour differs most, on black or on white."""
    _, x, y = max(_furthest(_flat(before, ground), _flat(after, ground)) for ground in (0, 255))
    return x * _BLOCK + _BLOCK // 2, y * _BLOCK + _BLOCK // 2


def _furthest(one: pyvips.Image, other: pyvips.Image) -> tuple[float, int, int]:
    left, right = (image.shrink(_BLOCK, _BLOCK, ceil=True).colourspace("lab") for image in (one, other))
    value, x, y = left.dE76(right).maxpos()
    return value, int(x), int(y)


def _flat(image: pyvips.Image, ground: int) -> pyvips.Image:
    return image.flatten(background=[ground]) if image.hasalpha() else image
