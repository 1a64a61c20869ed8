"""Merges near colours of a GIF, the same ones in all frames: fewer colours make longer repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import accumulate, product

from .canvas import mapped
from .reader import Frame

_MOST_COLOURS = 8192
"""Finding the neighbours of more takes long."""

_SIDE = 512
"""Cells along a channel: more than there can be, so that a cell's neighbours have numbers of their own."""

_AROUND = tuple((red * _SIDE + green) * _SIDE + blue for red, green, blue in product((-1, 0, 1), repeat=3))


def counted(frames: Iterable[Frame]) -> Counter[bytes]:
    """Return how many pixels have each colour in all stored frames, those that are left transparent not counted."""
    counts: Counter[bytes] = Counter()
    for frame in frames:
        for value, count in enumerate(frame.index.histogram()):
            if count and value != frame.transparent:
                counts[frame.colours[value]] += count
    return counts


def merged(counts: Mapping[bytes, int], most: int) -> dict[bytes, bytes]:
    """Return what becomes of the colours that do not stay: a more frequent one, each channel of which is within `most`.

    Those that stay differ by more than `most` from each other, so that none is ever merged again.
    """
    return dict(_merged(counts, most))


def mergeable(counts: Mapping[bytes, int], most: int, pixels: int) -> bool:
    """Tell whether at least so many pixels would change their colour."""
    if len(counts) > _MOST_COLOURS:
        return False
    found = accumulate(counts[colour] for colour, _ in _merged(counts, most))
    return any(count >= pixels for count in found)


def _merged(counts: Mapping[bytes, int], most: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield each colour that does not stay, and the nearest of those that do."""
    kept: dict[int, list[bytes]] = {}
    for colour in sorted(counts, key=lambda colour: (-counts[colour], colour)):
        red, green, blue = (value // (most + 1) for value in colour)
        cell = (red * _SIDE + green) * _SIDE + blue
        near = [other for step in _AROUND for other in kept.get(cell + step, ())]
        nearest = min(near, key=partial(distance, colour), default=colour)
        if near and distance(colour, nearest) <= most:
            yield colour, nearest
        else:
            kept.setdefault(cell, []).append(colour)


def distance(one: bytes, other: bytes) -> int:
    """Return the largest difference of a channel."""
    return max(abs(one[0] - other[0]), abs(one[1] - other[1]), abs(one[2] - other[2]))


def merging(frames: Iterable[Frame], moved: Mapping[bytes, bytes]) -> Iterator[Frame]:
    """Return the frames with the colours that `moved` names replaced; each has one index."""
    last: tuple[list[bytes], int | None, list[bytes], bytes] | None = None
    for frame in frames:
        if last is None or last[:2] != (frame.colours, frame.transparent):
            last = frame.colours, frame.transparent, *_table(frame, moved)
        yield replace(frame, colours=last[2], index=mapped(frame.index, last[3]))


def _table(frame: Frame, moved: Mapping[bytes, bytes]) -> tuple[list[bytes], bytes]:
    """Return the colours of the frame, and the index that each of its indices becomes."""
    colours = [moved.get(colour, colour) for colour in frame.colours]
    first: dict[bytes, int] = {}
    table = bytearray(range(256))
    for value, colour in enumerate(colours):
        if value != frame.transparent:
            table[value] = first.setdefault(colour, value)
    return colours, bytes(table)
