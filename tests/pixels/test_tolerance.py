"""The limits of look, by quality."""

from __future__ import annotations

from itertools import pairwise

import pytest

from imgshrink.core.model import Format
from imgshrink.pixels.tolerance import LIMITS, STRUCTURE, TESTS, structure_limits, tolerance


@pytest.mark.parametrize(("quality", "worst", "mean"), LIMITS)
def test_rows_of_the_table(quality: int, worst: float, mean: float) -> None:
    """At a row's quality its limits hold as they are written."""
    assert tolerance(quality) == (worst, mean)


def test_between_rows() -> None:
    """Half way between two rows the limits are half way."""
    (low, low_worst, low_mean), (high, high_worst, high_mean) = next(
        pair for pair in pairwise(LIMITS) if (pair[1][0] - pair[0][0]) % 2 == 0
    )
    middle = tolerance((low + high) // 2)
    assert middle == pytest.approx(((low_worst + high_worst) / 2, (low_mean + high_mean) / 2))


def test_more_quality_never_allows_more() -> None:
    """Every step of quality is at least as strict as the one below, from 1 to 100."""
    limits = [tolerance(quality) for quality in range(1, 101)]
    assert all(one >= other for lower, higher in pairwise(limits) for one, other in zip(lower, higher, strict=True))


@pytest.mark.parametrize("format", Format)
def test_rows_of_structure(format: Format) -> None:
    """At a row's quality its limits hold as they are written, and behind the last row its own."""
    for quality, *limits in STRUCTURE[format]:
        assert structure_limits(int(quality), format) == pytest.approx(dict(zip(TESTS, limits, strict=True)))
    assert structure_limits(100, format) == pytest.approx(structure_limits(99, format))


@pytest.mark.parametrize("format", Format)
def test_more_quality_never_allows_more_structure(format: Format) -> None:
    """Every step of quality is at least as strict as the one below, for every test."""
    limits = [structure_limits(quality, format) for quality in range(1, 101)]
    assert all(one[test] >= other[test] > 0 for one, other in pairwise(limits) for test in TESTS)
