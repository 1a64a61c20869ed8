"""Writes a GIF frame by frame, each in the smallest of several encodings that show the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import pack

from PIL import Image, ImageChops

from .canvas import SHARED, Canvas, mapped, union
from .reader import Box, Frame, Screen, Unusual
from .tables import Local, from_screen, from_shared, from_source

_SMALL = 20_000
"""Pixels: for smaller frames, which take little time, one more encoding is tried."""

_MOSTLY = 0.5
"""Of a frame's pixels: if more must be drawn, drawing all of them may take fewer bytes."""

_RATHER = 8
"""Of a frame's pixels: if one in so many must be drawn, drawing others too may take fewer bytes."""

_MOST_CODES = 4096
_CODE = 10
"""Bits: about the length of a code."""

_MIXED_ANY = b"\0" + b"\1" * 255
_DRAWN = b"\xff"
_PLAIN_RUN = re.compile(rb"\xff\0++(?=\xff)")
_ABSENT = bytes.maketrans(b"\1", b"\0")


@dataclass(frozen=True)
class Pending:
    """A frame to be written, with its number.

    `drawn` marks the pixels of `box` to draw; the screen shows the others already.
    """

    box: Box
    drawn: Image.Image
    source: Frame
    delay: int
    number: int
    disposal: int = 1

    def grown(self, box: Box) -> Pending:
        """Return the frame extended over `box`, to be cleared after it."""
        whole = union(self.box, box)
        drawn = Image.new("L", (whole[2] - whole[0], whole[3] - whole[1]))
        drawn.paste(self.drawn, (self.box[0] - whole[0], self.box[1] - whole[1]))
        return replace(self, box=whole, drawn=drawn, disposal=2)


@dataclass(frozen=True)
class _Coded:
    """One encoding of a frame's indices."""

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


def write(pending: Pending, shown: Canvas, *, alpha: bool) -> bytes:
    """Return the blocks of a frame; `shown` is the screen after it. With `alpha` one index is transparent."""
    known = shown.known(pending.box)
    if known is None or ImageChops.subtract(pending.drawn, known).getbbox() is None:
        ways = _shared_ways(shown.low.crop(pending.box), known, pending.drawn, shown.colours.every)
    else:
        ways = _local_ways(pending, shown)
    if not ways:
        raise Unusual("more colours in a frame than a table holds")
    best = min(ways, key=lambda way: way.size)
    return _blocks(pending, replace(best, transparent=best.free) if alpha and best.transparent is None else best)


def _masks(index: Image.Image, drawn: Image.Image, drawable: Image.Image | None) -> list[tuple[Image.Image, list[int]]]:
    """Return masks of the pixels to draw, each with the histogram of the drawn indices.

    The masks are: the pixels that must be drawn; these and their plain runs; and, where that costs little time, all.
    `drawable` marks the pixels that can be drawn, None if all can.
    """
    counts, pixels = index.histogram(drawn), index.width * index.height
    if sum(counts) == pixels:
        return [(drawn, counts)]
    fullest = Image.new("L", index.size, 255) if drawable is None else ImageChops.lighter(drawn, drawable)
    others = [_plain_runs(index, drawn, None if drawable is None else fullest)]
    if pixels <= _SMALL or sum(counts) > pixels * _MOSTLY or all(counts):
        others.append(fullest)
    return [(drawn, counts), *((mask, index.histogram(mask)) for mask in others)]


def _shared_ways(
    index: Image.Image, known: Image.Image | None, drawn: Image.Image, colours: list[bytes]
) -> list[_Coded]:
    """Encode the frame in the shared colours, and with a local table if its few colours lie far apart."""
    masks = _masks(index, drawn, known)
    ways = [way for mask, counts in masks if (way := _coded(index, mask, counts))]
    used = [value for value, count in enumerate(masks[0][1]) if count]
    bits, local = max(used, default=0).bit_length(), len(used).bit_length()
    if ways and _shorter_codes(bits, local, min(way.size for way in ways)) > 6 << local:
        ways += _ways_of(from_shared(index, drawn, colours))
    return ways


def _shorter_codes(bits: int, fewer: int, size: int) -> int:
    """Return how many bytes of about `size` are saved where codes begin with fewer bits."""
    codes = min(size * 8 // _CODE, _MOST_CODES)
    return (_length(bits, codes) - _length(fewer, codes)) // 8


def _length(bits: int, codes: int) -> int:
    """Return the bits of the first codes: each is as long as the highest that is known by then."""
    width, total = bits + 1, 0
    known = 1 << bits
    while codes > 0:
        count = min(codes, (1 << width) - known)
        total, codes, known, width = total + count * width, codes - count, known + count, width + 1
    return total


def _local_ways(pending: Pending, shown: Canvas) -> list[_Coded]:
    """Encode the frame with a local table; where much is drawn, or little time is lost, other pixels may be drawn."""
    box, drawn = pending.box, pending.drawn
    local = from_source(pending.source, box, drawn)
    worthwhile = drawn.width * drawn.height <= max(_SMALL, _RATHER * drawn.histogram()[255])
    if local is None or len(local.colours) == SHARED or worthwhile:
        local = from_screen(shown, box, drawn, local.colours if local else []) or local
    return _ways_of(local) if local else []


def _ways_of(local: Local) -> list[_Coded]:
    gaps = local.drawable.getextrema() != (255, 255)
    table = _table([*local.colours, bytes(3)] if gaps and len(local.colours) < SHARED else local.colours)[1]
    if local.drawable is local.drawn:
        masks = [(local.drawn, local.index.histogram(local.drawn))]
    else:
        masks = _masks(local.index, local.drawn, local.drawable)
    return [way for mask, counts in masks if (way := _coded(local.index, mask, counts, table))]


def _plain_runs(index: Image.Image, drawn: Image.Image, fullest: Image.Image | None) -> Image.Image:
    """Return the mask that also draws unchanged pixels where a run of them has one colour.

    Such a run is likely to be in the code table already; a run of several colours is longer as a transparent one.
    """
    values, before = index.tobytes(), drawn.tobytes()[:-1]
    turns = ImageChops.difference(index, Image.frombytes("L", index.size, values[:1] + values[:-1]))
    mixed = ImageChops.subtract(turns, Image.frombytes("L", index.size, _DRAWN + before))
    if fullest is not None:
        mixed = ImageChops.lighter(mixed, ImageChops.invert(fullest))
    mixed = mapped(mixed, _MIXED_ANY)
    marks = _DRAWN + ImageChops.lighter(mixed, drawn).tobytes() + _DRAWN
    mask = _PLAIN_RUN.sub(lambda run: _DRAWN * len(run[0]), marks).translate(_ABSENT)
    return Image.frombytes("L", index.size, mask[1:-1])


def _coded(index: Image.Image, mask: Image.Image, counts: Sequence[int], table: bytes = b"") -> _Coded | None:
    """Return the frame with the pixels of `mask` drawn; the transparent index is the lowest free one: short codes.

    `counts` says how often each index is drawn.
    """
    highest = max((value for value in range(256) if counts[value]), default=0)
    free = next((value for value in range(256) if not counts[value]), None)
    transparent = None
    if sum(counts) < index.width * index.height:
        transparent = free
        if transparent is None:
            return None
        highest = max(highest, transparent)
        plain, index = index, Image.new("L", index.size, transparent)
        index.paste(plain, None, mask)
    return _Coded(_lzw(index, max(2, highest.bit_length())), transparent, table, free)


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
