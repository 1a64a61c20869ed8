"""A modern variant beside its image: what an encoder is given of the image, and whether the variant looks like it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyvips

from ..core.model import Format, ImageInfo, Variant
from ..image.matching import changed_structure
from ..image.metadata import read_metadata
from ..image.sniff import sniff
from ..image.variants import AVIF, MEDIA_TYPES, fits
from .color import as_srgb, displayed, stored, turned
from .compare import Measure, acceptable, identical
from .decode import avif, still
from .frames import pairs
from .icc import channels

_PROFILE = "icc-profile-data"
_OPAQUE = 255
_SAME_COLOURS = 2
"""Levels of 255: a profile that changes no sample by more is sRGB by another name."""

LIKE = Format.WEBP
"""Whose limits of `tolerance` hold for a lossy variant: it loses frequencies, not colours."""


@dataclass(frozen=True)
class Shown:
    """A still in memory: `image` as a viewer sees it, in 8-bit sRGB, and `stored` as an encoder gets it.

    The two differ where `profile`, which `stored` then carries, defines other colours. Both are turned, and without an
    alpha channel that is opaque everywhere.
    """

    image: pyvips.Image
    stored: pyvips.Image
    profile: bytes = b""


def shown(data: bytes, info: ImageInfo) -> Shown | None:
    """Decode a still; None where its profile is of colours that no variant can be given. Raises on broken pixels."""
    kept = read_metadata(data)
    decoded = still(data, info).copy_memory()
    plain = _without_idle_alpha(as_srgb(turned(decoded, info.orientation)).copy_memory())
    image = _without_idle_alpha(displayed(decoded, kept.icc, info.orientation).copy_memory())
    if (image - plain).abs().max() <= _SAME_COLOURS:
        return Shown(image, plain)
    if channels(kept.icc) != 3:
        return None
    tagged = plain.copy()
    tagged.set_type(pyvips.GValue.blob_type, _PROFILE, kept.icc)
    return Shown(image, tagged, kept.icc)


def _without_idle_alpha(image: pyvips.Image) -> pyvips.Image:
    if image.hasalpha() and image[-1].min() == _OPAQUE:
        return image[: image.bands - 1].copy_memory()
    return image


def decoded_variant(variant: Variant) -> pyvips.Image:
    """Return a lossy variant as a viewer sees it, in memory; raises on broken pixels."""
    if variant.media_type == MEDIA_TYPES[AVIF]:
        image = avif(variant.data)
    else:
        image = pyvips.Image.webpload_buffer(variant.data, fail_on="error")
    profile = image.get(_PROFILE) if image.get_typeof(_PROFILE) else b""
    return displayed(image, profile, 1).copy_memory()


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


def carried_profile(data: bytes, info: ImageInfo) -> bytes | None:
    """Return the profile that a lossless variant carries, b"" where browsers apply none.

    None where the image has a profile that a WebP can't carry: it is RGB, so that of a grey image.
    """
    profile = read_metadata(data).icc
    made_for = channels(profile)
    if info.colour == "grey":
        return None if made_for == 1 else b""
    return profile if made_for == 3 else b""
