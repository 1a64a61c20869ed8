"""Which published images may have a modern variant beside them, told from their bytes alone."""

from __future__ import annotations

from ...core.model import Format, ImageInfo, Variant
from ..limits import ALL_PIXELS, unsupported
from ..metadata import Metadata, read_metadata
from ..sniff import sniff
from .avif import avif_size

WEBP, AVIF = "webp", "avif"
MEDIA_TYPES = {WEBP: "image/webp", AVIF: "image/avif"}

LEAST_SAVED = 1000
"""Bytes that a variant must save, however small the published image is."""

LONGEST_SIDE = 16_383
"""Pixels, of WebP (RFC 9649, 2.7.1.1); AVIF's limit lies one above it."""

MOST_PIXELS = 16_000_000
"""Of one frame: a worker has two minutes, and an AVIF of so many takes one on a busy machine."""

_HIGH_RANGE = {"cICP", "mDCV", "cLLI"}


def why_none(data: bytes) -> str:
    """Return why a published image can't have a variant, "" if it may have one."""
    info = sniff(data)
    if info is None or not info.complete:
        return "it can't be read"
    return unsupported(info) or _kind(info) or _size(info) or _colours(info, read_metadata(data))


def needed(size: int, saving: float) -> float:
    """Return how many bytes a variant must save of a published image of `size` bytes; `saving` is per cent."""
    return max(LEAST_SAVED, size * saving / 100)


def fits(variant: Variant, published: ImageInfo) -> bool:
    """Whether a variant is a whole image of its kind, and of the size at which the published one is displayed."""
    if variant.media_type == MEDIA_TYPES[AVIF]:
        return avif_size(variant.data) == published.displayed
    found = sniff(variant.data)
    if found is None or not found.complete or found.format is not Format.WEBP:
        return False
    return found.displayed == published.displayed and found.animated <= published.animated


def _kind(info: ImageInfo) -> str:
    if info.format is Format.WEBP:
        return "it is a WebP"
    if info.format is Format.PNG and info.durations:
        return "it is an animated PNG"
    return "it has 16 bits a sample" if info.depth > 8 else ""


def _size(info: ImageInfo) -> str:
    if max(info.width, info.height) > LONGEST_SIDE:
        return f"a side is longer than {LONGEST_SIDE} pixels"
    if info.pixels > MOST_PIXELS:
        return f"it has more than {MOST_PIXELS // 10**6} megapixels"
    return f"its frames hold over {ALL_PIXELS // 10**6} megapixels" if info.all_pixels > ALL_PIXELS else ""


def _colours(info: ImageInfo, metadata: Metadata) -> str:
    """Say what of colours, turning and density no variant can be given so that every browser shows the same."""
    if info.colour == "cmyk":
        return "it is in CMYK"
    if _HIGH_RANGE & set(metadata.colour):
        return "it has a high dynamic range"
    if not metadata.icc and metadata.colour and "sRGB" not in metadata.colour:
        return "its colours are defined by gAMA or cHRM"
    if info.format is Format.PNG and info.orientation != 1:
        return "it is a PNG that EXIF turns, which not all browsers do"
    return "EXIF gives it another size" if metadata.density and metadata.density.width else ""
