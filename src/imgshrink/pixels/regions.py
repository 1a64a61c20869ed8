"""Boxes around what is marked in an image: few of them, and little else in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from .structure import ALIGNED, MARGIN, Box

APART = 4
"""Squares without a mark between two boxes, twice the margin of a box: so no window lies in both."""

_BOX = 600
"""Squares whose pixels take as long as a box more does."""

assert APART * ALIGNED >= 2 * MARGIN

_Cut = tuple[int, int, int, int]

_RUN = re.compile(rb"[^\0]+")


class Marks:
    """Marked squares of an image, `ALIGNED` pixels wide: `rows` has a bit for each, the leftmost is the lowest."""

    def __init__(self, rows: int) -> None:
        self.rows = [0] * rows

    def add_windows(self, windows: bytes, width: int, cell: int) -> None:
        """Mark all squares that the windows reach whose byte is not 0.

        `width` windows lie in a row; window (x, y) reaches one cell of `cell` pixels to either side of the corner of
        cell (x, y).
        """
        if windows.count(0) == len(windows):
            return
        for row in range(len(windows) // width):
            mask = 0
            for run in _RUN.finditer(windows, row * width, (row + 1) * width):
                start, end = ((place - row * width) * cell for place in run.span())
                mask |= _bits(max(0, start - cell) // ALIGNED, -(-end // ALIGNED))
            if mask:
                self._add(mask, max(0, row - 1) * cell // ALIGNED, -(-(row + 1) * cell // ALIGNED))

    def _add(self, mask: int, top: int, bottom: int) -> None:
        for row in range(top, min(bottom, len(self.rows))):
            self.rows[row] |= mask

    def boxes(self) -> Iterator[Box]:
        """Yield boxes around all marks, in pixels from the corner, each at least `APART` from every other.

        They are as many as take the least time.
        """
        for top, bottom, left, right in _cut(self.rows, 0):
            yield Box(top * ALIGNED, bottom * ALIGNED, left * ALIGNED, right * ALIGNED)


def _bits(start: int, end: int) -> int:
    return (1 << end) - (1 << start)


def _cut(rows: Sequence[int], top: int) -> list[_Cut]:
    """Cut where the widest gap is, between rows or columns, and each part again; one box where that takes less time."""
    every = 0
    for row in rows:
        every |= row
    down, across = _runs([row != 0 for row in rows]), _runs([bit == "1" for bit in reversed(f"{every:b}")])
    if not down:
        return []
    whole = top + down[0][0], top + down[-1][1], across[0][0], across[-1][1]
    (high, at), (wide, left) = _widest(down), _widest(across)
    if max(high, wide) < APART:
        return [whole]
    if high >= wide:
        parts = _cut(rows[:at], top) + _cut(rows[at:], top + at)
    else:
        mask = _bits(0, left)
        parts = _cut([row & mask for row in rows], top) + _cut([row & ~mask for row in rows], top)
    return min([whole], parts, key=_cost)


def _cost(boxes: Sequence[_Cut]) -> int:
    return sum((bottom - top) * (right - left) + _BOX for top, bottom, left, right in boxes)


def _runs(marked: Sequence[bool]) -> list[tuple[int, int]]:
    """Return where runs of marks begin and end."""
    edges = [place for place, (one, other) in enumerate(pairwise([False, *marked, False])) if one != other]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _widest(runs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the size of the widest gap between runs, and where it ends."""
    return max(((after[0] - before[1], after[0]) for before, after in pairwise(runs)), default=(0, 0))
