"""Local colour tables: the colours that a frame must draw, and those of the screen that fit beside them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyvips
from PIL import Image, ImageChops

from .canvas import UNNUMBERED, Canvas, mapped
from .reader import Box, Unusual

_MOST = 256

Counts = Mapping[int, int]
"""How many pixels have a colour, by its number."""


@dataclass(frozen=True)
class Local:
    """A frame in a table of its own: the numbers of its colours, the indices, and the pixels that they can draw."""

    numbers: Sequence[int]
    index: Image.Image
    drawable: Image.Image

    def table(self, colours: Sequence[bytes]) -> list[bytes]:
        """Return the colours of the table; `colours` are those of all numbers."""
        return [colours[number] for number in self.numbers]


def from_shared(index: Image.Image, drawn: Image.Image, known: Image.Image | None) -> Local | None:
    """Return a local table for a frame in shared colours; `known` marks the pixels that have one, None if all have."""
    counts, others = (_present(index.histogram(mask)) for mask in (drawn, _others(drawn, known)))
    numbers = _numbers(counts, others, pixels=drawn.width * drawn.height)
    if numbers is None:
        return None
    table, held = bytearray(256), bytearray(256)
    for place, number in enumerate(numbers):
        table[number], held[number] = place, 255
    drawable = mapped(index, bytes(held))
    return Local(numbers, mapped(index, bytes(table)), drawable if known is None else ImageChops.darker(drawable, known))


def from_screen(shown: Canvas, box: Box, drawn: Image.Image, colours: int) -> Local | None:
    """Return a local table for the part of the screen in `box`, of which `drawn` must be drawn.

    `colours` is how many there are in all. Raises `Unusual` where a colour to be drawn has no number.
    """
    assert shown.high is not None
    low, high = shown.low.crop(box), shown.high.crop(box)
    opaque = None if shown.opaque.full else shown.opaque.crop(box)
    counts, others = (_count(low, high, mask, colours) for mask in (drawn, _others(drawn, opaque)))
    if sum(counts.values()) < drawn.histogram()[255]:
        raise Unusual("more colours than can be numbered")
    numbers = _numbers(counts, others, pixels=drawn.width * drawn.height)
    if numbers is None:
        return None
    table = bytearray(2 << 16)
    for place, number in enumerate(numbers):
        table[2 * number], table[2 * number + 1] = place, 255
    lut = pyvips.Image.new_from_memory(bytes(table), 1 << 16, 1, 2, "uchar")
    found = _numbered(low, high).maplut(lut).write_to_memory()
    index, drawable = Image.frombytes("LA", low.size, found).split()
    return Local(numbers, index, drawable if opaque is None else ImageChops.darker(drawable, opaque))


def _others(drawn: Image.Image, known: Image.Image | None) -> Image.Image:
    """Return a mask of the pixels that may be drawn and need not be."""
    return ImageChops.invert(drawn) if known is None else ImageChops.subtract(known, drawn)


def _numbered(low: Image.Image, high: Image.Image) -> pyvips.Image:
    planes = (low, high) if sys.byteorder == "little" else (high, low)
    return pyvips.Image.new_from_memory(Image.merge("LA", planes).tobytes(), *low.size, 1, "ushort")


def _count(low: Image.Image, high: Image.Image, mask: Image.Image, colours: int) -> Counts:
    """Count the numbered colours where `mask` is set: elsewhere pixels get a number that none has."""
    unset = ImageChops.invert(mask)
    found = _numbered(ImageChops.lighter(low, unset), ImageChops.lighter(high, unset)).hist_find().write_to_memory()
    return _present(memoryview(found).cast("I")[: min(colours, UNNUMBERED)].tolist())


def _present(counts: Sequence[int]) -> Counts:
    return {number: count for number, count in enumerate(counts) if count}


def _numbers(drawn: Counts, others: Counts, *, pixels: int) -> list[int] | None:
    """Return the colours of a table, those first that must be drawn; None if it can't hold them.

    What is left of the table, whose size is a power of two, takes the most frequent other colours. One place is left
    where those do not fit, and where some of all pixels can't be drawn: such pixels stay as they are.
    """
    ordered = sorted(drawn, key=lambda number: (-drawn[number], number))
    more = sorted(others.keys() - drawn.keys(), key=lambda number: (-others[number], number))
    gaps = sum(drawn.values()) + sum(others.values()) < pixels
    room = 1 << max(1, (len(ordered) + (gaps or bool(more)) - 1).bit_length())
    if room > _MOST:
        return None
    return ordered + (more if len(ordered) + len(more) + gaps <= room else more[: room - len(ordered) - 1])
