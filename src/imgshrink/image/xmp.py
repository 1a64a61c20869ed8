"""XMP packets: the properties that name people and licences, and the names that bind a packet to other data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape, unescape

from .exif import text

JPEG = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
PNG = b"XML:com.adobe.xmp\0"
GIF = b"\x0bXMP DataXMP"
GIF_TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"
"""What ends a packet in a GIF, so that a reader of sub-blocks finds its end (XMP specification, part 3, 1.1.2)."""

_LANGUAGES, _LIST, _PLAIN, _LINK = "Alt", "Seq", "", "rdf:resource"
_FORMS = {
    "dc:rights": _LANGUAGES, "dc:creator": _LIST, "photoshop:Credit": _PLAIN, "xmpRights:WebStatement": _PLAIN,
    "xmpRights:UsageTerms": _LANGUAGES, "cc:license": _LINK, "Iptc4xmpExt:DigitalSourceType": _PLAIN,
}  # fmt: skip
_SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "cc": "http://creativecommons.org/ns#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LONGEST = 4000
_ITEM = re.compile(rb"<rdf:li\b([^>]{0,200})>([^<]{0,2000})<")
_RESOURCE = re.compile(rb"rdf:resource\s{0,9}=\s{0,9}(?:\"([^\"]{0,2000})\"|'([^']{0,2000})')")
_BINDING = (
    (re.compile(rb"GPano|/photos/1\.0/panorama/"), "a panorama"),
    (re.compile(rb"MicroVideo|MotionPhoto"), "motion video"),
    (re.compile(rb"hdrgm|/hdr-gain-map/|HDRGainMap"), "a gain map"),
    (re.compile(rb"GDepth|GImage|GAudio|DepthMap|/photos/1\.0/(?:depthmap|image|audio|container|camera/container)|"
                rb"/photos/dd/1\.0/|Container:Directory|GContainer"), "a camera container"),
)  # fmt: skip


def read(packet: bytes) -> dict[str, str]:
    """Return the properties about people and licences that a packet holds, each in its first language, none empty."""
    found = {name: "; ".join(_values(packet, name.encode("ascii"))) for name in _FORMS}
    return {name: value for name, value in found.items() if value}


def write(properties: Mapping[str, str]) -> bytes:
    """Return the smallest packet that says the same, b"" where there is nothing to say; other names are an error."""
    if not properties:
        return b""
    prefixes = dict.fromkeys(name.partition(":")[0] for name in properties)
    spaces = "".join(f' xmlns:{prefix}="{_SPACES[prefix]}"' for prefix in prefixes)
    inside = "".join(_element(name, value) for name, value in properties.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{spaces}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def binding(packet: bytes) -> str:
    """Say for a person which other data of the file a packet describes, "" where none.

    Google's camera, panorama and depth namespaces, Adobe's and Apple's gain maps. A packet in UTF-16 is understood.
    """
    plain = packet.replace(b"\0", b"")
    return next((words for pattern, words in _BINDING if pattern.search(plain)), "")


def _element(name: str, value: str) -> str:
    form = _FORMS[name]
    if form == _LINK:
        return f'<{name} {_LINK}="{escape(value)}"/>'
    language = ' xml:lang="x-default"' if form == _LANGUAGES else ""
    inside = f"<rdf:{form}><rdf:li{language}>{escape(value)}</rdf:li></rdf:{form}>" if form else escape(value)
    return f"<{name}>{inside}</{name}>"


def _values(packet: bytes, name: bytes) -> Iterator[str]:
    """The value as an element with or without a list, a link, or an attribute (XMP specification, part 1)."""
    element = re.search(rb"<" + name + rb"\b([^>]{0,2100})>", packet)
    if element is None:
        attribute = re.search(name + rb"\s{0,9}=\s{0,9}(?:\"([^\"]{0,2000})\"|'([^']{0,2000})')", packet)
        yield from _unescaped(attribute[1] or attribute[2] or b"") if attribute else ()
    elif link := _RESOURCE.search(element[1]):
        yield from _unescaped(link[1] or link[2] or b"")
    elif not element[1].endswith(b"/"):
        inside = packet[element.end() : element.end() + _LONGEST].partition(b"</" + name + b">")[0]
        items = _ITEM.findall(inside)
        if b"xml:lang" in items[0][0] if items else False:
            items = items[:1]
        for value in [item[1] for item in items] or [inside.partition(b"<")[0]]:
            yield from _unescaped(value)


def _unescaped(value: bytes) -> Iterator[str]:
    said = text(unescape(text(value)).encode("utf-8", "replace"))
    if said:
        yield said
