"""Metadata: reduced to what must stay, read for comparison, grafted onto bytes that lost it. No pixel is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ..core.model import Format
from . import copyright
from .containers import Part, checksum_right, identify, parts
from .exif import Density, Exif, text
from .rewrite import Change, is_jpeg_profile, rewrite
from .sniff import PNG_COLOUR_CHUNKS, read_exif, sniff

_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_MOST_ICC = 16 << 20


@dataclass(frozen=True)
class Metadata:
    """What of an image's metadata must not be lost.

    `icc` is the profile, inflated, b"" for none; `copyright` all notices in one text; `colour` the bodies of the PNG
    colour chunks other than iCCP whose checksum is right; `density` is there only where browsers show another size for
    it.
    """

    icc: bytes = b""
    orientation: int = 1
    copyright: str = ""
    colour: Mapping[str, bytes] = field(default_factory=lambda: _NOTHING)
    density: Density | None = None


def read_metadata(data: bytes) -> Metadata:
    """Read what must not be lost; nothing from bytes that are none of the four formats."""
    format = identify(data)
    if format is None:
        return Metadata()
    walked = tuple(parts(data, format))
    info, found = sniff(data), read_exif(data, walked)
    corrected = info and found.density and found.density.corrects(info.width, info.height)
    texts = [*_NOTICES[format](data, walked), *(copyright.of_png_text(data, walked) if format is Format.PNG else ())]
    return Metadata(
        icc=_PROFILES[format](data, walked),
        orientation=found.orientation,
        copyright=copyright.join(texts),
        colour=_read_colour(data, walked, format),
        density=found.density if corrected else None,
    )


def reduce(data: bytes) -> bytes:
    """Return the image without GPS, thumbnails, camera data, XMP, text and comments, seal and bytes behind the end.

    ICC and colour chunks, orientation, copyright notices, density and what the picture needs stay; EXIF shrinks to
    what of these it holds. Incomplete, multi-picture and signed images come back unchanged.
    """
    walked = _rewritable(data)
    if walked is None:
        return data
    format, found = walked
    present = read_metadata(data)
    kept = Exif(present.orientation, copyright.join(_NOTICES[format](data, found)), present.density)
    return rewrite(data, format, found, Change(reduced=True, exif=kept))


def graft(
    data: bytes,
    *,
    icc: bytes | None = None,
    orientation: int | None = None,
    copyright: str | None = None,
    colour: Mapping[str, bytes] | None = None,
    density: Density | None = None,
) -> bytes:
    """Return the image with exactly these in place of its own; None leaves what is there, an empty one removes it.

    Where something of EXIF changes it shrinks to what is kept, and with the copyright all other notices go. What a
    format can't hold (ICC and orientation in a GIF, PNG colour chunks elsewhere) is left out. Incomplete, multi-picture
    and signed images come back unchanged.
    """
    walked = _rewritable(data)
    if walked is None:
        return data
    format, found = walked
    present = read_metadata(data)
    said = text((copyright or "").encode("utf-8", "replace"))
    notice = copyright is not None and said != present.copyright
    other = orientation not in (None, present.orientation) or density not in (None, present.density)
    kept = said if notice else present.copyright
    new = Exif(orientation or present.orientation, kept, density or present.density)
    change = Change(
        icc=None if icc is None or icc == present.icc else icc,
        exif=new if notice or other else None,
        notice=notice,
        colour=None if colour is None or dict(colour) == dict(present.colour) else colour,
    )
    return data if change == Change() else rewrite(data, format, found, change)


def _rewritable(data: bytes) -> tuple[Format, Sequence[Part]] | None:
    info = sniff(data)
    if info is None or not info.complete or info.pictures > 1 or info.signed:
        return None
    return info.format, tuple(parts(data, info.format))


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


_NOTICES: dict[Format, Callable[[bytes, Sequence[Part]], Iterable[str]]] = {
    Format.JPEG: copyright.of_jpeg,
    Format.PNG: copyright.of_png,
    Format.GIF: copyright.of_gif,
    Format.WEBP: copyright.of_webp,
}
_PROFILES: dict[Format, Callable[[bytes, Sequence[Part]], bytes]] = {
    Format.JPEG: _jpeg_profile,
    Format.PNG: _png_profile,
    Format.GIF: lambda _data, _walked: b"",
    Format.WEBP: _webp_profile,
}
