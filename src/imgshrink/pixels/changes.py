"""Where two images are to be tested: where they differ, are not both what they were, and differ by enough to fail.

A difference is harmless where no window can fail a test of structure, told from the difference alone. With a the
original, e what was added to it, and K the constant below a test's fraction, for the variances in one window:

- `fine` and `coarse` are at most var(e) / K.
- `lost` and `faint` are at most the larger of 4 var(e) / (4 var(e) + K) and 4 (var(e) + 1) / (sqrt(K) + 2)^2, while
  var(e) is at most K / 2. The covariance is at least var(a) - sd(a) sd(e), the variance of the candidate at least
  (sd(a) - sd(e))^2, and what the candidate does not explain at most var(a) (var(e) + 1) / (that variance + 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import pyvips

from .structure import ALIGNED, CELL, MARGIN, Box, Strip, light

Pixels = tuple[bytes, bytes]
"""The samples of the same rows of both images, row by row."""

_CHUNK = 4 * ALIGNED
"""Columns that are compared at once."""

_NEAR = 8 * MARGIN
"""Rows between boxes that are tested too: a box more takes longer than they do."""

_ROUNDED = 0.5
"""By how much halving, which rounds each image to whole numbers, may change a sample of the difference."""

_FOUR = pyvips.Image.new_from_array([[1, 1], [1, 1]], scale=4)
_DIVISORS: Mapping[str, float] = {"lost": 200, "faint": 100, "fine": 400, "coarse": 50}


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
        (left, right)
        for left, right in chunks
        if any(_changed(pixels, before, row + left, row + right) for row in rows)
    )


def _changed(pixels: Pixels, before: Pixels, start: int, end: int) -> bool:
    return any(one[start:end] != other[start:end] for one, other in zip(pixels, before, strict=True))


@dataclass(frozen=True)
class Harmless:
    """The largest variances of a difference, in units of samples, that pass every test at certain limits.

    `full` counts in windows of 8 x 8 pixels, `halved` in the same windows of the halved images, `coarse` in windows of
    16 x 16 pixels.
    """

    full: float
    halved: float
    coarse: float

    @classmethod
    def within(cls, limits: Mapping[str, float]) -> Harmless:
        """Return what passes the limits of `tolerance.structure_limits`."""
        lost, faint = (_unexplained(limits[name], _DIVISORS[name]) for name in ("lost", "faint"))
        fine, coarse = (limits[name] * _DIVISORS[name] for name in ("fine", "coarse"))
        return cls(lost, _rounded(min(faint, fine)), _rounded(coarse))

    def exceeded(self, strip: Strip, box: Box) -> Box | None:
        """Return a box in `box` around all windows that may fail a test, None if there are none."""
        part = strip.around(box)
        across, down = part.x - strip.x, part.top - strip.top
        reached = [span for windows, cell in self._exceeding(part) for span in _marked(windows, cell)]
        if not reached:
            return None
        found = Box(
            max(box.top, (min(span.top for span in reached) + down) // ALIGNED * ALIGNED),
            min(box.bottom, max(span.bottom for span in reached) + down),
            max(box.left, (min(span.left for span in reached) + across) // ALIGNED * ALIGNED),
            min(box.right, max(span.right for span in reached) + across),
        )
        return found if found.top < found.bottom and found.left < found.right else None

    def _exceeding(self, part: Strip) -> Iterator[tuple[pyvips.Image, int]]:
        """Yield maps of the windows that exceed the variances, above 0 where they do, and the size of their cells."""
        one, other = (light(side) for side in part.sides)
        added = ((one.cast("short") - other).cast("float") * 0.25).copy_memory()
        halved = _shrunk(added, 2)
        cells = _shrunk(halved, 2), _shrunk(halved * halved, 2)
        yield _variance(_shrunk(added, CELL), _shrunk(added * added, CELL)) > self.full, CELL
        yield _variance(*cells) > self.halved, CELL
        yield _variance(*(_shrunk(cell, 2) for cell in cells)) > self.coarse, 2 * CELL


def _shrunk(image: pyvips.Image, times: int) -> pyvips.Image:
    return image.shrink(times, times, ceil=True).copy_memory()


def _variance(means: pyvips.Image, squares: pyvips.Image) -> pyvips.Image:
    """Return the variance in all windows of 2 x 2 cells: window (x, y) ends with cell (x, y), as in `structure`."""
    joined = means.bandjoin(squares)
    windows = joined.embed(0, 0, joined.width + 1, joined.height + 1, extend="copy").conv(_FOUR, precision="float")
    mean, square = windows.copy_memory().bandsplit()
    return square - mean * mean


def _unexplained(limit: float, divisor: float) -> float:
    small = limit * divisor / (4 * max(1 - limit, 0.01))
    return max(0.0, min(small, limit * (sqrt(divisor) + 2) ** 2 / 4 - 1, divisor / 2))


def _rounded(most: float) -> float:
    return max(0.0, sqrt(most) - _ROUNDED) ** 2


def _marked(windows: pyvips.Image, cell: int) -> Iterator[Box]:
    """Yield the box around the pixels of the windows that are set, if any are; each reaches a cell to either side."""
    marks, width = bytes(windows.write_to_memory()), windows.width
    if not any(marks):
        return
    lines = [(row, marks[row * width : (row + 1) * width]) for row in range(windows.height)]
    rows = [row for row, line in lines if any(line)]
    left = min(width - len(line.lstrip(b"\0")) for _, line in lines)
    right = max(len(line.rstrip(b"\0")) for _, line in lines)
    yield Box((rows[0] - 1) * cell, (rows[-1] + 1) * cell, (left - 1) * cell, right * cell)
