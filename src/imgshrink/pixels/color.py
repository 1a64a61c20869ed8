"""From stored pixels to what a viewer shows, and to what a lossless copy must keep."""

from __future__ import annotations

import pyvips

_PROFILE = "icc-profile-data"
_HEADER_AND_TAG_COUNT = 132
_CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}


def channels(profile: bytes) -> int:
    """Return for how many colour channels an ICC profile is made, 0 if it is damaged or for colours of another kind.

    Its header says so (ICC.1:2022, 7.2).
    """
    whole = len(profile) >= _HEADER_AND_TAG_COUNT and int.from_bytes(profile[:4], "big") == len(profile)
    return _CHANNELS.get(profile[16:20], 0) if whole and profile[36:40] == b"acsp" else 0


def displayed(image: pyvips.Image, profile: bytes, orientation: int) -> pyvips.Image:
    """Return the image in 8-bit sRGB, with alpha where it has it, turned as `orientation` says.

    A profile that is damaged or made for other colours counts as none, as in browsers.
    """
    upright = turned(image, orientation)
    if channels(profile) != upright.bands - bool(upright.hasalpha()):
        return as_srgb(upright)
    tagged = upright.copy()
    tagged.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return tagged.icc_transform("srgb", embedded=True, intent="relative", depth=8)


def as_srgb(image: pyvips.Image) -> pyvips.Image:
    """Return the image in 8-bit sRGB; as it is where it is that already: operations that do nothing take time too."""
    if (image.interpretation, image.format) == ("srgb", "uchar"):
        return image
    return image.colourspace("srgb").cast("uchar")


def stored(image: pyvips.Image, orientation: int, *, deep: bool) -> pyvips.Image:
    """Return the pixels as they are stored, turned as `orientation` says, grey as RGB, in 16 bits if `deep`.

    Colours under full transparency, which nobody sees, become black.
    """
    upright = turned(image, orientation)
    if upright.interpretation in ("b-w", "grey16"):
        upright = upright.colourspace("srgb" if upright.format == "uchar" else "rgb16")
    if deep and upright.format == "uchar":
        upright = (upright * 257).cast("ushort").copy(interpretation="rgb16")
    return (upright[-1] == 0).ifthenelse(0, upright) if upright.hasalpha() else upright


def turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Return the pixels as they are stored, turned as `orientation` says, without a profile."""
    bare = image.copy()
    bare.remove(_PROFILE)
    if orientation == 1:
        return bare
    bare = bare.copy_memory()
    bare.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bare.autorot()
