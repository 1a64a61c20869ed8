"""Where two images are to be tested: where they differ, are not both what they were, and differ by enough to fail.

A difference is harmless where no window can fail a test of structure, told from the difference alone. With a the
original, e what was added to it, and K the constant below a test's fraction, for the variances in one window:

- `brightness` is at most the largest difference of a channel between blocks, `colour` at most `_COLOUR` times that.
- `fine` and `coarse` are at most var(e) / K.
- `lost` and `faint` are at most (2 var(e) + 1) / (var(e) + 1 + K), while var(e) is at most K. With b the candidate and
  c the covariance of a and b, what b does not explain is at most var(e) + min(var(a), var(e) + 1). Where c is above 0,
  var(a) - c^2 / var(b) is the least variance that a line through b leaves, at most var(e); the 1 in the test's divisor
  adds at most var(a) / (var(b) + 1), and sd(b) is at least sd(a) - sd(e). Elsewhere var(e) is at least
  var(a) + var(b), and what is not explained at most 2 var(a). That sum over var(a) + K is largest where var(a) is
  var(e) + 1.

Where that is too much, var(a) is computed too, and the same bounds are told with it: a test's divisor is at least
var(a) + K.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pyvips

from .regions import Marks
from .slight import Bounds, Part, slight
from .slight.halves import Tests
from .structure import ALIGNED, CELL, MARGIN, Box, Strip, added_light, halved, pairs_of

Pixels = tuple[bytes, bytes]
"""The samples of the same rows of both images, row by row."""

_CHUNK = 4 * ALIGNED
"""Columns that are compared at once."""

_NEAR = 8 * MARGIN
"""Rows between boxes that are tested too: a box more takes longer than they do."""

_COLOUR = 1.07
"""The length of (Cb, Cr) where no channel is above 1: largest where red and blue are -1 and green is 1."""

_SLIGHT = 5.0
"""Levels by which all channels of two blocks, or all samples, may differ at every quality.

Blocks then differ by at most 9.6 (CIE76), of 22.9 that are allowed at least, samples by at most 5 of 5.9 on average.
"""

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
        elif span := _changed(pixels, before, range(start, end, line), edges):
            yield Box(top, bottom, span[0] * width // line, span[1] * width // line)


def _changed(pixels: Pixels, before: Pixels, rows: range, edges: list[int]) -> tuple[int, int] | None:
    """Return the first and the last of the edges between which any of the rows has changed, None if none has."""
    first, last, line = edges[-1], 0, edges[-1]
    for now, then in zip(pixels, before, strict=True):
        if now[rows.start : rows.stop] == then[rows.start : rows.stop]:
            continue
        for row in rows:
            one, other = now[row : row + line], then[row : row + line]
            if one[:first] != other[:first]:
                first = edges[_first(edges, one, other)]
            if one[last:] != other[last:]:
                last = edges[_last(edges, one, other)]
    return (first, last) if first < last else None


def _first(edges: list[int], one: bytes, other: bytes) -> int:
    """Return the number of the last edge before which two rows are equal; they differ."""
    return bisect_left(range(len(edges) - 1), True, key=lambda edge: one[: edges[edge + 1]] != other[: edges[edge + 1]])


def _last(edges: list[int], one: bytes, other: bytes) -> int:
    """Return the number of the first edge after which two rows are equal; they differ."""
    return bisect_left(range(len(edges)), True, key=lambda edge: one[edges[edge] :] == other[edges[edge] :])


@dataclass(frozen=True)
class Harmless:
    """The largest differences, in units of samples, that pass every test at certain limits.

    Of variances `full` counts in windows of 8 x 8 pixels, `halved` in the same windows of the halved images, `coarse`
    in windows of 16 x 16 pixels. Of means of blocks of 8 x 8 pixels `level` counts in each channel. `limits` are those
    of the tests.
    """

    full: float
    halved: float
    coarse: float
    level: float
    limits: Mapping[str, float]

    @classmethod
    def within(cls, limits: Mapping[str, float]) -> Harmless:
        """Return what passes the limits of `tolerance.structure_limits`."""
        lost, faint = (_unexplained(limits[name], _DIVISORS[name]) for name in ("lost", "faint"))
        fine, coarse = (limits[name] * _DIVISORS[name] for name in ("fine", "coarse"))
        level = min(limits["brightness"], limits["colour"] / _COLOUR, _SLIGHT)
        return cls(lost, min(faint, fine), coarse, level, limits)

    def bounded(self, total: float, pixels: int) -> bool:
        """Tell whether a mean difference of samples passes, of which the sum over all pixels is at most `total`."""
        return total <= _SLIGHT * pixels

    def slight(self, pixels: Pixels, like: pyvips.Image, part: Part) -> int:
        """Return the largest difference of a sample in a part that is soon told to pass all tests, else -1."""
        return slight(pixels, like.bands, like.width, part, self._bounds)

    @cached_property
    def _bounds(self) -> Bounds:
        tests = Tests(*((self.limits[name], _DIVISORS[name]) for name in ("faint", "fine", "coarse")))
        return Bounds(self.level, self.full, self.halved, self.coarse, tests)

    def levels_exceeded(self, part: Strip) -> bool:
        """Tell whether blocks may differ too much in colour, or areas in brightness or colour."""
        if part.most + 1 <= self.level:  # blocks are rounded
            return False
        one, other = part.blocks
        return bool((one - other).abs().max() > self.level)

    def exceeded(self, strip: Strip, box: Box, part: Strip) -> list[Box]:
        """Return boxes in `box` around all windows that may fail a test of detail, no window in two of them.

        `part` is what lies around the box.
        """
        across, down = part.x - strip.x, part.top - strip.top
        marks = Marks(-(-part.left.height // ALIGNED))
        for windows, cell in self._exceeding(part):
            marks.add_windows(bytes(windows.write_to_memory()), windows.width, cell)
        found = (
            Box(
                max(box.top, reached.top + down),
                min(box.bottom, reached.bottom + down),
                max(box.left, reached.left + across),
                min(box.right, reached.right + across),
            )
            for reached in marks.boxes()
        )
        return [reached for reached in found if reached.top < reached.bottom and reached.left < reached.right]

    def _exceeding(self, part: Strip) -> Iterator[tuple[pyvips.Image, int]]:
        """Yield maps of the windows that may fail a test, above 0 where they do, and the size of their cells."""
        most = part.most**2
        if most <= min(self.full, self.halved, self.coarse):
            return
        added = added_light(part)
        if most > self.full:
            yield from self._exceeding_full(part, added)
        half = halved(added)
        squares = halved(half * half)
        if squares.max() > min(self.halved, self.coarse):
            yield from self._exceeding_halved(part, halved(half), squares)

    def _exceeding_full(self, part: Strip, added: pyvips.Image) -> Iterator[tuple[pyvips.Image, int]]:
        """Yield the same of the test at full size; `added` is the difference by light."""
        squares = (added * added).shrink(CELL, CELL, ceil=True).copy_memory()
        if squares.max() <= self.full:
            return
        windows = _above(self.full, added.shrink(CELL, CELL, ceil=True), squares)
        if windows is not None:
            original = part.original_light
            va = _variance(*(image.shrink(CELL, CELL, ceil=True) for image in (original, original * original)))
            yield self._too_little(windows, va.copy_memory(), "lost"), CELL

    def _exceeding_halved(
        self, part: Strip, means: pyvips.Image, squares: pyvips.Image
    ) -> Iterator[tuple[pyvips.Image, int]]:
        """Yield the same of the halved images; `means` and `squares` are of what was added, over cells."""
        fine = _above(self.halved, means, squares)
        coarse = _above(self.coarse, halved(means), halved(squares))
        if fine is None and coarse is None:
            return
        half = halved(part.original_light)
        original = halved(half), halved(half * half)
        if fine is not None:
            va = _variance(*original).copy_memory()
            yield self._too_little(fine, va, "faint") | self._too_much(fine, va, "fine"), CELL
        if coarse is not None:
            va = _variance(*(halved(image) for image in original))
            yield self._too_much(coarse, va, "coarse"), 2 * CELL

    def _too_much(self, added: pyvips.Image, va: pyvips.Image, test: str) -> pyvips.Image:
        return added > (va + _DIVISORS[test]) * self.limits[test]

    def _too_little(self, added: pyvips.Image, va: pyvips.Image, test: str) -> pyvips.Image:
        return added + va.minpair(added + 1) > (va + _DIVISORS[test]) * self.limits[test]


def _above(most: float, means: pyvips.Image, squares: pyvips.Image) -> pyvips.Image | None:
    """Return the variances of all windows if any is above `most`."""
    windows = _variance(means, squares).copy_memory()
    return windows if windows.max() > most else None


def _variance(means: pyvips.Image, squares: pyvips.Image) -> pyvips.Image:
    """Return the variance in all windows of 2 x 2 cells: window (x, y) ends with cell (x, y), as in `structure`."""
    windows = pairs_of(means.bandjoin(squares)).copy_memory()
    return windows[1] - windows[0] * windows[0]


def _unexplained(limit: float, divisor: float) -> float:
    return max(0.0, min((limit * (1 + divisor) - 1) / (2 - limit), divisor))
