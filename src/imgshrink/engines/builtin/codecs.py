"""The table of encoders, and the rules that all of them share. Loads every codec: imported in workers only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyvips

from ...core import errors
from ...core.model import Format, ImageInfo, Recipe
from ...image.limits import unsupported
from ...image.metadata import reduce
from ...pixels.looks import Looks
from . import gif, jpeg, png, webp

Encoder = Callable[[bytes, ImageInfo, Recipe, Looks], bytes]

ENCODERS: Mapping[Format, Encoder] = MappingProxyType(
    {Format.JPEG: jpeg.optimize, Format.PNG: png.optimize, Format.GIF: gif.optimize, Format.WEBP: webp.optimize}
)

pyvips.cache_set_max(0)


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks | None = None) -> bytes:
    """Return a smaller image of the same format, or `data` itself. No encoder sees more of it than must stay.

    `looks` remembers how different from the image the candidates looked, the one returned included.

    Raises `Declined` for images that no encoder may rewrite, and whatever a codec raises for unreadable pixels.
    """
    if not info.complete:
        raise errors.Declined("file ends early")
    if reason := unsupported(info):
        raise errors.Declined(reason)
    result = ENCODERS[info.format](reduce(data), info, recipe, Looks() if looks is None else looks)
    return result if len(result) < len(data) else data
