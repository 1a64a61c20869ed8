"""The tests of structure on the halved images, by operations of Pillow: as `structure` makes them, in less time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageMath

from .cells import extended, reduced

_NEARLY = 0.999
"""Of a limit: floats are not exact."""

_HALF_CELL = 2
_Operand = Any
"""Of Pillow, which gives its type no public name: an image in a formula."""

_Operands = dict[str, _Operand]


@dataclass(frozen=True)
class Tests:
    """The largest value of each test, and the constant in its divisor."""

    faint: tuple[float, float]
    fine: tuple[float, float]
    coarse: tuple[float, float]


def halves_pass(original: Image.Image, candidate: Image.Image, tests: Tests) -> bool:
    """Tell whether every window of two images in RGB passes the tests `faint`, `fine` and `coarse`."""
    one, other = (_half_light(image) for image in (original, candidate))
    added = _made(lambda of: of["a"] - of["b"], a=one, b=other)
    fine, coarse = zip(*(_variances(image) for image in (one, other, added)), strict=True)
    return (
        _passes(_changed, fine, tests.fine)
        and _passes(_changed, coarse, tests.coarse)
        and _passes(_lost, fine, tests.faint)
    )


def _passes(
    value: Callable[[_Operands, float], _Operand], variances: tuple[Image.Image, ...], test: tuple[float, float]
) -> bool:
    original, candidate, added = variances
    found = _made(lambda of: value(of, test[1]), a=original, b=candidate, e=added)
    return float(found.getextrema()[1]) <= test[0] * _NEARLY  # type: ignore[arg-type]  # one band: a pair of numbers


def _changed(of: _Operands, constant: float) -> _Operand:
    """Return the variance of the difference beside the larger one."""
    return of["e"] / (of["max"](of["a"], of["b"]) + constant)


def _lost(of: _Operands, constant: float) -> _Operand:
    """Return the share of the original's variance that no rising straight line through the candidate explains."""
    both = (of["a"] + of["b"] - of["e"]) * 0.5
    return (of["a"] - both * abs(both) / (of["b"] + 1)) / (of["a"] + constant)


def _half_light(image: Image.Image) -> Image.Image:
    """Return the halved image by light, (R + 2 G + B) / 4."""
    red, green, blue = (reduced(channel.convert("F"), 2) for channel in image.split())
    return _made(lambda of: (of["r"] + of["g"] * 2 + of["b"]) / 4, r=red, g=green, b=blue)


def _variances(half: Image.Image) -> list[Image.Image]:
    """Return the variances in windows of 2 x 2 cells: those of 4 x 4 pixels of the image, and of 8 x 8."""
    means, squares = half, _made(lambda of: of["x"] * of["x"], x=half)
    found = []
    for _ in range(2):
        means, squares = reduced(means, _HALF_CELL), reduced(squares, _HALF_CELL)
        found.append(_made(lambda of: of["s"] - of["m"] * of["m"], m=_windows(means), s=_windows(squares)))
    return found


def _windows(cells: Image.Image) -> Image.Image:
    """Return the means over all windows of 2 x 2 cells; cells beyond the edge are as those at it."""
    width, height = cells.size
    around = extended(cells, 1, 1, width + 2, height + 2)
    parts = {f"{x}{y}": around.crop((x, y, x + width + 1, y + height + 1)) for x in (0, 1) for y in (0, 1)}
    return _made(lambda of: (of["00"] + of["01"] + of["10"] + of["11"]) / 4, **parts)


def _made(formula: Callable[[_Operands], _Operand], **images: Image.Image) -> Image.Image:
    made: Image.Image = ImageMath.lambda_eval(formula, **images)  # type: ignore[no-untyped-call,unused-ignore]
    return made
