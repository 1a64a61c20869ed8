"""The two facts of EXIF that imgshrink keeps, orientation and copyright: read from TIFF bytes, and written back."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION, _COPYRIGHT = 0x0112, 0x8298
_ASCII, _SHORT, _LONG = 2, 3, 4
_LONGEST = 2000


@dataclass(frozen=True)
class Exif:
    """`orientation` is 1..8, 1 where none or nonsense is written; `copyright` is the notice, "" for none."""

    orientation: int = 1
    copyright: str = ""


def read(data: bytes) -> Exif:
    """Read a TIFF structure of either byte order, with or without the `Exif` prefix that JPEG puts before it."""
    tiff = data[6:] if data.startswith(b"Exif\0") else data
    orientation = number(tiff, _ORIENTATION)
    return Exif(orientation if 1 <= orientation <= 8 else 1, text(_value(tiff, _COPYRIGHT, _ASCII)))


def number(tiff: bytes, tag: int) -> int:
    """Return the whole number that the first directory gives for a tag, 0 where it gives none."""
    value = _value(tiff, tag, _SHORT)[:2] or _value(tiff, tag, _LONG)[:4]
    return _whole(tiff, value)


def text(value: bytes) -> str:
    """Decode a field that should be ASCII and in practice is UTF-8 or Latin-1, white space and NUL made one space.

    At most 2,000 characters: what is longer is not a notice.
    """
    try:
        decoded = value.decode("utf-8")
    except UnicodeDecodeError:
        decoded = value.decode("latin-1")
    return " ".join(decoded.replace("\0", " ").split())[:_LONGEST].strip()


def write(exif: Exif) -> bytes:
    """Write the smallest TIFF structure that says the same; b"" where there is nothing to say."""
    notice = exif.copyright.encode("utf-8", "replace") + b"\0" if exif.copyright else b""
    entries = []
    if exif.orientation != 1:
        entries.append(struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, exif.orientation, 0))
    if notice:
        behind = struct.pack(">I", 8 + 2 + 12 * (len(entries) + 1) + 4)
        place = notice.ljust(4, b"\0") if len(notice) <= 4 else behind
        entries.append(struct.pack(">HHI", _COPYRIGHT, _ASCII, len(notice)) + place)
    if not entries:
        return b""
    head = b"MM\0*\0\0\0\x08" + struct.pack(">H", len(entries))
    return head + b"".join(entries) + b"\0\0\0\0" + (notice if len(notice) > 4 else b"")


def _whole(tiff: bytes, value: bytes) -> int:
    return int.from_bytes(value, "little" if tiff.startswith(b"II") else "big")


def _value(tiff: bytes, wanted: int, type_wanted: int) -> bytes:
    """The bytes of the first directory's first entry with this tag and type, b"" where there is none in the data."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return b""
    mark = "<" if tiff.startswith(b"II") else ">"
    directory = _whole(tiff, tiff[4:8])
    count = _whole(tiff, tiff[directory : directory + 2])
    inside = (len(tiff) - directory - 2) // 12
    for at in range(directory + 2, directory + 2 + 12 * min(count, inside), 12):
        tag, type_found, values, place = struct.unpack_from(f"{mark}HHII", tiff, at)
        if (tag, type_found) == (wanted, type_wanted):
            size = values * {_ASCII: 1, _SHORT: 2, _LONG: 4}[type_wanted]
            return tiff[at + 8 : at + 8 + size] if size <= 4 else tiff[place : place + size]
    return b""
