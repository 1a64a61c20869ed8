"""Photoshop's image resources and the IPTC records in them (Adobe Photoshop file format; IPTC-IIM 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

PHOTOSHOP = b"Photoshop 3.0\0"
BY_LINE, CREDIT, COPYRIGHT = 80, 110, 116
"""Numbers of the data sets of record 2 that name people and rights."""

_IPTC = 0x0404
_PATHS = range(2000, 2998)


def resources(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of every image resource behind the signature; stop where they break the rules."""
    at = len(PHOTOSHOP)
    while body.startswith(b"8BIM", at) and at + 7 <= len(body):
        name_end = at + 6 + (body[at + 6] + 2 & ~1)
        size = int.from_bytes(body[name_end : name_end + 4], "big")
        yield int.from_bytes(body[at + 4 : at + 6], "big"), body[name_end + 4 : name_end + 4 + size]
        at = name_end + 4 + size + (size & 1)


def notices(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and value of every data set of `BY_LINE`, `CREDIT` and `COPYRIGHT` in a Photoshop segment."""
    for number, content in resources(body):
        if number == _IPTC:
            yield from _records(content)


def has_path(body: bytes) -> bool:
    """Tell whether a Photoshop segment holds a saved path, by which layout programs clip the image."""
    return any(number in _PATHS for number, _ in resources(body))


def _records(records: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while records[at : at + 1] == b"\x1c" and at + 5 <= len(records):
        size = int.from_bytes(records[at + 3 : at + 5], "big")
        if records[at + 1] == 2 and records[at + 2] in (BY_LINE, CREDIT, COPYRIGHT):
            yield records[at + 2], records[at + 5 : at + 5 + size]
        at += 5 + size
