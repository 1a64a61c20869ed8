"""What of EXIF changes how an image is shown or may be used: read from TIFF bytes, and written back small."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_ARTIST, _COPYRIGHT, _EXIF_DIRECTORY, _WIDTH, _HEIGHT = 0x013B, 0x8298, 0x8769, 0xA002, 0xA003
_DESCRIPTION, _MAKE, _MODEL, _SOFTWARE, _USER_COMMENT, _WINDOWS_COMMENT = 0x010E, 0x010F, 0x0110, 0x0131, 0x9286, 0x9C9C
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 2, 3, 4, 5, 7
_SIZES = {_BYTE: 1, _ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, _UNDEFINED: 1}
_CODE = 8
"""Bytes before a user comment that name its character code (EXIF 2.32, 4.6.5)."""

_INCHES, _CENTIMETRES = 2, 3
_LONGEST = 2000
_MOST_ENTRIES = 1000


@dataclass(frozen=True)
class Density:
    """Dots a `unit` as fractions: 1 is no unit, 2 an inch, 3 a centimetre, 0 where none is written.

    `width` and `height` are the CSS pixels that a browser derives from them, 0 where none are written.
    """

    x: tuple[int, int]
    y: tuple[int, int]
    unit: int = _INCHES
    width: int = 0
    height: int = 0

    def corrects(self, width: int, height: int) -> bool:
        """Tell whether browsers show a image of so many pixels at another size.

        They do where its size at 72 dots an inch, rounded, is the written one (HTML, density-corrected natural size).
        """
        if self.unit != _INCHES or not all((self.width, self.height)):
            return False
        derived = _at_72(width, self.x), _at_72(height, self.y)
        return derived == (self.width, self.height) != (width, height)


@dataclass(frozen=True)
class Exif:
    """`orientation` is 1..8, 1 where none or nonsense is written; `copyright` and `artist` are "" for none."""

    orientation: int = 1
    copyright: str = ""
    density: Density | None = None
    artist: str = ""


def read(data: bytes) -> Exif:
    """Read a TIFF structure of either byte order, with or without the `Exif` prefix that JPEG puts before it."""
    tiff = _unprefixed(data)
    orientation = number(tiff, _ORIENTATION)
    return Exif(
        orientation if 1 <= orientation <= 8 else 1,
        text(_value(tiff, _COPYRIGHT, _ASCII)),
        _read_density(tiff),
        text(_value(tiff, _ARTIST, _ASCII)),
    )


def comments(data: bytes) -> Iterator[bytes]:
    """Yield the texts in which programs keep data of their own, of UTF-16 the bytes that are not 0."""
    tiff = _unprefixed(data)
    for tag in (_DESCRIPTION, _MAKE, _MODEL, _SOFTWARE):
        yield _value(tiff, tag, _ASCII)
    yield _value(tiff, _WINDOWS_COMMENT, _BYTE).replace(b"\0", b"")
    yield _value(tiff, _USER_COMMENT, _UNDEFINED, number(tiff, _EXIF_DIRECTORY))[_CODE:].replace(b"\0", b"")


def _unprefixed(data: bytes) -> bytes:
    return data[6:] if data.startswith(b"Exif\0") else data


def number(tiff: bytes, tag: int, directory: int | None = None) -> int:
    """Return the whole number that a directory, by default the first, gives for a tag; 0 where it gives none."""
    value = _value(tiff, tag, _SHORT, directory)[:2] or _value(tiff, tag, _LONG, directory)[:4]
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
    entries: list[tuple[int, int, bytes]] = []
    density = exif.density
    if exif.orientation != 1:
        entries.append((_ORIENTATION, _SHORT, struct.pack(">H", exif.orientation)))
    if density:
        entries.append((_X_RESOLUTION, _RATIONAL, struct.pack(">II", *density.x)))
        entries.append((_Y_RESOLUTION, _RATIONAL, struct.pack(">II", *density.y)))
    if density and density.unit:
        entries.append((_RESOLUTION_UNIT, _SHORT, struct.pack(">H", density.unit)))
    for tag, said in ((_ARTIST, exif.artist), (_COPYRIGHT, exif.copyright)):
        if said:
            entries.append((tag, _ASCII, said.encode("utf-8", "replace") + b"\0"))
    head = b"MM\0*\0\0\0\x08"
    if not density or not density.width:
        return head + _directory(entries, 8) if entries else b""
    behind = 8 + len(_directory([*entries, (_EXIF_DIRECTORY, _LONG, bytes(4))], 8))
    first = _directory([*entries, (_EXIF_DIRECTORY, _LONG, struct.pack(">I", behind))], 8)
    sizes = [(_WIDTH, density.width), (_HEIGHT, density.height)]
    return head + first + _directory([(tag, _LONG, struct.pack(">I", size)) for tag, size in sizes], behind)


def _directory(entries: list[tuple[int, int, bytes]], at: int) -> bytes:
    rows, behind = b"", b""
    values_at = at + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(">I", values_at + len(behind))
        rows += struct.pack(">HHI", tag, kind, len(value) // _SIZES[kind]) + place
        behind += value + b"\0" * (len(value) & 1) if len(value) > 4 else b""
    return struct.pack(">H", len(entries)) + rows + b"\0\0\0\0" + behind


def _read_density(tiff: bytes) -> Density | None:
    fractions = [_value(tiff, tag, _RATIONAL) for tag in (_X_RESOLUTION, _Y_RESOLUTION)]
    if [len(fraction) for fraction in fractions] != [8, 8]:
        return None
    x, y = ((_whole(tiff, one[:4]), _whole(tiff, one[4:])) for one in fractions)
    directory = number(tiff, _EXIF_DIRECTORY)
    width, height = number(tiff, _WIDTH, directory), number(tiff, _HEIGHT, directory)
    unit = number(tiff, _RESOLUTION_UNIT)
    if not all((*x, *y)) or unit > _CENTIMETRES:
        return None
    return Density(x, y, unit, width, height) if width and height else Density(x, y, unit)


def _at_72(pixels: int, resolution: tuple[int, int]) -> int:
    numerator, denominator = resolution
    return (2 * pixels * 72 * denominator + numerator) // (2 * numerator)


def _whole(tiff: bytes, value: bytes) -> int:
    return int.from_bytes(value, "little" if tiff.startswith(b"II") else "big")


def _value(tiff: bytes, wanted: int, kind_wanted: int, directory: int | None = None) -> bytes:
    """The bytes of a directory's first entry with this tag and type, b"" where there is none in the data."""
    if tiff[:4] not in (b"II*\0", b"MM\0*"):
        return b""
    order = "<" if tiff.startswith(b"II") else ">"
    start = _whole(tiff, tiff[4:8]) if directory is None else directory
    count = _whole(tiff, tiff[start : start + 2])
    inside = (len(tiff) - start - 2) // 12
    for at in range(start + 2, start + 2 + 12 * min(count, inside, _MOST_ENTRIES), 12):
        tag, kind, values, place = struct.unpack_from(f"{order}HHII", tiff, at)
        if (tag, kind) == (wanted, kind_wanted):
            size = values * _SIZES[kind]
            return tiff[at + 8 : at + 8 + size] if size <= 4 else tiff[place : place + size]
    return b""
