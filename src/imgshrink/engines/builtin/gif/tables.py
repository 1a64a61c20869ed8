"""Local colour tables: the colours that a frame must draw."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import compress

import pyvips
from PIL import Image, ImageChops

from .canvas import UNNUMBERED, Canvas, mapped
from .reader import Box, Frame, Unusual

_MOST = 256


@dataclass(frozen=True)
class Local:
    """A frame in a table of its own: its colours, the indices, the pixels to draw, and those that it can draw."""

    colours: list[bytes]
    index: Image.Image
    drawn: Image.Image
    drawable: Image.Image


def from_shared(index: Image.Image, drawn: Image.Image, colours: list[bytes]) -> Local:
    """Return a local table of the colours drawn, for a frame in shared `colours`."""
    used = list(compress(range(_MOST), index.histogram(drawn)))
    table = bytearray(_MOST)
    for place, value in enumerate(used):
        table[value] = place
    return Local([colours[value] for value in used], mapped(index, bytes(table)), drawn, drawn)


def from_source(source: Frame, box: Box, drawn: Image.Image) -> Local | None:
    """Return a local table of the colours drawn in `box`, None where they are not all the stored frame's."""
    left, top, right, bottom = source.box
    if box[0] < left or box[1] < top or box[2] > right or box[3] > bottom:
        return None
    part = box[0] - left, box[1] - top, box[2] - left, box[3] - top
    if ImageChops.subtract(drawn, source.drawn.crop(part)).getbbox() is not None:
        return None
    return from_shared(source.index.crop(part), drawn, source.colours)


def from_screen(shown: Canvas, box: Box, drawn: Image.Image, used: list[bytes]) -> Local | None:
    """Return a local table with the colours `used` for the screen in `box`; it can draw all pixels that have them.

    Without `used` they are those of the pixels that `drawn` marks. None is returned where a table can't hold them, or
    where one of them has no number; `Unusual` is raised where such colours are not even known.
    """
    assert shown.high is not None
    low, high = shown.low.crop(box), shown.high.crop(box)
    used = used or _used(shown, low, high, drawn)
    places = [shown.colours.number[colour] for colour in used]
    if len(places) > _MOST or UNNUMBERED in places:
        return None
    table = bytearray(2 << 16)
    for place, number in enumerate(places):
        table[2 * number], table[2 * number + 1] = place, 255
    lut = pyvips.Image.new_from_memory(bytes(table), 1 << 16, 1, 2, "uchar")
    found = numbers(low, high).maplut(lut).write_to_memory()
    index, drawable = Image.frombytes("LA", low.size, found).split()
    return Local(used, index, drawn, ImageChops.darker(drawable, shown.opaque.crop(box)))


def numbers(low: Image.Image, high: Image.Image) -> pyvips.Image:
    """Return the numbers of colours as one plane."""
    planes = (low, high) if sys.byteorder == "little" else (high, low)
    return pyvips.Image.new_from_memory(Image.merge("LA", planes).tobytes(), *low.size, 1, "ushort")


def _used(shown: Canvas, low: Image.Image, high: Image.Image, drawn: Image.Image) -> list[bytes]:
    """Return the colours of the pixels that `drawn` marks: the others get a number that none has."""
    others = ImageChops.invert(drawn)
    found = numbers(ImageChops.lighter(low, others), ImageChops.lighter(high, others)).hist_find().write_to_memory()
    counts = memoryview(found).cast("I")[:UNNUMBERED].tolist()
    if sum(counts) < drawn.histogram()[255]:
        raise Unusual("more colours than can be numbered")
    return list(compress(shown.colours.every, counts))
