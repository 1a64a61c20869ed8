"""One image as the HTML report shows it: small, in the place of the largest difference, and how different it looks.

Loads libvips.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from ..core.model import Format, ImageInfo
from ..image.metadata import read_metadata
from ..image.seal import read_seal
from ..image.sniff import describe, sniff
from .color import displayed
from .compare import measure
from .crops import Crop, crop, worst_place
from .decode import Undecodable, still

SIDE = 240
_SMALL_QUALITY = 75
_DEFAULT_QUALITY = 80


@dataclass(frozen=True)
class Change:
    """How a result differs from its original: the figures of `Difference`, and the largest as a share of the allowed.

    `share` is above 1 where verify refuses the result at `quality`, that of the result's seal (80 without one). `place`
    is the pixel around which they differ most, `crop` the part around it, None where every pixel is the same.
    """

    worst: float
    mean: float
    share: float
    quality: int
    place: tuple[int, int]
    crop: Crop | None


@dataclass(frozen=True)
class Preview:
    """A small WebP of an image with its width and height, the size of the image itself, and what became of it.

    `animated`: the original has more images than the first, of which all this is said.
    """

    small: bytes
    width: int
    height: int
    size: tuple[int, int]
    animated: bool = False
    change: Change | None = None


def preview(before: bytes, after: bytes = b"") -> Preview:
    """Return what to show of an image and, where there is one, of its result; of animations the first image.

    Raises `Undecodable` or `pyvips.Error` where one can't be decoded or the two are of different sizes.
    """
    info, left = _picture(before)
    if not after:
        return _preview(left, info, None)
    _, right = _picture(after)
    if (left.width, left.height) != (right.width, right.height):
        raise Undecodable("the images are of different sizes")
    return _preview(right, info, _change(left, right, read_seal(after) or _DEFAULT_QUALITY, info.format))


def _picture(data: bytes) -> tuple[ImageInfo, pyvips.Image]:
    info = sniff(data)
    if info is None:
        raise Undecodable(describe(data))
    kept = read_metadata(data)
    # The comparison, the crop and the small image all read it.
    return info, displayed(still(data, info), kept.icc, kept.orientation).copy_memory()


def _preview(image: pyvips.Image, info: ImageInfo, change: Change | None) -> Preview:
    small = image.thumbnail_image(SIDE, height=SIDE, size="down", no_rotate=True)
    data: bytes = small.webpsave_buffer(Q=_SMALL_QUALITY, keep="none")
    return Preview(data, small.width, small.height, (image.width, image.height), info.animated, change)


def _change(left: pyvips.Image, right: pyvips.Image, quality: int, format: Format) -> Change:
    found = measure(left, right)
    share = found.excess(quality, format)
    if not share:
        return Change(0, 0, 0, quality, (left.width // 2, left.height // 2), None)
    place = worst_place(left, right, found, quality, format)
    return Change(found.worst, found.mean, share, quality, place, crop(left, right, place))
