"""Whether a variant shows what its image shows: the very pixels, or as good as a viewer can tell at a quality."""

from __future__ import annotations

from dataclasses import replace

from ...core.model import Format, ImageInfo, Variant
from ...image.matching import changed_structure
from ...image.metadata import read_metadata
from ...image.sniff import sniff
from ...image.variants.rules import fits
from ..color import stored
from ..compare import Measure, acceptable, identical
from ..frames import pairs
from .shown import Shown, carried_profile, decoded_variant

LIKE = Format.WEBP
"""Whose limits of `tolerance` hold for a lossy variant: it loses frequencies, not colours."""


def looks_different(before: Shown, published: ImageInfo, variant: Variant, quality: int, measure: Measure) -> str:
    """Return why a lossy variant does not look like `before` at a quality, "" if it does; raises on broken pixels."""
    if not fits(variant, published):
        return "it is no whole image of that size"
    image = decoded_variant(variant)
    if (image.width, image.height) != (before.image.width, before.image.height):
        return "its size is another"
    return acceptable(before.image, image, quality, LIKE, measure)


def is_exact(published: bytes, candidate: bytes) -> bool:
    """Whether a WebP shows every pixel, frame, delay and number of plays of a PNG or GIF; raises on broken pixels.

    Colours of fully transparent pixels do not count. The profile is the published one, unless that fits no RGB image.
    """
    before, after = sniff(published), sniff(candidate)
    if before is None or after is None or not after.complete or not after.lossless:
        return False
    if after.format is not Format.WEBP or changed_structure(before, replace(after, format=before.format)):
        return False
    if after.displayed != before.displayed or read_metadata(candidate).icc != carried_profile(published, before):
        return False
    both = pairs(published, candidate, before, after, equal=False)
    return all(identical(stored(left, 1, deep=False), stored(right, 1, deep=False)) for left, right in both)
