"""Where two images are to be tested: where they differ, and are not both what they were in the test before."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from .structure import ALIGNED, MARGIN, Box

Pixels = tuple[bytes, bytes]
"""The samples of the same rows of both images, row by row."""

_CHUNK = 4 * ALIGNED
"""Columns that are compared at once."""

_NEAR = 8 * MARGIN
"""Rows between boxes that are tested too: a box more takes longer than they do."""


def boxes_to_test(pixels: Pixels, before: Pixels | None, width: int, height: int) -> list[Box]:
    """Return boxes around all that is to be tested, those that lie near each other joined.

    `before` are the samples of the pair that was tested last. Without them boxes are as wide as the images.
    """
    joined: list[Box] = []
    for box in _bands(pixels, before, width, height):
        last = joined[-1] if joined else None
        if last is None or box.top > last.bottom + _NEAR:
            joined.append(box)
        else:
            joined[-1] = Box(last.top, box.bottom, min(last.left, box.left), max(last.right, box.right))
    return joined


def _bands(pixels: Pixels, before: Pixels | None, width: int, height: int) -> Iterator[Box]:
    """Yield a box for each band of rows that differ and have changed: around what has changed in it."""
    line = len(pixels[0]) // height
    edges = [*range(0, line, _CHUNK * line // width), line]
    for top in range(0, height, ALIGNED):
        bottom = min(top + ALIGNED, height)
        start, end = top * line, bottom * line
        if pixels[0][start:end] == pixels[1][start:end]:
            continue
        if before is None:
            yield Box(top, bottom, 0, width)
        elif rows := [row for row in range(start, end, line) if _changed(pixels, before, row, row + line)]:
            chunks = list(pairwise(edges))
            left, right = (_first(pixels, before, rows, side) for side in (chunks, chunks[::-1]))
            yield Box(top, bottom, left[0] * width // line, right[1] * width // line)


def _first(pixels: Pixels, before: Pixels, rows: list[int], chunks: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the first chunk that has changed in any of the rows."""
    return next(
        (left, right) for left, right in chunks if any(_changed(pixels, before, row + left, row + right) for row in rows)
    )


def _changed(pixels: Pixels, before: Pixels, start: int, end: int) -> bool:
    return any(one[start:end] != other[start:end] for one, other in zip(pixels, before, strict=True))
