"""Notices, the names of people and licences, wherever an image may carry them: EXIF, XMP, IPTC, PNG text, comments."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice

from ..core.model import Format
from . import exif, iptc, xmp
from .containers import Part

PNG_TEXTS = ("tEXt", "zTXt", "iTXt")
_MOST_INFLATED = 1 << 20
_MOST_NOTICES = 10
_IN_XMP = {
    "copyright": "dc:rights", "creator": "dc:creator", "credit": "photoshop:Credit",
    "statement": "xmpRights:WebStatement", "terms": "xmpRights:UsageTerms", "licence": "cc:license",
    "source_type": "Iptc4xmpExt:DigitalSourceType",
}  # fmt: skip
_IN_IPTC = {iptc.BY_LINE: "creator", iptc.CREDIT: "credit", iptc.COPYRIGHT: "copyright"}
_PNG_NOTICES = {b"Copyright": "copyright", b"Author": "creator"}
_GIF_NOTICE = re.compile(r"copyright|©|\(c\)", re.IGNORECASE)
_GIF_LABEL = "Copyright: "


@dataclass(frozen=True)
class Notices:
    """Who made an image and what may be done with it; "" for what is not said.

    `statement` is the address of a licence's page, `terms` are its words, `licence` is its address at Creative Commons.
    `source_type` is IPTC's digital source type: how an image came to be, generated ones among them.
    """

    copyright: str = ""
    creator: str = ""
    credit: str = ""
    statement: str = ""
    terms: str = ""
    licence: str = ""
    source_type: str = ""

    def packet(self, *without: str) -> bytes:
        """Return an XMP packet of these fields but those named, b"" where nothing is left."""
        said = {_IN_XMP[field.name]: getattr(self, field.name) for field in fields(self) if field.name not in without}
        return xmp.write({name: value for name, value in said.items() if value})


def read_notices(data: bytes, walked: Sequence[Part], format: Format, *, texts: bool = True) -> Notices:
    """Read all notices of a container; without `texts` not those in PNG texts and GIF comments."""
    found: dict[str, list[str]] = {}
    for name, value in _found(data, walked, format):
        found.setdefault(name, []).append(value)
    if texts:
        for part in islice((part for part in walked if is_text_notice(data, part)), _MOST_NOTICES):
            name, value = _text_notice(data, part)
            found.setdefault(name, []).append(value)
    return Notices(**{name: join(values) for name, values in found.items()})


def join(texts: Iterable[str]) -> str:
    """Join notices into one, each said once."""
    said: list[str] = []
    for one in texts:
        if len(said) == _MOST_NOTICES:
            break
        if one and not any(one in other for other in said):
            said.append(one)
    return exif.text("; ".join(said).encode("utf-8", "replace"))


def _found(data: bytes, walked: Sequence[Part], format: Format) -> Iterator[tuple[str, str]]:
    """Yield field and value of the notices in the first ten holders, however many a hostile file has."""
    holders = (part for part in walked if _holder(data, part, format))
    for part in islice(holders, _MOST_NOTICES):
        body = data[part.body : part.body_end]
        kind = _holder(data, part, format)
        if kind == "exif":
            read = exif.read(body)
            yield from (("copyright", read.copyright), ("creator", read.artist))
        elif kind == "iptc":
            yield from ((_IN_IPTC[number], exif.text(value)) for number, value in iptc.notices(body))
        else:
            yield from _in_xmp(xmp.read(png_text(data, part) if format is Format.PNG else body))


def _in_xmp(properties: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, properties.get(known, "")) for name, known in _IN_XMP.items())


def _holder(data: bytes, part: Part, format: Format) -> str:
    """Return what of `exif`, `xmp`, `iptc` a part holds, "" for none."""
    if format is Format.JPEG:
        starts = (("APP1", b"Exif\0", "exif"), ("APP1", xmp.JPEG, "xmp"), ("APP13", iptc.PHOTOSHOP, "iptc"))
        return next(
            (kind for name, start, kind in starts if part.kind == name and data.startswith(start, part.body)), ""
        )
    if is_xmp(data, part):
        return "xmp"
    return "exif" if part.kind in ("eXIf", "EXIF") else ""


def is_xmp(data: bytes, part: Part) -> bool:
    """Tell whether a part holds an XMP packet, the extension of a JPEG's among them."""
    return part.kind == "XMP " or data.startswith(_XMP_STARTS.get(part.kind, ()), part.body)


def is_text_notice(data: bytes, part: Part) -> bool:
    """Tell whether a part is a PNG text with the keyword Copyright or Author, or a GIF comment about copyright."""
    if part.kind in PNG_TEXTS:
        return png_keyword(data, part) in _PNG_NOTICES
    return part.kind == "extension:comment" and bool(_GIF_NOTICE.search(exif.text(gif_blocks(data, part))))


def _text_notice(data: bytes, part: Part) -> tuple[str, str]:
    if part.kind in PNG_TEXTS:
        return _PNG_NOTICES[png_keyword(data, part)], exif.text(png_text(data, part))
    return "copyright", exif.text(gif_blocks(data, part)).removeprefix(_GIF_LABEL)


def png_keyword(data: bytes, part: Part) -> bytes:
    """The keyword of a text chunk."""
    return data[part.body : part.body_end].partition(b"\0")[0]


def png_text(data: bytes, part: Part) -> bytes:
    """The text of a tEXt, zTXt or iTXt chunk, inflated up to 1 MiB; b"" where it is broken."""
    _, _, rest = data[part.body : part.body_end].partition(b"\0")
    if part.kind == "tEXt":
        return rest
    if part.kind == "zTXt":
        return inflate(rest[1:], _MOST_INFLATED)
    _, _, rest_behind_language = rest[2:].partition(b"\0")
    _, _, text = rest_behind_language.partition(b"\0")
    return inflate(text, _MOST_INFLATED) if rest[:1] == b"\1" else text


def inflate(data: bytes, most: int) -> bytes:
    """Inflate a zlib stream, b"" where it is broken or longer than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, most)
    except zlib.error:
        return b""
    return inflated if stream.eof else b""


def gif_comment(notice: str) -> bytes:
    """A comment extension that says the notice, b"" for none."""
    if not notice:
        return b""
    understood = _GIF_NOTICE.search(notice) and not notice.startswith(_GIF_LABEL)
    text = (notice if understood else _GIF_LABEL + notice).encode("utf-8", "replace")
    blocks = (text[at : at + 255] for at in range(0, len(text), 255))
    return b"!\xfe" + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"


def gif_blocks(data: bytes, part: Part) -> bytes:
    """The content of a GIF extension's sub-blocks."""
    at, blocks = part.body, []
    while at < part.body_end:
        blocks.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return b"".join(blocks)


_XMP_STARTS: Mapping[str, tuple[bytes, ...]] = {
    "APP1": (xmp.JPEG, xmp.JPEG_EXTENSION), "iTXt": (xmp.PNG,), "extension:application": (xmp.GIF,),
}  # fmt: skip
