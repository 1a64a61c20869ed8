"""Tells in little time that two parts of images differ harmlessly, by operations on 8-bit samples. Loads Pillow.

Its numbers are bounds of those that `changes` computes in floats: each rounding counts against the images. With e the
difference by light, samples hold 128 + 4 e; variances are told from means of those and of their squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor

from PIL import Image, ImageChops

from ..structure import CELL
from .cells import extended, reduced
from .halves import Tests, halves_pass

_ZERO = 128
_STEPS = 4
"""Of a level."""

_MOST = 31
"""Levels: 4 e fits into a sample."""

_MODES = {3: "RGB", 4: "RGBA"}
_OPAQUE = (255, 255)
_BLOCK = 8
_ROUNDED = 2.5
"""Levels by which means of blocks that are rounded twice may differ more than the mean of the difference, rounded."""

_UNITS = 60
"""Of a variance that is just allowed: those of the square of a sample end at four times that."""

Part = tuple[int, int, int, int]
"""Left, top, right and bottom."""


@dataclass(frozen=True)
class Bounds:
    """What differences are allowed whatever the images are, and the largest values of some tests with their divisors.

    `level` is of means of blocks; the variances are those in windows of 8 x 8 pixels, and of 8 x 8 and 16 x 16 pixels
    of the halved images; `tests` are those of these.
    """

    level: float
    full: float
    halved: float
    coarse: float
    tests: Tests


def slight(pixels: Sequence[bytes], bands: int, width: int, part: Part, bounds: Bounds) -> int:
    """Return the largest difference of a sample in a part of two images if no test can fail there, else -1.

    `pixels` are the rows of both, 8-bit sRGB; the part must be opaque.
    """
    original, candidate = (_opaque(rows, bands, width, part) for rows in pixels)
    if original is None or candidate is None:
        return -1
    added = ImageChops.subtract(original, candidate, 1, _ZERO)
    most = _largest(added)
    rounded = most <= floor(bounds.level) or _largest(reduced(added, _BLOCK)) + _ROUNDED <= bounds.level
    if most > _MOST or not rounded:
        return -1
    if most**2 <= min(bounds.full, bounds.halved, bounds.coarse):
        return most
    red, green, blue = added.split()
    light = ImageChops.add(ImageChops.add(red, blue, 1, -_ZERO), ImageChops.add(green, green, 1, -_ZERO), 1, -_ZERO)
    if most**2 > bounds.full and not _below(light, CELL, [bounds.full]):
        return -1
    if _below(reduced(light, 2), CELL // 2, [bounds.halved, bounds.coarse], rounded=0.5):
        return most
    return most if halves_pass(original, candidate, bounds.tests) else -1


def _largest(added: Image.Image) -> int:
    """Return the largest difference of a sample."""
    extrema = (channel.getextrema() for channel in added.split())
    return max(max(int(high) - _ZERO, _ZERO - int(low)) for low, high in extrema)  # type: ignore[arg-type]  # one band


def _opaque(rows: bytes, bands: int, width: int, part: Part) -> Image.Image | None:
    """Return a part of an image without its alpha channel, None where that is not opaque."""
    mode = _MODES.get(bands)
    if mode is None:
        return None
    image = Image.frombuffer(mode, (width, len(rows) // width // bands), rows, "raw", mode, 0, 1).crop(part)
    if bands == len("RGB"):
        return image
    return image.convert("RGB") if image.getchannel("A").getextrema() == _OPAQUE else None


def _below(light: Image.Image, cell: int, limits: Sequence[float], rounded: float = 0) -> bool:
    """Tell whether the variances in all windows of 2 x 2 cells are allowed; with two limits, twice as large cells too.

    `rounded` is by how much samples may be wrong.
    """
    scale = _UNITS / min(limits)
    squares = light.point(_squares(scale, rounded))
    if squares.getextrema()[1] == 255:  # it may be more
        return False
    means, lost = reduced(light, cell), rounded + 0.5
    squares, missing = reduced(squares, cell), 0.5
    for number, limit in enumerate(limits):
        if number:
            means, squares = reduced(means, 2), reduced(squares, 2)
            lost, missing = lost + 0.5, missing + 0.5
        explained = _windows(means).point(_explained(scale, lost))
        unexplained = ImageChops.subtract(_windows(squares), explained).getextrema()[1]
        if int(unexplained) + missing + 1 > limit * scale:  # type: ignore[arg-type]  # one band: a pair of numbers
            return False
    return True


@cache
def _squares(scale: float, rounded: float) -> list[int]:
    """Return the squares of what samples stand for, at least."""
    return [min(255, ceil(((abs(value - _ZERO) + rounded) / _STEPS) ** 2 * scale)) for value in range(256)]


@cache
def _explained(scale: float, lost: float) -> list[int]:
    """Return the squares of means over windows, at most: those are wrong by `lost`, and too small by up to 1."""
    least = (max(0.0, value - _ZERO - lost, _ZERO - value - lost - 1) for value in range(256))
    return [min(255, floor((value / _STEPS) ** 2 * scale)) for value in least]


def _windows(cells: Image.Image) -> Image.Image:
    """Return the means of all windows of 2 x 2 cells, at most 1 too small; cells beyond the edge are as those at it."""
    width, height = cells.size
    around = extended(cells, 1, 1, width + 2, height + 2)
    across = ImageChops.add(around.crop((0, 0, width + 1, height + 2)), around.crop((1, 0, width + 2, height + 2)), 2)
    return ImageChops.add(across.crop((0, 0, width + 1, height + 1)), across.crop((0, 1, width + 1, height + 2)), 2)
