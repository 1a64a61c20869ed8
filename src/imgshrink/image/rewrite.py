"""Writing a container again with other metadata: what goes, what stays, and what is put in, format by format."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..core.model import Format
from . import copyright, exif, xmp
from .carried import NOTHING, Carried
from .containers import Part
from .copyright import Notices
from .sniff import PNG_COLOUR_CHUNKS, sniff

JPEG_PROFILE = b"ICC_PROFILE\0"
_ICC_SEGMENT = 65519
_NO_DENSITY = b"\0\0\1\0\1"
"""No unit, and square pixels (T.871, 10.1)."""

_PNG_KEPT = {"signature", "tRNS", "bKGD", "sBIT", "pHYs", "acTL", "fcTL", "fdAT"}
_GIF_KEPT = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0", b"\x0bICCRGBG1012")
_WEBP_KEPT = {"header", "VP8X", "ICCP", "ANIM", "ANMF", "ALPH", "VP8 ", "VP8L"}
_WEBP_ICC, _WEBP_ALPHA, _WEBP_EXIF, _WEBP_XMP = 0x20, 0x10, 0x08, 0x04


@dataclass(frozen=True)
class Change:
    """What a rewriting puts in place of what is there; None leaves it.

    `reduced` drops what need not stay and what is behind the end, and with it all notices; `notices` and `carried` are
    put in, what of the notices `exif` says not a second time. `scale` is the density that the container itself gives,
    b"" for none.
    """

    reduced: bool = False
    icc: bytes | None = None
    exif: exif.Exif | None = None
    notices: Notices = Notices()  # noqa: RUF009  # it is frozen
    colour: Mapping[str, bytes] | None = None
    scale: bytes | None = None
    carried: Carried = NOTHING


def rewrite(data: bytes, format: Format, walked: Sequence[Part], change: Change) -> bytes:
    """Write a complete container again, `walked` being its parts; unchanged where the format can't hold the change."""
    written = _WRITERS[format](data, walked, change)
    return written if change.reduced else written + data[walked[-1].end :]


def _write_jpeg(data: bytes, walked: Sequence[Part], change: Change) -> bytes:
    profile = change.icc or b""
    pieces = [profile[at : at + _ICC_SEGMENT] for at in range(0, len(profile), _ICC_SEGMENT)]
    if len(pieces) > 255:
        return data[: walked[-1].end]
    tiff = b"" if change.exif is None else exif.write(change.exif)
    packet = change.notices.packet("copyright", "creator")
    added = [_segment(0xE1, b"Exif\0\0" + tiff)] if tiff else []
    added += [_segment(0xE1, xmp.JPEG + packet)] if packet else []
    for number, piece in enumerate(pieces, 1):
        added.append(_segment(0xE2, JPEG_PROFILE + bytes((number, len(pieces))) + piece))
    kept = [_jpeg_kept(data, part, change) for part in walked]
    leading = 1 + sum(1 for _ in takewhile(lambda part: part.kind == "APP0", walked[1:]))
    behind = 1 + sum(1 for _ in takewhile(lambda part: part.kind.startswith("APP"), walked[1:]))
    written = [*kept[:leading], *added, *kept[leading:behind], change.carried.leading, *kept[behind:]]
    if change.scale is None:
        return b"".join(written)
    return _with_jfif(data, walked, written, change.scale)


def _with_jfif(data: bytes, walked: Sequence[Part], written: Sequence[bytes], scale: bytes) -> bytes:
    """Write the density into JFIF; without one, leave the JFIF out where colours do not depend on it."""
    own = next((data[part.body : part.body_end] for part in walked if _is_jfif(data, part)), b"")
    version = own[5:7] if len(own) >= 14 else b"\1\1"
    jfif = _segment(0xE0, b"JFIF\0" + version + (scale or _NO_DENSITY) + b"\0\0")
    both = b"".join([written[0], jfif, *written[1:]]), b"".join(written)
    before = _colour(data)
    return next((one for one in (both if scale else both[::-1]) if _colour(one) == before), both[1])


def _colour(data: bytes) -> str:
    info = sniff(data)
    assert info is not None, "only what sniff knows is rewritten"
    return info.colour


def is_jpeg_profile(data: bytes, part: Part) -> bool:
    """Tell whether a part is an APP2 segment with a piece of the ICC profile."""
    return part.kind == "APP2" and data.startswith(JPEG_PROFILE, part.body)


def _is_jfif(data: bytes, part: Part) -> bool:
    return part.kind == "APP0" and data.startswith(b"JFIF\0", part.body)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _jpeg_kept(data: bytes, part: Part, change: Change) -> bytes:
    body, whole = data[part.body : part.body_end], data[part.start : part.end]
    if is_jpeg_profile(data, part):
        return whole if change.icc is None else b""
    if _is_jfif(data, part):
        return whole if change.scale is None else b""
    if part.kind == "APP1" and body.startswith(b"Exif\0"):
        return whole if change.exif is None else b""
    if not change.reduced or not part.kind.startswith(("APP", "COM")):
        return whole
    return whole if part.kind == "APP14" and body.startswith(b"Adobe") else b""


def _write_png(data: bytes, walked: Sequence[Part], change: Change) -> bytes:
    bodies = dict(change.colour or {})
    bodies["iCCP"] = b"ICC\0\0" + zlib.compress(change.icc, 9) if change.icc else b""
    tiff, packet = (
        b"" if change.exif is None else exif.write(change.exif),
        change.notices.packet("copyright", "creator"),
    )
    added = [_chunk(name.encode("ascii"), bodies[name]) for name in PNG_COLOUR_CHUNKS if bodies.get(name)]
    added += [_chunk(b"pHYs", change.scale)] if change.scale else []
    added += [_chunk(b"eXIf", tiff)] if tiff else []
    added += [_chunk(b"iTXt", xmp.PNG + bytes(4) + packet)] if packet else []
    kept = [data[part.start : part.end] if _png_keeps(part, change) else b"" for part in walked]
    pixels = next(number for number, part in enumerate(walked) if part.kind == "IDAT")
    leading, trailing = change.carried.leading, change.carried.trailing
    return b"".join([*kept[:2], *added, *kept[2:pixels], leading, *kept[pixels:-1], trailing, kept[-1]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _png_keeps(part: Part, change: Change) -> bool:
    if part.kind == "iCCP":
        return change.icc is None
    if part.kind in PNG_COLOUR_CHUNKS:
        return change.colour is None
    if part.kind == "eXIf":
        return change.exif is None
    if part.kind == "pHYs":
        return change.scale is None
    return not change.reduced or part.kind[0].isupper() or part.kind in _PNG_KEPT


def _write_gif(data: bytes, walked: Sequence[Part], change: Change) -> bytes:
    packet = change.notices.packet("copyright")
    added = [b"!\xff" + xmp.GIF + packet + xmp.GIF_TRAILER] if packet else []
    added.append(copyright.gif_comment(change.notices.copyright))
    kept = [data[part.start : part.end] if _gif_keeps(data, part, change) else b"" for part in walked]
    if change.scale:
        kept[0] = kept[0][:12] + change.scale + kept[0][13:]
    return b"".join([*kept[:-1], *added, change.carried.trailing, kept[-1]])


def _gif_keeps(data: bytes, part: Part, change: Change) -> bool:
    if not change.reduced:
        return True
    if part.kind == "extension:application":
        return data.startswith(_GIF_KEPT, part.body)
    return part.kind not in ("extension:comment", "extension:unknown")


def _write_webp(data: bytes, walked: Sequence[Part], change: Change) -> bytes:
    tiff = b"" if change.exif is None else exif.write(change.exif)
    packet = change.notices.packet("copyright", "creator")
    kept = [(part.kind, data[part.start : part.end]) for part in walked[1:] if _webp_keeps(part, change)]
    if change.icc:
        kept.insert(kept[0][0] == "VP8X", ("ICCP", _riff_chunk(b"ICCP", change.icc)))
    if tiff:
        kept.append(("EXIF", _riff_chunk(b"EXIF", tiff)))
    if packet:
        kept.append(("XMP ", _riff_chunk(b"XMP ", packet)))
    kinds = {kind for kind, _ in kept}
    if kinds & {"VP8X", "ICCP", "EXIF", "XMP "}:
        kept = [("VP8X", _extended_header(data, walked, kinds)), *(one for one in kept if one[0] != "VP8X")]
    body = b"".join(chunk for _, chunk in kept) + change.carried.trailing
    return b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body


def _webp_keeps(part: Part, change: Change) -> bool:
    if part.kind == "ICCP":
        return change.icc is None
    if part.kind == "EXIF":
        return change.exif is None
    return not change.reduced or part.kind in _WEBP_KEPT


def _extended_header(data: bytes, walked: Sequence[Part], kinds: Iterable[str]) -> bytes:
    """The VP8X chunk for a WebP with chunks of these kinds: the present one, or a new one, its flags set right."""
    present = next((part for part in walked if part.kind == "VP8X" and part.body_end - part.body >= 10), None)
    if present is None:
        info = sniff(data)
        assert info is not None, "only what sniff knows is rewritten"
        size = (info.width - 1).to_bytes(3, "little") + (info.height - 1).to_bytes(3, "little")
        flags, rest = _WEBP_ALPHA * info.alpha, b"\0\0\0" + size
    else:
        flags, rest = data[present.body], data[present.body + 1 : present.body_end]
    flags &= ~(_WEBP_ICC | _WEBP_EXIF | _WEBP_XMP)
    flags |= _WEBP_ICC * ("ICCP" in kinds) | _WEBP_EXIF * ("EXIF" in kinds) | _WEBP_XMP * ("XMP " in kinds)
    return _riff_chunk(b"VP8X", bytes((flags,)) + rest)


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1)


_WRITERS: dict[Format, Callable[[bytes, Sequence[Part], Change], bytes]] = {
    Format.JPEG: _write_jpeg,
    Format.PNG: _write_png,
    Format.GIF: _write_gif,
    Format.WEBP: _write_webp,
}
