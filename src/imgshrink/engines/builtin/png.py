"""PNG: a palette where it looks as good as the target, fewer levels for photographs, no loss for everything else."""

from __future__ import annotations

import pyvips

from ...core.model import Format, ImageInfo, Recipe
from ...image.metadata import read_metadata
from ...image.sniff import sniff
from ...pixels.looks import Looks
from .metadata import carry
from .palette_search import PaletteScorer, best_palette, without_opaque_alpha
from .png_lossless import rough, squeeze
from .rounding import coarsest, is_rounded, rounded

_OF_LOSSLESS = 0.97
_CERTAINLY_LESS = 0.6
"""Of the bytes of a rough lossless recoding, which a careful one of the corpus never reduced to less than 0.68."""

_HIGH_RANGE = {"cICP", "mDCV", "cLLI"}
_ROUNDED_OF_EXACT, _ROUNDED_OF_PALETTE = 0.9, 0.8
"""Of the bytes without loss, and with a palette that looks well: rounding changes every pixel."""

_BUSY, _USUAL_STEP = 2, 4
"""Bits a pixel of a palette up to which nothing else is smaller, and the step that tells it of the others."""

_SMALLEST_SIDE = 16


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return the PNG in fewer bytes; never in more than without loss."""
    small = min(info.width, info.height) < _SMALLEST_SIDE
    if recipe.lossless or small or info.animated or info.colour == "palette":
        return squeeze(data, info.all_pixels, depth_may_fall=info.depth != 16)
    if info.depth == 16:
        return _of_8_bits(data, info, recipe, looks)
    image = _decoded(data)
    if is_rounded(image):
        return squeeze(data, info.pixels)
    scorer = PaletteScorer(image, recipe.quality, Format.PNG, looks)
    best = best_palette(image, scorer)
    if best.score < scorer.target.floor:
        return _fewer_levels(data, image, scorer) or squeeze(data, info.pixels)
    coloured = squeeze(carry(data, best.data), info.pixels)
    if len(coloured) < _CERTAINLY_LESS * len(rough(data)) and not _is_smoother(image, coloured):
        return coloured
    lossless = squeeze(data, info.pixels)
    exact = coloured if len(coloured) < _OF_LOSSLESS * len(lossless) else lossless
    coarse = _fewer_levels(data, image, scorer, lossless)
    return coarse if coarse and len(coarse) < _ROUNDED_OF_PALETTE * len(exact) else exact


def _is_smoother(image: pyvips.Image, coloured: bytes) -> bool:
    """Tell whether filters make less of an image with fewer levels than a palette does: of soft gradients they do."""
    if 8 * len(coloured) < _BUSY * image.width * image.height:
        return False
    coarse = bytes(rounded(image, _USUAL_STEP).pngsave_buffer(compression=1, keep="none"))
    return len(rough(coarse)) < len(coloured)


def _of_8_bits(data: bytes, info: ImageInfo, recipe: Recipe, looks: Looks) -> bytes:
    """Return a PNG of 16 bits in 8 bits, which screens show alike; without loss if it is of high dynamic range."""
    lossless = squeeze(data, info.pixels, depth_may_fall=False)
    if _HIGH_RANGE & set(read_metadata(data).colour):
        return lossless
    image = pyvips.Image.pngload_buffer(data, fail_on="error")
    shallow = carry(
        data, image.colourspace("srgb" if image.bands > 2 else "b-w").cast("uchar").pngsave_buffer(keep="none")
    )
    found = sniff(shallow)
    assert found is not None
    return min(optimize(shallow, found, recipe, looks), lossless, key=len)


def _decoded(data: bytes) -> pyvips.Image:
    """Return the pixels, without an alpha channel that is opaque everywhere."""
    return without_opaque_alpha(pyvips.Image.pngload_buffer(data, fail_on="error").copy_memory())


def _fewer_levels(data: bytes, image: pyvips.Image, scorer: PaletteScorer, lossless: bytes = b"") -> bytes:
    """Return the image rounded as coarsely as does not show, b"" where that saves little beside no loss."""
    pixels = image.width * image.height
    step = coarsest(image, scorer)
    if step is None:
        return b""
    coarse = rounded(image, step).pngsave_buffer(compression=1, keep="none")
    result = squeeze(carry(data, coarse), pixels)
    if not lossless and len(result) < _CERTAINLY_LESS * len(rough(data)):
        return result
    return result if len(result) < _ROUNDED_OF_EXACT * len(lossless or squeeze(data, pixels)) else b""
