"""Reads the frames of a GIF one at a time, as stored: indices into their colour tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import unpack_from

from PIL import Image

from ....core.model import Format
from ....image.containers import parts

Box = tuple[int, int, int, int]

_KEPT_EXTENSIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")


class Unusual(Exception):
    """The GIF uses a feature that the optimizer does not support; the text names it."""


@dataclass(frozen=True)
class Frame:
    """One stored frame: its box, indices and colours, its delay (1/100 s) and its disposal method."""

    box: Box
    index: Image.Image
    colours: list[bytes]
    transparent: int | None
    delay: int
    disposal: int

    @cached_property
    def drawn(self) -> Image.Image:
        """The mask of the pixels that the frame sets."""
        if self.transparent is None:
            return Image.new("L", self.index.size, 255)
        table = bytes(0 if value == self.transparent else 255 for value in range(256))
        return Image.frombytes("L", self.index.size, self.index.tobytes().translate(table))


@dataclass(frozen=True)
class Screen:
    """The properties of the whole file.

    `extensions` are the blocks to keep (loop, profile), as bytes; `pixels` are those of all frames as they are stored.
    """

    width: int
    height: int
    aspect: int
    extensions: bytes
    pixels: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


def read_screen(data: bytes) -> Screen:
    """Return the properties of the whole file."""
    width, height = unpack_from("<HH", data, 6)
    kept, pixels = [], 0
    for part in parts(data, Format.GIF):
        if part.kind == "image":
            wide, high = unpack_from("<HH", data, part.start + 5)
            pixels += wide * high
        elif part.kind == "extension:application" and data[part.start + 3 : part.start + 14] in _KEPT_EXTENSIONS:
            kept.append(data[part.start : part.end])
    return Screen(width, height, data[12], b"".join(kept), pixels)


def read_frames(data: bytes) -> Iterator[Frame]:
    """Decode the frames one after the other; raises `Unusual`, and ValueError for broken pixels."""
    shared = _table(data, 13, data[10])
    control = bytes(4)
    for part in parts(data, Format.GIF):
        if part.kind == "extension:text":
            raise Unusual("plain text blocks")
        if part.kind == "extension:graphic":
            control = data[part.start + 3 : part.start + 7]
        if part.kind == "image":
            yield _frame(data, part.start + 1, part.end, shared, control)
            control = bytes(4)


def _frame(data: bytes, start: int, end: int, shared: list[bytes], control: bytes) -> Frame:
    left, top, width, height, flags = unpack_from("<HHHHB", data, start)
    screen_width, screen_height = unpack_from("<HH", data, 6)
    if not width or not height or left + width > screen_width or top + height > screen_height:
        raise Unusual("a frame beyond the screen")
    own = _table(data, start + 9, flags)
    pixels = start + 9 + 3 * len(own)
    index = Image.frombytes("L", (width, height), data[pixels + 1 : end], "gif", data[pixels], flags >> 6 & 1)
    colours = own or shared
    highest = index.getextrema()[1]
    transparent = control[3] if control[0] & 1 else None
    if int(highest) >= len(colours) and highest != transparent:  # type: ignore[arg-type]  # one band: a pair of numbers
        raise Unusual("indices beyond the colour table")
    delay = int.from_bytes(control[1:3], "little")
    return Frame((left, top, left + width, top + height), index, colours, transparent, delay, control[0] >> 2 & 7)


def _table(data: bytes, start: int, flags: int) -> list[bytes]:
    """Return the colours of the table that `flags` describe; empty if there is none."""
    count = 2 << (flags & 7) if flags & 0x80 else 0
    return [data[at : at + 3] for at in range(start, start + 3 * count, 3)]
