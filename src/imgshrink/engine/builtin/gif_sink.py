"""GIF, written: one frame at a time, each in the smallest of the ways that show the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from struct import pack

from PIL import Image, ImageChops

from .gif_canvas import Canvas, union
from .gif_source import Box, Frame, Screen, Unusual

_SMALL = 20_000
"""Pixels: of smaller frames, whose codes are few and short, one more way is tried."""

_MOSTLY = 0.5
"""Of a frame's pixels: where more must be drawn, drawing the rest too may cost less than leaving it out."""

_TABLES_WORTH = 2
"""A table of its own is tried where the frame is so many times as large as that table would be."""

_MIXED = 1
_DRAWN = b"\xff"
_PLAIN_RUN = re.compile(rb"\xff\0++(?=\xff)")
_ABSENT = bytes.maketrans(b"\1", b"\0")


@dataclass(frozen=True)
class Pending:
    """A frame to be written. `drawn` marks within `box` the pixels that must be drawn; the others are there already."""

    box: Box
    drawn: Image.Image
    source: Frame
    delay: int
    disposal: int = 1

    def grown(self, box: Box) -> Pending:
        """Return the frame over `box` too, which is cleared after it."""
        whole = union(self.box, box)
        drawn = Image.new("L", (whole[2] - whole[0], whole[3] - whole[1]))
        drawn.paste(self.drawn, (self.box[0] - whole[0], self.box[1] - whole[1]))
        return replace(self, box=whole, drawn=drawn, disposal=2)


@dataclass(frozen=True)
class _Coded:
    """A frame's indices as one way of writing them."""

    pixels: bytes
    transparent: int | None
    table: bytes
    free: int | None

    @property
    def size(self) -> int:
        return len(self.pixels) + len(self.table)


def header(screen: Screen, palette: list[bytes]) -> bytes:
    """Return the beginning of the file."""
    flags, table = _table(palette)
    return b"GIF89a" + pack("<HHBBB", screen.width, screen.height, flags, 0, screen.aspect) + table + screen.extensions


def write(frame: Pending, shown: Canvas, palette: list[bytes], *, alpha: bool) -> bytes:
    """Return the blocks of a frame; `shown` is the screen after it. With `alpha` one index is transparent.

    `palette` are the colours of the shared table.
    """
    known, index = shown.known.crop(frame.box), shown.index.crop(frame.box)
    if ImageChops.subtract(frame.drawn, known).getbbox() is None:
        ways = _shared_ways(index, known, frame.drawn, palette)
    else:
        ways = _local_ways(frame)
    if not ways:
        raise Unusual("more colours in a frame than a table holds")
    best = min(ways, key=lambda way: way.size)
    return _blocks(frame, replace(best, transparent=best.free) if alpha and best.transparent is None else best)


def _masks(index: Image.Image, drawn: Image.Image, drawable: Image.Image) -> list[Image.Image]:
    """Return what may be drawn: what must be, its neighbours in plain runs too, and where it costs little all."""
    if drawn.getextrema() == (255, 255):
        return [drawn]
    fullest = ImageChops.lighter(drawn, drawable)
    masks = [drawn, _plain_runs(index, drawn, fullest)]
    pixels = index.width * index.height
    return [*masks, fullest] if pixels <= _SMALL or drawn.histogram()[255] > pixels * _MOSTLY else masks


def _shared_ways(index: Image.Image, known: Image.Image, drawn: Image.Image, palette: list[bytes]) -> list[_Coded]:
    """Return the frame in the shared colours, and with a table of its own where its few lie far apart: short codes."""
    ways = [way for mask in _masks(index, drawn, known) if (way := _coded(index, mask)) is not None]
    used = [value for value, count in enumerate(index.histogram(drawn)) if count]
    bits = len(used).bit_length()
    table = 6 << bits
    if bits < max(used, default=0).bit_length() and all(way.size > _TABLES_WORTH * table for way in ways):
        ways += filter(None, [_compact(index, drawn, palette)])
    return ways


def _plain_runs(index: Image.Image, drawn: Image.Image, fullest: Image.Image) -> Image.Image:
    """Return the mask that also draws the pixels there already wherever a run of them has one colour.

    Such a run is likely to be in the code table already; a run of several colours is longer as a transparent one.
    """
    values, before = index.tobytes(), drawn.tobytes()[:-1]
    turns = ImageChops.difference(index, Image.frombytes("L", index.size, values[:1] + values[:-1]))
    inside = ImageChops.subtract(turns, Image.frombytes("L", index.size, _DRAWN + before))
    mixed = ImageChops.lighter(inside, ImageChops.invert(fullest)).point([0] + [_MIXED] * 255)
    marks = _DRAWN + ImageChops.lighter(mixed, drawn).tobytes() + _DRAWN
    mask = _PLAIN_RUN.sub(lambda run: _DRAWN * len(run[0]), marks).translate(_ABSENT)
    return Image.frombytes("L", index.size, mask[1:-1])


def _coded(index: Image.Image, mask: Image.Image, table: bytes = b"") -> _Coded | None:
    """Return the frame with the pixels of `mask` drawn; the transparent index is the lowest free one: short codes."""
    used = index.histogram(mask)
    highest = max((value for value in range(256) if used[value]), default=0)
    free = next((value for value in range(256) if not used[value]), None)
    transparent = None
    if mask.getextrema() != (255, 255):
        transparent = free
        if transparent is None:
            return None
        highest = max(highest, transparent)
        plain, index = index, Image.new("L", index.size, transparent)
        index.paste(plain, None, mask)
    return _Coded(_lzw(index, max(2, highest.bit_length())), transparent, table, free)


def _local_ways(frame: Pending) -> list[_Coded]:
    """Return the frame with a colour table of its own, made of the source's indices."""
    left, top = frame.source.box[:2]
    box = (frame.box[0] - left, frame.box[1] - top, frame.box[2] - left, frame.box[3] - top)
    index, known = frame.source.index.crop(box), frame.source.drawn.crop(box)
    if ImageChops.subtract(frame.drawn, known).getbbox() is not None:
        raise Unusual("more than 256 colours with restored pixels")
    masks = _masks(index, frame.drawn, known)
    return [way for mask in masks if (way := _compact(index, mask, frame.source.colours)) is not None]


def _compact(index: Image.Image, mask: Image.Image, colours: list[bytes]) -> _Coded | None:
    used = index.histogram(mask)
    order = sorted((value for value in range(256) if used[value]), key=lambda value: -used[value])
    places = {value: place for place, value in enumerate(order)}
    table = [colours[value] for value in order]
    if mask.getextrema() != (255, 255):
        table.append(bytes(3))
    if len(table) > 256:
        return None
    compact = index.point([places.get(value, 0) for value in range(256)])
    return _coded(compact, mask, _table(table)[1])


def _blocks(frame: Pending, way: _Coded) -> bytes:
    left, top, right, bottom = frame.box
    opaque = way.transparent is None
    control = b""
    if frame.delay or frame.disposal != 1 or not opaque:
        flags = frame.disposal << 2 | (not opaque)
        control = b"\x21\xf9\x04" + pack("<BHBB", flags, frame.delay, way.transparent or 0, 0)
    flags = 0x80 | (len(way.table) // 3).bit_length() - 2 if way.table else 0
    return control + b"\x2c" + pack("<HHHHB", left, top, right - left, bottom - top, flags) + way.table + way.pixels


def _lzw(index: Image.Image, bits: int) -> bytes:
    return bytes([bits]) + index.tobytes("gif", "L", bits, 0) + b"\0"


def _table(colours: list[bytes]) -> tuple[int, bytes]:
    """Return the flags of a colour table and its bytes, filled up to a power of two."""
    bits = max(1, (len(colours) - 1).bit_length())
    return 0x80 | 0x70 | bits - 1, b"".join(colours).ljust(3 << bits, b"\0")
