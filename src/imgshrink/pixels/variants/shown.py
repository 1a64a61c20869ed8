"""A still image as viewers see it and as an encoder is given it, and a variant as viewers see it."""

from __future__ import annotations

from dataclasses import dataclass

import pyvips

from ...core.model import ImageInfo, Variant
from ...image.metadata import read_metadata
from ...image.variants.rules import AVIF, MEDIA_TYPES
from ..color import as_srgb, channels, displayed, turned
from ..decode import avif, still

PROFILE, NOTICES = "icc-profile-data", "xmp-data"
"""The names by which libvips knows the profile and the XMP of an image."""

_FLAGS = {NOTICES: 2, PROFILE: 8}
"""VipsForeignKeep."""

_OPAQUE = 255
_SAME_COLOURS = 2
"""Levels of 255: a profile that changes no sample by more is sRGB by another name."""


@dataclass(frozen=True)
class Shown:
    """A still in memory: `image` as a viewer sees it, in 8-bit sRGB, and `stored` as an encoder gets it.

    The two differ where a profile, which `stored` then carries, defines other colours. Both are turned, and without an
    alpha channel that is opaque everywhere. `stored` carries the notices of the image.
    """

    image: pyvips.Image
    stored: pyvips.Image


def shown(data: bytes, info: ImageInfo) -> Shown | None:
    """Decode a still; None where its profile is of colours that no variant can be given. Raises on broken pixels."""
    kept = read_metadata(data)
    decoded = still(data, info).copy_memory()
    plain = _without_idle_alpha(as_srgb(turned(decoded, info.orientation)).copy_memory())
    image = _without_idle_alpha(displayed(decoded, kept.icc, info.orientation).copy_memory())
    same = (image - plain).abs().max() <= _SAME_COLOURS
    if not same and channels(kept.icc) != 3:
        return None
    return Shown(image, carrying(plain, b"" if same else kept.icc, kept.notices.packet()))


def carrying(image: pyvips.Image, profile: bytes, notices: bytes) -> pyvips.Image:
    """Return the image with this profile and this XMP, each b"" for none, in place of all that it carries."""
    bare = image.copy()
    for name in bare.get_fields():
        if name.endswith("-data"):
            bare.remove(name)
    for name, value in ((PROFILE, profile), (NOTICES, notices)):
        if value:
            bare.set_type(pyvips.GValue.blob_type, name, value)
    return bare


def kept(image: pyvips.Image) -> int:
    """Return what a saver keeps of an image of `carrying`, as its option `keep`."""
    return sum(flag for name, flag in _FLAGS.items() if image.get_typeof(name))


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
    profile = image.get(PROFILE) if image.get_typeof(PROFILE) else b""
    return displayed(image, profile, 1).copy_memory()


def carried_profile(data: bytes, info: ImageInfo) -> bytes | None:
    """Return the profile that a lossless variant carries, b"" where browsers apply none.

    None where the image has a profile that a WebP can't carry: it is RGB, so that of a grey image.
    """
    profile = read_metadata(data).icc
    made_for = channels(profile)
    if info.colour == "grey":
        return None if made_for == 1 else b""
    return profile if made_for == 3 else b""
