"""How different a candidate may look, by quality and format. The tables come from `benchmarks/fit_limits.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from ..core.model import Format

# quality: worst difference of blocks, mean difference of samples
LIMITS = (
    (1, 82.3, 38.7),
    (10, 53.9, 27.0),
    (30, 44.5, 16.1),
    (50, 28.5, 15.5),
    (60, 24.5, 14.1),
    (70, 24.5, 12.3),
    (80, 24.5, 9.2),
    (90, 22.9, 6.5),
    (100, 22.9, 5.9),
)
"""Fitted on 2026-11-26 to two samples of 337 images (`--builtin`, `--every 2 3`). From 50 on the larger
of the two, so that no honest result is refused: at 80 those reach 20.4 and 7.6, and the nearest other image differs
by 25.3. Below 50, where a single spoilt image decides, the smaller."""

FADED = 200.0
"""How much the lowest alpha of a strip may rise: all but opaque where it was all but invisible is transparency lost."""

TESTS = ("lost", "fine", "faint", "coarse", "brightness", "colour")
"""The tests of `structure`, in the order of the columns below."""

_PALETTE = (
    (1, 0.95, 0.90, 0.95, 1.20, 20, 20),
    (40, 0.60, 0.30, 0.60, 0.50, 8, 9),
    (60, 0.52, 0.18, 0.41, 0.36, 6, 8),
    (70, 0.28, 0.14, 0.39, 0.26, 4.5, 7.6),
    (80, 0.19, 0.075, 0.145, 0.17, 4.2, 6.2),
    (90, 0.16, 0.058, 0.11, 0.13, 4.1, 4.0),
    (95, 0.16, 0.045, 0.105, 0.10, 2.5, 3.4),
    (99, 0.16, 0.045, 0.105, 0.10, 2.5, 3.4),
)
_TRANSFORM = (
    (1, 0.98, 1.00, 0.98, 1.50, 25, 25),
    (40, 0.85, 0.26, 0.38, 0.42, 5, 9),
    (60, 0.78, 0.20, 0.36, 0.30, 4.5, 8.5),
    (70, 0.62, 0.145, 0.245, 0.21, 4.3, 7.5),
    (80, 0.44, 0.097, 0.20, 0.16, 4.2, 6.6),
    (90, 0.25, 0.036, 0.084, 0.066, 3.1, 6.3),
    (95, 0.14, 0.020, 0.045, 0.048, 2.9, 4.9),
    (99, 0.14, 0.020, 0.045, 0.048, 2.9, 4.9),
)
STRUCTURE: Mapping[Format, Sequence[tuple[float, ...]]] = MappingProxyType(
    {Format.PNG: _PALETTE, Format.GIF: _PALETTE, Format.JPEG: _TRANSFORM, Format.WEBP: _TRANSFORM}
)
"""The largest values of the tests of `structure`, by quality.

PNG and GIF lose colours, JPEG and WebP lose frequencies; the noise of the two is not the same. Fitted on 2026-11-27 to
2,600 honest results of 256 images, then raised for JPEG at 60 to 80 by 880 results of 84 images, 51 of them new: at 80,
PNG, GIF and WebP reach .65 of these limits, JPEGs .94. Below 40 the rows are no fit: such images look different and are
asked for.
"""


def tolerance(quality: int) -> tuple[float, float]:
    """Return the worst and the mean difference allowed at a quality, on straight lines between the table's rows."""
    worst, mean = _between(LIMITS, quality)
    return worst, mean


def structure_limits(quality: int, format: Format) -> dict[str, float]:
    """Return the largest value that each test of `structure` may have, on straight lines between the table's rows."""
    return dict(zip(TESTS, _between(STRUCTURE[format], quality), strict=True))


def _between(rows: Sequence[tuple[float, ...]], quality: int) -> tuple[float, ...]:
    low, high = next((pair for pair in pairwise(rows) if quality <= pair[1][0]), rows[-2:])
    share = min(1, (quality - low[0]) / (high[0] - low[0]))
    return tuple(one + share * (other - one) for one, other in zip(low[1:], high[1:], strict=True))
