"""PNG: a palette where the eye can't tell, then oxipng; without loss for everything else."""

from __future__ import annotations

import pyvips

from ...model import ImageInfo, Recipe
from .oxide import squeeze

_MEAN_DIFFERENCE = 0.8
_WORST_DIFFERENCE = 15.0


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the PNG in fewer bytes."""
    if recipe.lossless or info.animated or info.depth == 16 or info.colour == "palette":
        return squeeze(data, depth_may_fall=info.depth != 16)
    image = pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory()
    for quality in (85, 95, 100):
        candidate = image.pngsave_buffer(palette=True, Q=quality, effort=7, dither=0.5, keep="icc")
        if _looks_equal(image, pyvips.Image.pngload_buffer(candidate)):
            return squeeze(candidate)
    return squeeze(data)


def _looks_equal(image: pyvips.Image, candidate: pyvips.Image) -> bool:
    return all(_close(_on(image, ground), _on(candidate, ground)) for ground in (0, 255))


def _on(image: pyvips.Image, ground: int) -> pyvips.Image:
    image = image.flatten(background=ground) if image.hasalpha() else image
    return image.colourspace("srgb")


def _close(image: pyvips.Image, candidate: pyvips.Image) -> bool:
    difference = image.dE76(candidate)
    if difference.avg() > _MEAN_DIFFERENCE:
        return False
    return min(image.width, image.height) < 8 or bool(difference.shrink(8, 8).max() <= _WORST_DIFFERENCE)
