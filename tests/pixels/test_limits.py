"""The limits of look that no table of nearest images holds: the whole image, and transparency."""

from __future__ import annotations

import pytest

from imgshrink.core.model import Format
from imgshrink.pixels.difference import Difference
from imgshrink.pixels.tolerance import _between

NEAREST = 25.3
"""The worst block of the nearest other image that `benchmarks/fit_limits.py` has found, at 80."""

HONEST = Difference(worst=20.4, mean=7.6)
"""The largest values of honest results at 80."""


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("quality", [60, 70, 80, 90, 99])
def test_nearest_other_image(format: Format, quality: int) -> None:
    """The worst block alone refuses the nearest other image: a limit that is raised above it fails here."""
    assert Difference(worst=NEAREST).excess(quality, format) > 1
    assert "it looks different: 25.3 in the worst place" in Difference(worst=NEAREST).reason(quality, format)


@pytest.mark.parametrize("format", Format)
def test_mean_alone(format: Format) -> None:
    """A difference all over is refused, however small its worst block: at 80 by 10 levels of 255."""
    assert Difference(mean=10).excess(80, format) > 1
    assert Difference(mean=16).excess(50, format) > 1


@pytest.mark.parametrize("format", Format)
def test_honest_results(format: Format) -> None:
    """Neither refuses an honest result."""
    assert HONEST.excess(80, format) <= 1
    assert HONEST.reason(80, format) == ""


def test_faded() -> None:
    """Transparency is lost where the lowest alpha rose by more than 200 of 255, at every quality."""
    for quality in (1, 80, 99):
        assert Difference(faded=200).excess(quality, Format.PNG) == 1
        assert Difference(faded=200).reason(quality, Format.PNG) == ""
        assert Difference(faded=200.5).excess(quality, Format.PNG) > 1
        assert Difference(faded=200.5).reason(quality, Format.PNG) == "transparency is lost"


def test_or_worse() -> None:
    """Of two differences the larger of each counts."""
    one, other = Difference(worst=1, mean=5, faded=9), Difference(worst=2, mean=4, faded=10)
    assert one.or_worse(other) == other.or_worse(one) == Difference(worst=2, mean=5, faded=10)


def test_beyond_the_last_row() -> None:
    """Behind the last row of a table of limits its values hold."""
    rows = ((1, 9.0), (3, 5.0))
    assert [_between(rows, quality) for quality in (1, 2, 3, 4)] == [(9.0,), (7.0,), (5.0,), (5.0,)]
