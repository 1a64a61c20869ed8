"""Opening bytes with libvips: only the loaders of the four formats, and never more pixels than the limits allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyvips

from ..core.model import Format, ImageInfo
from ..image.limits import FRAME_PIXELS, unsupported

_LOADERS: Mapping[Format, Callable[..., pyvips.Image]] = MappingProxyType(
    {
        Format.JPEG: pyvips.Image.jpegload_buffer,
        Format.PNG: pyvips.Image.pngload_buffer,
        Format.GIF: pyvips.Image.gifload_buffer,
        Format.WEBP: pyvips.Image.webpload_buffer,
    }
)

pyvips.cache_set_max(0)


class Undecodable(Exception):
    """The bytes are no image that may or can be decoded; the text says why."""


def still(data: bytes, info: ImageInfo) -> pyvips.Image:
    """Open the image, or the one that a viewer without animation shows, as it is stored; it can be read once.

    Reads the header only: pixels are decoded when they are asked for, and damage shows then, as `pyvips.Error`.
    """
    return _open(data, info, 1)


def stack(data: bytes, info: ImageInfo) -> pyvips.Image:
    """Open all composed frames of a GIF or WebP, one below the other, as `still` does."""
    return _open(data, info, -1)


def avif(data: bytes) -> pyvips.Image:
    """Open an AVIF still, as `still` does; raises `Undecodable` where this libvips can't read one."""
    if not pyvips.type_find("VipsOperation", "heifload_buffer"):
        raise Undecodable("this libvips reads no AVIF")
    image = pyvips.Image.heifload_buffer(data, access="sequential", fail_on="error")
    if image.width * image.height > FRAME_PIXELS:
        raise Undecodable("more pixels than its header says")
    return image


def _open(data: bytes, info: ImageInfo, pages: int) -> pyvips.Image:
    if reason := unsupported(info):
        raise Undecodable(reason)
    options = {"n": pages} if info.format in (Format.GIF, Format.WEBP) else {}
    image = _LOADERS[info.format](data, access="sequential", fail_on="error", **options)
    if image.width * image.get_page_height() > FRAME_PIXELS:
        raise Undecodable("more pixels than its header says")
    return image
