"""Local tests of structure: what changes text, lines, sharpness, position or colour in one place of an image.

Both images are cut into overlapping windows. Each test gives a window a number, zero where nothing changed. A place
that is wrong lies in several overlapping windows, so a test counts its second or fourth largest window, which leaves
out single honest outliers. How large a number may be is in `tolerance`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import pyvips

from .difference import Place

MARGIN = 32
"""Rows above a strip that its windows reach: a multiple of `ALIGNED`, at least three cells of eight pixels."""
ALIGNED = 16
"""Strips begin at a multiple of this many rows, so that cells lie on one grid over the whole image."""

RANK: Mapping[str, int] = MappingProxyType(
    {"lost": 4, "fine": 4, "faint": 4, "coarse": 2, "brightness": 1, "colour": 1}
)
"""Which window counts for each test, by size."""

CELL = 4
"""Pixels along the side of a cell of the finest tests."""
_BLOCK = 8
_YCC = pyvips.Image.new_from_array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
_FOUR = pyvips.Image.new_from_array([[1] * 4] * 4, scale=16)
_TWO = pyvips.Image.new_from_array([[1, 1], [1, 1]], scale=4)
_LIGHT = [0.25, 0.5, 0.25]
# Instead of luma: red and blue text count for more, and sums of squares of these are exact in floats.
_LESS = [-share for share in _LIGHT]
_LIGHTS = pyvips.Image.new_from_array([[*_LIGHT, 0, 0, 0], [0, 0, 0, *_LIGHT], [*_LIGHT, *_LESS]])
_ADDED = pyvips.Image.new_from_array([_LIGHT])


@dataclass(frozen=True)
class Box:
    """Rows and columns from the first to before the end; the first ones are multiples of `ALIGNED`."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Strip:
    """The same part of both images, 8-bit sRGB without alpha.

    `top` and `x` are the image's row and column at which it begins; the first `margin` rows and `side` columns belong
    to its neighbours. `last` and `rightmost` say whether it reaches the image's last row and column.
    """

    left: pyvips.Image
    right: pyvips.Image
    top: int
    margin: int
    last: bool
    x: int = 0
    side: int = 0
    rightmost: bool = True

    @property
    def sides(self) -> tuple[pyvips.Image, pyvips.Image]:
        """Both images."""
        return self.left, self.right

    def around(self, box: Box) -> Strip:
        """Return the part of a strip of whole rows in which every window is tested that reaches a box."""
        width, height = self.left.width, self.left.height
        top, bottom = max(0, max(self.margin, box.top) - MARGIN), min(height, box.bottom + MARGIN)
        start, stop = max(0, box.left - MARGIN), min(width, box.right + MARGIN)
        if (top, bottom, start, stop) == (0, height, 0, width):
            return self
        left, right = (image.crop(start, top, stop - start, bottom - top) for image in self.sides)
        return Strip(
            left,
            right,
            self.top + top,
            MARGIN if top else self.margin,
            self.last and bottom == height,
            start,
            MARGIN if start else 0,
            stop == width,
        )

    def in_memory(self) -> Strip:
        """Return the same with both images in memory."""
        return replace(self, left=self.left.copy_memory(), right=self.right.copy_memory())

    @cached_property
    def added(self) -> pyvips.Image:
        """What the left image has more than the right, sample by sample."""
        return (self.left - self.right).copy_memory()

    @cached_property
    def original_light(self) -> pyvips.Image:
        """The light of the left image, as in `added_light`."""
        return self.left.recomb(_ADDED).copy_memory()

    @cached_property
    def most(self) -> float:
        """The largest difference of a sample."""
        return float(self.added.abs().max())

    @cached_property
    def blocks(self) -> tuple[pyvips.Image, pyvips.Image]:
        """Both images shrunk eight times."""
        left, right = (image.shrink(_BLOCK, _BLOCK, ceil=True).copy_memory() for image in self.sides)
        return left, right


def worst_windows(strip: Strip) -> dict[str, list[Place]]:
    """Return the largest windows of the tests of detail, largest first, of all that end in the strip."""
    return {name: _largest(values, RANK[name], grid, strip) for name, values, grid in _details_of(strip)}


def worst_areas(strip: Strip) -> dict[str, list[Place]]:
    """Return what `worst_windows` does of the tests of brightness and colour, which take little time."""
    return {name: _largest(values, RANK[name], grid, strip) for name, values, grid in _areas_of(strip)}


def merged(one: Mapping[str, list[Place]], other: Mapping[str, list[Place]]) -> dict[str, list[Place]]:
    """Return the largest windows of each test of two parts of an image."""
    return {name: heapq.nlargest(RANK[name], one.get(name, []) + other.get(name, [])) for name in RANK}


@dataclass(frozen=True)
class _Grid:
    """Which windows of a strip count: of `side` x `side` cells of `cell` pixels, one at every cell.

    The first window of a row is number `left`, the first row of windows number `top`; window (x, y) covers the cells
    from (x - side // 2, y - side // 2) on, so its centre is the corner of cell (x, y).
    """

    cell: int
    left: int
    top: int
    width: int
    height: int

    def cut(self, windows: pyvips.Image) -> pyvips.Image:
        """Leave out the windows that do not count."""
        return windows.crop(self.left, self.top, self.width, self.height)


def _pairs_of_cells(cells: pyvips.Image, strip: Strip, cell: int) -> _Grid:
    """Return the windows of 2 x 2 cells; those at the edge repeat its cells, so that each cell lies in four windows."""
    left, top = strip.side // cell, strip.margin // cell
    return _Grid(cell, left, top, cells.width + strip.rightmost - left, cells.height + strip.last - top)


def _areas(cells: pyvips.Image, strip: Strip, cell: int) -> _Grid:
    """Return the windows of 4 x 4 cells that lie wholly in the image, or the middle one where it is smaller."""
    left = strip.side // cell - 1 if strip.side else min(2, cells.width // 2)
    top = strip.margin // cell - 1 if strip.margin else min(2, cells.height // 2)
    return _Grid(cell, left, top, max(1, cells.width - 1 - left), max(1, cells.height - 1 - top))


def _largest(windows: pyvips.Image, count: int, grid: _Grid, strip: Strip) -> list[Place]:
    _, found = windows.max(size=count, out_array=True, x_array=True, y_array=True)
    columns, rows = found["x_array"], found["y_array"]
    places = (
        Place(value, strip.x + (grid.left + x) * grid.cell, strip.top + (grid.top + y) * grid.cell)
        for value, x, y in zip(found["out_array"], columns, rows, strict=True)
    )
    return sorted(places, reverse=True)


def _details_of(strip: Strip) -> Iterator[tuple[str, pyvips.Image, _Grid]]:
    """Yield for each test its name, the values of its windows, and which windows they are.

    `lost` is the variance of the original that the candidate does not explain, in windows of 8 x 8 pixels. `faint` is
    the same on the halved images, where the noise of JPEG and of dithering has gone and strokes have not. `fine` and
    `coarse` are the variance of the difference, in windows of 8 x 8 and of 16 x 16 pixels of the halved images.
    """
    lights = strip.left.bandjoin(strip.right).recomb(_LIGHTS).copy_memory()
    cells = _cells(lights, CELL)
    grid = _pairs_of_cells(cells, strip, CELL)
    va, vb, added = _variances(cells, grid)
    yield "lost", _lost(va, vb, added) / (va + 200), grid
    cells = _cells(halved(lights), CELL // 2)
    grid = _pairs_of_cells(cells, strip, CELL)
    va, vb, added = _variances(cells, grid)
    yield "fine", added / (va.maxpair(vb) + 400), grid
    yield "faint", _lost(va, vb, added) / (va + 100), grid
    cells = halved(cells)
    grid = _pairs_of_cells(cells, strip, _BLOCK)
    va, vb, added = _variances(cells, grid)
    yield "coarse", added / (va.maxpair(vb) + 50), grid


def _areas_of(strip: Strip) -> Iterator[tuple[str, pyvips.Image, _Grid]]:
    """Yield the same of `brightness` and `colour`: the differences of luma and chroma between means of 32 x 32."""
    left, right = strip.blocks
    off = (left.cast("short") - right).recomb(_YCC)
    grid = _areas(off, strip, _BLOCK)
    light, blue, red = grid.cut(off.conv(_FOUR, precision="float")).copy_memory().bandsplit()
    yield "brightness", light.abs(), grid
    yield "colour", (blue * blue + red * red) ** 0.5, grid


def added_light(strip: Strip) -> pyvips.Image:
    """Return the difference of both images by light: (R + 2 G + B) / 4."""
    return strip.added.recomb(_ADDED).copy_memory()


def halved(image: pyvips.Image) -> pyvips.Image:
    """Return the means of 2 x 2 pixels, of floats: libvips rounds those of integers."""
    return image.shrink(2, 2, ceil=True).copy_memory()


def _cells(lights: pyvips.Image, side: int) -> pyvips.Image:
    """Return the means over cells of both lights and of their difference, then those of their squares."""
    return lights.bandjoin(lights * lights).shrink(side, side, ceil=True).copy_memory()


def pairs_of(cells: pyvips.Image) -> pyvips.Image:
    """Return the means over all windows of 2 x 2 cells, one more across and down than there are cells."""
    return cells.embed(0, 0, cells.width + 1, cells.height + 1, extend="copy").conv(_TWO, precision="float")


def _variances(cells: pyvips.Image, grid: _Grid) -> list[pyvips.Image]:
    """Return the variances of either image and of their difference in windows of 2 x 2 cells."""
    windows = grid.cut(pairs_of(cells)).copy_memory()
    means = windows.extract_band(0, n=3)
    variances = (windows.extract_band(3, n=3) - means * means).copy_memory()
    return [variances[band] for band in range(3)]


def _lost(va: pyvips.Image, vb: pyvips.Image, added: pyvips.Image) -> pyvips.Image:
    """Return the variance of the first image that no rising straight line through the second explains.

    What is dark in one and bright in the other counts twice.
    """
    both = (va + vb - added) * 0.5
    return va - both * both.abs() / (vb + 1)
