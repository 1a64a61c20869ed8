"""The two facts of EXIF that imgshrink keeps, orientation and copyright: read from TIFF bytes, and written back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

ORIENTATION, ARTIST, COPYRIGHT = 0x0112, 0x013B, 0x8298
_ASCII, _SHORT, _LONG = 2, 3, 4
_MOST_TAGS = 1000


@dataclass(frozen=True)
class Exif:
    """`orientation` is 1..8, 1 where none or nonsense is written; `copyright` is the notice's bytes, b"" for none."""

    orientation: int = 1
    copyright: bytes = b""


def read(data: bytes) -> Exif:
    """Read a TIFF structure of either byte order, with or without the `Exif` prefix that JPEG puts before it."""
    tiff = data[6:] if data.startswith(b"Exif\0") else data
    orientation, notice = 1, b""
    for tag, kind, count, value in _entries(tiff):
        if tag == ORIENTATION and kind in (_SHORT, _LONG) and count == 1:
            number = int.from_bytes(value, _order(tiff))
            orientation = number if 1 <= number <= 8 else 1
        elif tag == COPYRIGHT and kind == _ASCII:
            notice = value.replace(b"\0", b" ").strip()
    return Exif(orientation, notice)


def number(data: bytes, tag: int) -> int:
    """Return the whole number that the first directory gives for a tag, 0 where it gives none."""
    values = (value for found, _, count, value in _entries(data) if found == tag and count == 1)
    return int.from_bytes(next(values, b""), _order(data))


def write(exif: Exif) -> bytes:
    """Write the smallest TIFF structure that says the same; b"" where there is nothing to say."""
    entries, behind = [], b""
    if exif.orientation != 1:
        entries.append(struct.pack(">HHIHH", ORIENTATION, _SHORT, 1, exif.orientation, 0))
    if exif.copyright:
        text = exif.copyright + b"\0"
        offset = 8 + 2 + 12 * (len(entries) + 1) + 4
        place = text.ljust(4, b"\0") if len(text) <= 4 else struct.pack(">I", offset)
        entries.append(struct.pack(">HHI", COPYRIGHT, _ASCII, len(text)) + place)
        behind = text if len(text) > 4 else b""
    if not entries:
        return b""
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + b"".join(entries) + b"\0\0\0\0" + behind


def _order(tiff: bytes) -> Literal["little", "big"]:
    return "little" if tiff.startswith(b"II") else "big"


def _entries(tiff: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, type, count and value bytes of the first directory's entries that lie inside the data."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return
    mark = "<" if tiff.startswith(b"II") else ">"
    at = int.from_bytes(tiff[4:8], _order(tiff))
    count = int.from_bytes(tiff[at : at + 2], _order(tiff))
    for number in range(min(count, _MOST_TAGS)):
        entry = tiff[at + 2 + 12 * number : at + 14 + 12 * number]
        if len(entry) < 12:
            return
        tag, kind, values = struct.unpack_from(f"{mark}HHI", entry)
        size = values * {_ASCII: 1, _SHORT: 2, _LONG: 4}.get(kind, 0)
        place = 0 if size <= 4 else struct.unpack_from(f"{mark}I", entry, 8)[0]
        value = entry[8 : 8 + size] if size <= 4 else tiff[place : place + size]
        yield tag, kind, values, value
