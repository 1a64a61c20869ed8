"""Reads from a VP8 header the quality that a lossy WebP was encoded with (RFC 6386, sections 7 and 9)."""

from __future__ import annotations

from statistics import fmean

from ...core.model import Format
from ...image.containers import parts


def estimated_quality(data: bytes) -> float | None:
    """Return libwebp's quality for the first frame's mean quantizer, None where there is no lossy frame."""
    frame = _first_frame(data)
    if len(frame) < 12 or frame[0] & 1:
        return None
    compression = (1 - min(127, max(0, fmean(_quantizers(frame[10:])))) / 127) ** 3
    return 100 * (1.5 * compression if compression < 0.5 else (compression + 1) / 2)


def _first_frame(data: bytes) -> bytes:
    for part in parts(data, Format.WEBP):
        if part.kind == "VP8 ":
            return data[part.body : part.body_end]
        if part.kind == "ANMF":
            start = data.find(b"VP8 ", part.body + 16, part.body_end)
            return data[start + 8 : part.body_end] if start >= 0 else b""
    return b""


def _quantizers(header: bytes) -> list[int]:
    """Return the quantizer of each segment, or the only one."""
    read = _BoolDecoder(header)
    read.bits(2)
    absolute, segments = _segments(read) if read.bits(1) else (False, [0])
    read.bits(10)
    if read.bits(1) and read.bits(1):
        for _ in range(8):
            read.signed(6)
    read.bits(2)
    base = read.bits(7)
    return [segment if absolute else base + segment for segment in segments]


def _segments(read: _BoolDecoder) -> tuple[bool, list[int]]:
    """Return whether the segments' quantizers are absolute, and those quantizers."""
    update_map, update_data = read.bits(1), read.bits(1)
    absolute, segments = False, [0]
    if update_data:
        absolute = bool(read.bits(1))
        segments = [read.signed(7) for _ in range(4)]
        for _ in range(4):
            read.signed(6)
    if update_map:
        for _ in range(3):
            read.bits(8 * read.bits(1))
    return absolute, segments


class _BoolDecoder:
    """The arithmetic decoder of section 7 for bits of even probability; reads zeros after the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._next = 2
        self._value = int.from_bytes(data[:2], "big")
        self._range = 255
        self._shifted = 0

    def bits(self, count: int) -> int:
        """Read an unsigned number."""
        number = 0
        for _ in range(count):
            number = number << 1 | self._bit()
        return number

    def signed(self, count: int) -> int:
        """Read an optional number followed by its sign; 0 if its flag is not set."""
        if not self.bits(1):
            return 0
        number = self.bits(count)
        return -number if self.bits(1) else number

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._shift()
        return bit

    def _shift(self) -> None:
        self._value <<= 1
        self._range <<= 1
        self._shifted += 1
        if self._shifted == 8:
            self._shifted = 0
            self._value |= self._data[self._next] if self._next < len(self._data) else 0
            self._next += 1
