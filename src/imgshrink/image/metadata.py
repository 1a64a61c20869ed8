"""Metadata: reduced to what must stay, read for comparison, grafted onto bytes that lost it. No pixel is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..core.model import Format
from . import copyright
from .carried import Carried, notice_texts, read_carried
from .containers import Part, checksum_right, identify, parts
from .copyright import Notices, read_notices
from .exif import Density, Exif
from .rewrite import Change, is_jpeg_profile, rewrite
from .sniff import PNG_COLOUR_CHUNKS, read_exif, sniff

_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_MOST_ICC = 16 << 20


@dataclass(frozen=True)
class Metadata:
    """What of an image's metadata must not be lost.

    `icc` is the profile, inflated, b"" for none; `colour` the bodies of the PNG colour chunks other than iCCP whose
    checksum is right; `density` is that of EXIF, with a width and height only where browsers show another size for it.
    `scale` is the density that the container itself gives, as it is written there: five bytes of JFIF, nine of pHYs,
    the aspect ratio of a GIF; b"" for none.
    """

    icc: bytes = b""
    orientation: int = 1
    notices: Notices = field(default_factory=Notices)
    colour: Mapping[str, bytes] = field(default_factory=lambda: _NOTHING)
    density: Density | None = None
    scale: bytes = b""


def read_metadata(data: bytes) -> Metadata:
    """Read what must not be lost; nothing from bytes that are none of the four formats."""
    format = identify(data)
    if format is None:
        return Metadata()
    walked = tuple(parts(data, format))
    found = read_exif(data, walked)
    return Metadata(
        icc=_PROFILES[format](data, walked),
        orientation=found.orientation,
        notices=read_notices(data, walked, format),
        colour=_read_colour(data, walked, format),
        density=_effective(data, found.density),
        scale=_SCALES[format](data, walked),
    )


def reduce(data: bytes, *, notices: bool = True) -> bytes:
    """Return the image without GPS, thumbnails, camera data, XMP, text and comments, seal and bytes behind the end.

    ICC and colour chunks, orientation, density and what the image needs stay, with `notices` those too; EXIF shrinks to
    what of these it holds. Incomplete, multi-image and signed images come back unchanged.
    """
    if notices:
        return dress(data, data, keep=False)
    walked = _rewritable(data)
    if walked is None:
        return data
    kept = read_metadata(data)
    bare = Exif(kept.orientation, density=kept.density)
    return rewrite(data, *walked, Change(reduced=True, exif=bare, scale=kept.scale))


def dress(data: bytes, original: bytes, *, keep: bool) -> bytes:
    """Return `data`, reduced, with the notices and the density of `original` in place of its own.

    With `keep` also with what the original carries for other programs, byte for byte. Colours and orientation are those
    of `data`. Incomplete, multi-image and signed images come back unchanged, and so does one of another format.
    """
    walked, model = _rewritable(data), _rewritable(original)
    if walked is None or model is None or walked[0] is not model[0]:
        return data
    format, found = model
    own, wanted = read_exif(data, walked[1]), read_exif(original, found)
    notices = read_notices(original, found, format, texts=False)
    new = Exif(own.orientation, notices.copyright, _effective(original, wanted.density), notices.creator)
    texts = _without_reason(read_carried(original)) if keep else notice_texts(original, found, format)
    scale = _SCALES[format](original, found)
    return rewrite(data, *walked, Change(reduced=True, exif=new, notices=notices, carried=texts, scale=scale))


def graft(
    data: bytes,
    *,
    icc: bytes | None = None,
    orientation: int | None = None,
    colour: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the image with exactly these in place of its own; None leaves what is there, an empty one removes it.

    Where the orientation changes EXIF shrinks to what is kept. What a format can't hold (ICC and orientation in a GIF,
    PNG colour chunks elsewhere) is left out. Incomplete, multi-image and signed images come back unchanged.
    """
    walked = _rewritable(data)
    if walked is None:
        return data
    present = read_metadata(data)
    own = read_exif(data, walked[1])
    turned = orientation not in (None, present.orientation)
    change = Change(
        icc=None if icc is None or icc == present.icc else icc,
        exif=replace(own, orientation=orientation, density=present.density) if orientation and turned else None,
        colour=None if colour is None or dict(colour) == dict(present.colour) else colour,
    )
    return data if change == Change() else rewrite(data, *walked, change)


def _without_reason(found: Carried) -> Carried:
    return replace(found, reason="")


def _rewritable(data: bytes) -> tuple[Format, Sequence[Part]] | None:
    info = sniff(data)
    if info is None or not info.complete or info.image_count > 1 or info.signed:
        return None
    return info.format, tuple(parts(data, info.format))


def _effective(data: bytes, density: Density | None) -> Density | None:
    """Return the density without the width and height that change nothing."""
    info = sniff(data) if density else None
    if density is None or (info and density.corrects(info.width, info.height)):
        return density
    return replace(density, width=0, height=0)


def _jpeg_profile(data: bytes, walked: Sequence[Part]) -> bytes:
    """The profile from its numbered segments (ICC.1, annex B), b"" where one is missing."""
    pieces = [data[part.body + 12 : part.body_end] for part in walked if is_jpeg_profile(data, part)]
    numbered = sorted((piece[0], piece[2:]) for piece in pieces if len(piece) >= 2)
    right = [number for number, _ in numbered] == list(range(1, len(pieces) + 1))
    return b"".join(piece for _, piece in numbered) if right else b""


def _png_profile(data: bytes, walked: Sequence[Part]) -> bytes:
    part = next((part for part in walked if part.kind == "iCCP" and checksum_right(data, part)), None)
    if part is None:
        return b""
    _, _, method_and_stream = data[part.body : part.body_end].partition(b"\0")
    return copyright.inflate(method_and_stream[1:], _MOST_ICC)


def _webp_profile(data: bytes, walked: Sequence[Part]) -> bytes:
    return next((data[part.body : part.body_end] for part in walked if part.kind == "ICCP"), b"")


def _read_colour(data: bytes, walked: Sequence[Part], format: Format) -> Mapping[str, bytes]:
    if format is not Format.PNG:
        return _NOTHING
    found: dict[str, bytes] = {}
    for part in walked:
        if part.kind in PNG_COLOUR_CHUNKS and part.kind != "iCCP" and checksum_right(data, part):
            found.setdefault(part.kind, data[part.body : part.body_end])
    return MappingProxyType(found)


def _jpeg_scale(data: bytes, walked: Sequence[Part]) -> bytes:
    """JFIF's unit and two densities (T.871, 10.1)."""
    found = (data[part.body : part.body_end] for part in walked if part.kind == "APP0")
    return next((body[7:12] for body in found if body.startswith(b"JFIF\0") and len(body) >= 14), b"")


def _png_scale(data: bytes, walked: Sequence[Part]) -> bytes:
    found = (part for part in walked if part.kind == "pHYs" and checksum_right(data, part))
    return next((data[part.body : part.body_end] for part in found if part.body_end - part.body == 9), b"")


_PROFILES: dict[Format, Callable[[bytes, Sequence[Part]], bytes]] = {
    Format.JPEG: _jpeg_profile,
    Format.PNG: _png_profile,
    Format.GIF: lambda _data, _walked: b"",
    Format.WEBP: _webp_profile,
}
_SCALES: dict[Format, Callable[[bytes, Sequence[Part]], bytes]] = {
    Format.JPEG: _jpeg_scale,
    Format.PNG: _png_scale,
    Format.GIF: lambda data, _walked: data[12:13],
    Format.WEBP: lambda _data, _walked: b"",
}
