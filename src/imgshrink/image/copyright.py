"""Copyright notices wherever an image may carry them: EXIF, XMP, IPTC, PNG text, GIF comments."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from itertools import islice

from . import exif
from .containers import Part

XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_PNG = b"XML:com.adobe.xmp\0"
XMP_GIF = b"\x0bXMP DataXMP"
PHOTOSHOP = b"Photoshop 3.0\0"
_JPEG_HOLDERS = {"APP1": (b"Exif\0", XMP_JPEG), "APP13": (PHOTOSHOP,)}
_MOST_INFLATED = 1 << 20
_MOST_NOTICES = 10
_RIGHTS_ELEMENT = re.compile(rb"<dc:rights\b[^>]{0,200}>")
_RIGHTS_ATTRIBUTE = re.compile(rb"dc:rights\s{0,9}=\s{0,9}(?:\"([^\"]{0,2000})\"|'([^']{0,2000})')")
_LIST_ITEM = re.compile(rb"<rdf:li\b[^>]{0,200}>([^<]{0,2000})<")
_GIF_NOTICE = re.compile(r"copyright|©|\(c\)", re.IGNORECASE)
_GIF_LABEL = "Copyright: "


def join(texts: Iterable[str]) -> str:
    """Join notices into one, each said once."""
    said: list[str] = []
    for one in texts:
        if len(said) == _MOST_NOTICES:
            break
        if one and not any(one in other for other in said):
            said.append(one)
    return exif.text("; ".join(said).encode("utf-8", "replace"))


def of_jpeg(data: bytes, walked: Sequence[Part]) -> Iterator[str]:
    """Notices in EXIF, XMP and IPTC."""
    segments = (part for part in walked if data.startswith(_JPEG_HOLDERS.get(part.kind, ()), part.body))
    for part in islice(segments, _MOST_NOTICES):
        body = data[part.body : part.body_end]
        if part.kind == "APP13":
            yield from _in_photoshop(body)
        else:
            yield _in_xmp(body) if body.startswith(XMP_JPEG) else exif.read(body).copyright


def of_png(data: bytes, walked: Sequence[Part]) -> Iterator[str]:
    """Notices in EXIF and XMP; those in text chunks are `of_png_text`."""
    chunks = (part for part in walked if part.kind == "eXIf" or is_png_xmp(data, part))
    for part in islice(chunks, _MOST_NOTICES):
        body = data[part.body : part.body_end]
        yield exif.read(body).copyright if part.kind == "eXIf" else _in_xmp(png_text(data, part))


def of_png_text(data: bytes, walked: Sequence[Part]) -> Iterator[str]:
    """Notices in text chunks with the keyword Copyright."""
    chunks = (part for part in walked if is_png_notice(data, part))
    return (exif.text(png_text(data, part)) for part in islice(chunks, _MOST_NOTICES))


def is_png_notice(data: bytes, part: Part) -> bool:
    """Tell whether a chunk is a text with the keyword Copyright."""
    return part.kind in ("tEXt", "zTXt", "iTXt") and data.startswith(b"Copyright\0", part.body)


def is_png_xmp(data: bytes, part: Part) -> bool:
    """Tell whether a chunk is a text that holds an XMP packet."""
    return part.kind == "iTXt" and data.startswith(XMP_PNG, part.body)


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


def of_gif(data: bytes, walked: Sequence[Part]) -> Iterator[str]:
    """Notices in XMP, and comments that speak of copyright."""
    for part in walked:
        if part.kind == "extension:application" and data.startswith(XMP_GIF, part.body):
            yield _in_xmp(data[part.body : part.body_end])
        elif is_gif_notice(data, part):
            yield _gif_comment(data, part).removeprefix(_GIF_LABEL)


def is_gif_notice(data: bytes, part: Part) -> bool:
    """Tell whether a part is a comment that speaks of copyright."""
    return part.kind == "extension:comment" and bool(_GIF_NOTICE.search(_gif_comment(data, part)))


def gif_comment(notice: str) -> bytes:
    """A comment extension that says the notice, b"" for none."""
    if not notice:
        return b""
    understood = _GIF_NOTICE.search(notice) and not notice.startswith(_GIF_LABEL)
    text = (notice if understood else _GIF_LABEL + notice).encode("utf-8", "replace")
    blocks = (text[at : at + 255] for at in range(0, len(text), 255))
    return b"!\xfe" + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"


def _gif_comment(data: bytes, part: Part) -> str:
    at, blocks = part.body, []
    while at < part.body_end:
        blocks.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return exif.text(b"".join(blocks))


def of_webp(data: bytes, walked: Sequence[Part]) -> Iterator[str]:
    """Notices in EXIF and XMP."""
    for part in islice((part for part in walked if part.kind in ("EXIF", "XMP ")), _MOST_NOTICES):
        body = data[part.body : part.body_end]
        yield exif.read(body).copyright if part.kind == "EXIF" else _in_xmp(body)


def _in_xmp(packet: bytes) -> str:
    """The first language of `dc:rights`, as an element or an attribute (XMP specification, part 1)."""
    element = _RIGHTS_ELEMENT.search(packet)
    if element:
        value = packet[element.end() : element.end() + 4000].partition(b"</dc:rights>")[0]
        item = _LIST_ITEM.search(value)
        return _unescaped(item[1] if item else value.partition(b"<")[0])
    attribute = _RIGHTS_ATTRIBUTE.search(packet)
    return _unescaped(attribute[1] or attribute[2] or b"") if attribute else ""


def _unescaped(value: bytes) -> str:
    return exif.text(unescape(exif.text(value)).encode("utf-8", "replace"))


def _in_photoshop(body: bytes) -> Iterator[str]:
    """IPTC's copyright notice (2:116) in the image resource 0x0404."""
    at = len(PHOTOSHOP)
    while body.startswith(b"8BIM", at) and at + 7 <= len(body):
        name_end = at + 6 + (body[at + 6] + 2 & ~1)
        size = int.from_bytes(body[name_end : name_end + 4], "big")
        if body[at + 4 : at + 6] == b"\x04\x04":
            yield from _in_iptc(body[name_end + 4 : name_end + 4 + size])
        at = name_end + 4 + size + (size & 1)


def _in_iptc(records: bytes) -> Iterator[str]:
    at = 0
    while records[at : at + 1] == b"\x1c" and at + 5 <= len(records):
        size = int.from_bytes(records[at + 3 : at + 5], "big")
        if records[at + 1 : at + 3] == b"\x02\x74":
            yield exif.text(records[at + 5 : at + 5 + size])
        at += 5 + size
