"""What an image carries for other programs: what is copied byte for byte, and what forbids any rewriting.

PNG says it itself: an unknown ancillary chunk whose type ends in a small letter is safe to copy, any other is not (PNG
specification, 14.2). WebP asks writers to keep unknown chunks in their order. GIF and JPEG have no such rule: of them
comments are copied, and unknown blocks and segments forbid rewriting, because they may describe pixels or offsets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..core.model import Format
from . import copyright, exif, iptc, xmp
from .containers import Part, end, identify, inner_chunks, parts
from .signatures import name

REASON = "it carries data of another program"

PNG_KNOWN = frozenset(
    "signature IHDR PLTE IDAT IEND tRNS bKGD sBIT pHYs eXIf iCCP sRGB gAMA cHRM cICP mDCV cLLI acTL fcTL fdAT "
    "tIME hIST sPLT iDOT orNT cmPP cmOD zxIf exIf".split()
)
"""What the image needs, and what other encoders leave that nobody misses: time, palettes, Apple's offsets of strips,
ImageMagick's orientation, what an optimizer says of itself, EXIF under its draft names."""

_PNG_COPIED = {"sCAL", "sTER"}
"""Not safe to copy by their names, but registered: they depend on the size in pixels alone."""

_TEXT_NOISE = re.compile(
    rb"(?:Software|Creation Time|XML:com\.adobe\.xmp|Raw profile type .*|(?:date|exif|Thumb):.*)\Z", re.DOTALL
)
_COMMENT_NOISE = re.compile(
    rb"imgshrink1 |\W*(?:created|made|generated|optimi[sz]ed|edited|converted|compressed|written|exported|processed"
    rb"|resized|produced|handmade|file written)\b|creator:|software|lavc|lead tech|ezgif|gif\.ski|gifsicle|applemark"
    rb"|intel\(r\)|xv version|ulead|jpeg|gimp",
    re.IGNORECASE,
)
_LONGEST_NOISE = 255
_STRUCTURED = re.compile(rb"\s*(?:\w{1,40}:\s*)?[{<]")
_GENERATED = re.compile(rb"\bSteps: \d")
"""How AUTOMATIC1111 and its kin write down how an image was made."""

_JPEG_KNOWN: Mapping[str, tuple[bytes, ...]] = {
    "APP0": (b"JFIF\0", b"JFXX\0", b"AVI1"),
    "APP1": (b"Exif\0", xmp.JPEG, xmp.JPEG_EXTENSION),
    "APP2": (b"ICC_PROFILE\0", b"FPXR\0", b"MPF\0"),
    "APP3": (b"Meta\0", b"META\0"),
    "APP5": (b"ssuniqueid\0",),
    "APP12": (b"Ducky", b"PictureInfo", b"[picture info]"),
    "APP13": (iptc.PHOTOSHOP, b"Adobe_CM", b"Adobe_Photoshop2.5:"),
    "APP14": (b"Adobe",),
}
_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_GIF_KNOWN = (
    *(b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0", b"\x0bICCRGBG1012", xmp.GIF),
    *(b"\x0bImageMagick", b"\x0bMGK8BIM0000", b"\x0bMGKIPTC0000", b"\x0bADOBE:IR1.0", b"\x0bMSOFFICE9.0"),
)
_WEBP_KNOWN = {"header", "VP8X", "ICCP", "ANIM", "ANMF", "ALPH", "VP8 ", "VP8L", "EXIF", "XMP ", "imgs"}
_FRAME_KNOWN = {"ALPH", "VP8 ", "VP8L"}

_PADDING = b"\0\xff \t\r\n"
_LEAST = 16
"""Bytes behind the end that are padding or a stray tag."""

_SAMSUNG, _SAMSUNG_LONGEST = b"SEFT", 1024
"""The end of what Samsung's cameras write behind every photograph; with a video or an audio note it is longer."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What an image carries. `leading` and `trailing` are whole chunks and blocks, copied byte for byte before and
    behind the pixels; `reason` says for a person why the image is left alone, "" where it may be rewritten."""

    leading: bytes = b""
    trailing: bytes = b""
    reason: str = ""


NOTHING = Carried()


def read_carried(data: bytes) -> Carried:
    """Read what an image carries for other programs; nothing from bytes that are none of the four formats."""
    format = identify(data)
    if format is None:
        return NOTHING
    walked = tuple(parts(data, format))
    leading, trailing = _copied(data, walked, format, _COPIES[format])
    what = next(_bound(data, walked, format), "")
    return Carried(leading, trailing, f"{REASON} ({what})" if what else "")


def notice_texts(data: bytes, walked: Sequence[Part], format: Format) -> Carried:
    """Return only the texts and comments that are notices."""
    return Carried(*_copied(data, walked, format, copyright.is_text_notice))


def _copied(
    data: bytes, walked: Sequence[Part], format: Format, wanted: Callable[[bytes, Part], bool]
) -> tuple[bytes, bytes]:
    kept: tuple[list[bytes], list[bytes]] = [], []
    behind = format in (Format.GIF, Format.WEBP)
    for part in walked:
        behind = behind or part.kind == "IDAT"
        if wanted(data, part):
            kept[behind].append(data[part.start : part.end])
    return b"".join(kept[0]), b"".join(kept[1])


def _png_copies(data: bytes, part: Part) -> bool:
    if part.kind in copyright.PNG_TEXTS:
        if copyright.png_keyword(data, part) == b"Comment":
            text = copyright.png_text(data, part)
            return not text or not _is_noise(text)
        return not _TEXT_NOISE.match(copyright.png_keyword(data, part))
    return part.kind in _PNG_COPIED or (
        part.kind[0].islower() and part.kind[3].islower() and part.kind not in PNG_KNOWN
    )


def _jpeg_copies(data: bytes, part: Part) -> bool:
    return part.kind == "COM" and not _is_noise(data[part.body : part.body_end])


def _gif_copies(data: bytes, part: Part) -> bool:
    return part.kind == "extension:comment" and not _is_noise(copyright.gif_blocks(data, part))


def _webp_copies(data: bytes, part: Part) -> bool:  # noqa: ARG001 - the table's signature
    return part.kind not in _WEBP_KNOWN


def _is_noise(comment: bytes) -> bool:
    """Tell whether a comment is only what tools say of themselves, or nothing."""
    said = comment.strip(_PADDING)
    return not said or (len(said) <= _LONGEST_NOISE and bool(_COMMENT_NOISE.match(said)))


def _bound(data: bytes, walked: Sequence[Part], format: Format) -> Iterator[str]:
    """Yield for a person everything that forbids rewriting."""
    for part in walked:
        if what := _BOUND[format](data, part) or _in_metadata(data, part, format):
            yield what
    more = bool(walked) and walked[-1].end < len(data)
    finish = end(data, format, walked) if more else None
    behind = b"" if finish is None else data[finish:]
    if _is_substantial(behind):
        what = name(behind, unknown="") or name(behind.lstrip(_PADDING), unknown="data")
        yield f"{what} behind its end"


def _is_substantial(behind: bytes) -> bool:
    said = behind.strip(_PADDING)
    if said.endswith(_SAMSUNG) and len(said) <= _SAMSUNG_LONGEST:
        return False
    return len(said) > _LEAST


def _in_metadata(data: bytes, part: Part, format: Format) -> str:
    """Say what EXIF or XMP in a part is bound to."""
    body = data[part.body : part.body_end]
    if part.kind in ("eXIf", "EXIF") or (part.kind == "APP1" and body.startswith(b"Exif\0")):
        own = any(_STRUCTURED.match(one) or _GENERATED.search(one) for one in exif.comments(body))
        return "in its EXIF" if own else ""
    if copyright.is_xmp(data, part):
        return xmp.binding(copyright.png_text(data, part) if format is Format.PNG else body)
    return ""


def _png_bound(data: bytes, part: Part) -> str:  # noqa: ARG001 - the table's signature
    if part.kind in PNG_KNOWN or part.kind in _PNG_COPIED:
        return ""
    return part.kind if part.kind[0].isupper() or part.kind[3].isupper() else ""


def _jpeg_bound(data: bytes, part: Part) -> str:
    body = data[part.body : part.body_end]
    if not part.kind.startswith("APP") or not body.strip(_PADDING):
        return ""
    if body.startswith(_GAIN_MAP):
        return "a gain map"
    if body.startswith(iptc.PHOTOSHOP) and iptc.has_path(body):
        return "a clipping path"
    return "" if body.startswith(_JPEG_KNOWN.get(part.kind, ())) else _label(part.kind, body)


def _label(kind: str, body: bytes) -> str:
    """Name a segment and, where it has one, the identifier at its start."""
    identifier = re.match(rb"[ -~]{2,40}", body)
    return f"{kind} {identifier[0].decode('ascii')}" if identifier else kind


def _gif_bound(data: bytes, part: Part) -> str:
    if part.kind == "extension:unknown":
        return f"extension {data[part.start + 1]:#04x}"
    if part.kind != "extension:application" or data.startswith(_GIF_KNOWN, part.body):
        return ""
    return _label("extension", data[part.body + 1 : part.body + 12])


def _webp_bound(data: bytes, part: Part) -> str:
    if part.kind != "ANMF":
        return ""
    return next((f"{one.kind} in a frame" for one in inner_chunks(data, part) if one.kind not in _FRAME_KNOWN), "")


_COPIES: Mapping[Format, Callable[[bytes, Part], bool]] = {
    Format.JPEG: _jpeg_copies,
    Format.PNG: _png_copies,
    Format.GIF: _gif_copies,
    Format.WEBP: _webp_copies,
}
_BOUND: Mapping[Format, Callable[[bytes, Part], str]] = {
    Format.JPEG: _jpeg_bound,
    Format.PNG: _png_bound,
    Format.GIF: _gif_bound,
    Format.WEBP: _webp_bound,
}
