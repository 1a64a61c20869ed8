"""AVIF, as far as it must be known from its bytes: the size of a still, and whether the file is whole."""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from

_BRAND = b"avif"
_FULL = 4
"""Bytes of version and flags before the content of some boxes (ISO/IEC 14496-12, 4.2)."""

_PATH = (b"meta", b"iprp", b"ipco")
_TURNING = {b"irot", b"imir", b"clap"}
_MOST_BOXES = 1000

Box = tuple[bytes, int, int]
"""Type, and where the content begins and ends."""


def avif_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of an AVIF still that no property turns or crops, None for all other bytes.

    The boxes of the file reach exactly to its end.
    """
    boxes = list(_boxes(data, 0, len(data)))
    kinds = [kind for kind, _, _ in boxes]
    if kinds[:1] != [b"ftyp"] or b"mdat" not in kinds or boxes[-1][2] != len(data):
        return None
    if data[boxes[0][1] : boxes[0][1] + 4] != _BRAND:
        return None
    properties = _within(data, boxes)
    sizes = {unpack_from(">II", data, start + _FULL) for kind, start, end in properties if _is_size(kind, end - start)}
    if len(sizes) != 1 or _TURNING & {kind for kind, _, _ in properties}:
        return None
    width, height = sizes.pop()
    return (width, height) if width and height else None


def _is_size(kind: bytes, length: int) -> bool:
    return kind == b"ispe" and length == _FULL + 8


def _within(data: bytes, boxes: list[Box]) -> list[Box]:
    """Return the properties of all items, nothing where the path to them is broken."""
    for wanted in _PATH:
        found = [box for box in boxes if box[0] == wanted]
        if len(found) != 1:
            return []
        _, start, end = found[0]
        boxes = list(_boxes(data, start + (_FULL if wanted == b"meta" else 0), end))
    return boxes


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes that lie one behind the other; ends before the first that does not fit."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = start + size if size else end
        if stop < start + head or stop > end:
            return
        yield data[start + 4 : start + 8], start + head, stop
        start = stop
