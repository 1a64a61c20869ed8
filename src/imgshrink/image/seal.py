"""The seal: a short text inside an image that says it is shrunk, bound to every other byte of the file.

    imgshrink1 q80 4f1d2c9a6b3e8071

is the seal's version, the quality, and the first 16 hex digits of the SHA-256 of the file without the seal. It is
bookkeeping, not security: anyone can write one, or another quality into it.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType

from ..core.model import Format
from .containers import Part, identify, parts
from .sniff import describe, sniff

COST: Mapping[Format, int] = MappingProxyType({Format.JPEG: 35, Format.PNG: 52, Format.GIF: 35, Format.WEBP: 40})
"""Bytes that a seal of a two-digit quality adds."""

_START = b"imgshrink1 q"
_SEAL = rb"imgshrink1 q(100|[1-9][0-9]?) [0-9a-f]{16}"
_KINDS = {Format.JPEG: "COM", Format.PNG: "tEXt", Format.GIF: "extension:comment", Format.WEBP: "imgs"}
_BODIES = {
    Format.JPEG: re.compile(_SEAL),
    Format.PNG: re.compile(rb"Software\0" + _SEAL),
    Format.GIF: re.compile(rb"[\x1e-\x20]" + _SEAL),
    Format.WEBP: re.compile(_SEAL),
}
_CLOSING = {Format.PNG: "IEND", Format.GIF: "trailer"}


@dataclass(frozen=True)
class _Found:
    """The seals at the place of one, valid or stale, and `place`: where in the unsealed data a seal belongs."""

    format: Format
    seals: Sequence[Part]
    place: int


def seal(data: bytes, quality: int) -> bytes:
    """Return the image with a seal of `quality` (1..100) in place of any it bears, or `data` where it may have none."""
    found = None if why_not_sealable(data) else _find(data)
    if found is None:
        return data
    bare = _without(data, found)
    text = _encode(found.format, quality, bare)
    return _sized(bare[: found.place] + text + bare[found.place :], found.format, len(text))


def why_not_sealable(data: bytes) -> str:
    """Say for a person why the image may not be sealed, "" where it may."""
    info = sniff(data)
    if info is None or not info.complete:
        return describe(data)
    if info.image_count > 1:
        return f"holds {info.image_count} images (MPF): rewriting it would lose all but the first"
    return "signed (C2PA): any change would break the signature" if info.signed else ""


def read_seal(data: bytes) -> int | None:
    """Return the quality of a valid seal; None where there is none, or the file was changed since."""
    found = _find(data) if _START in data else None
    if found is None or len(found.seals) != 1 or found.seals[0].start != found.place:
        return None
    text = data[found.seals[0].start : found.seals[0].end]
    quality = int(text[text.index(b" q") + 2 :].split(b" ")[0])
    return quality if text == _encode(found.format, quality, _without(data, found)) else None


def unseal(data: bytes) -> bytes:
    """Return the image without the seal at its place, valid or stale; `data` itself where there is none."""
    found = _find(data) if _START in data else None
    return data if found is None or not found.seals else _without(data, found)


def _find(data: bytes) -> _Found | None:
    format = identify(data)
    if format is None:
        return None
    if format is Format.JPEG:
        return _find_behind_applications(data)
    walked = list(parts(data, format))
    if format in _CLOSING and (not walked or walked.pop().kind != _CLOSING[format]):
        return None
    if format is Format.WEBP and walked[-1].end != 8 + int.from_bytes(data[4:8], "little"):
        return None
    seals = list(takewhile(lambda part: _is_seal(data, part, format), reversed(walked)))[::-1]
    return _Found(format, seals, seals[0].start if seals else walked[-1].end)


def _find_behind_applications(data: bytes) -> _Found:
    """Find seals up to the end of the application segments: others may have been put behind one since."""
    place, seals = 0, []
    for part in parts(data, Format.JPEG):
        if _is_seal(data, part, Format.JPEG):
            seals.append(part)
        elif part.kind.startswith(("SOI", "APP")):
            place += part.end - part.start
        else:
            break
    return _Found(Format.JPEG, seals, place)


def _is_seal(data: bytes, part: Part, format: Format) -> bool:
    return part.kind == _KINDS[format] and bool(_BODIES[format].fullmatch(data, part.body, part.body_end))


def _without(data: bytes, found: _Found) -> bytes:
    pieces, at = [], 0
    for part in found.seals:
        pieces.append(data[at : part.start])
        at = part.end
    bare = b"".join([*pieces, data[at:]])
    return _sized(bare, found.format, len(bare) - len(data))


def _sized(data: bytes, format: Format, growth: int) -> bytes:
    """The data with the RIFF's size corrected where there is one."""
    if format is not Format.WEBP:
        return data
    return data[:4] + (int.from_bytes(data[4:8], "little") + growth).to_bytes(4, "little") + data[8:]


def _encode(format: Format, quality: int, bare: bytes) -> bytes:
    text = b"imgshrink1 q%d %s" % (quality, hashlib.sha256(bare).hexdigest()[:16].encode("ascii"))
    if format is Format.JPEG:
        return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    if format is Format.PNG:
        chunk = b"tEXtSoftware\0" + text
        return (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    if format is Format.GIF:
        return b"!\xfe" + bytes([len(text)]) + text + b"\0"
    return b"imgs" + len(text).to_bytes(4, "little") + text + b"\0" * (len(text) & 1)
