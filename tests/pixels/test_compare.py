"""Whether two images are the same to the last bit, and which rows are looked at twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pyvips

from imgshrink.core.model import Format
from imgshrink.pixels import compare
from imgshrink.pixels.compare import Comparison, acceptable, identical, measure
from imgshrink.pixels.difference import Difference

WIDTH, HEIGHT = 40, 200


def flat(*levels: int, width: int = WIDTH, height: int = HEIGHT, spoilt: int | None = None) -> pyvips.Image:
    """An image of one colour; the sample `spoilt` is another."""
    samples = bytearray(bytes(levels) * (width * height))
    if spoilt is not None:
        samples[spoilt] += 1
    image = pyvips.Image.new_from_memory(bytes(samples), width, height, len(levels), "uchar")
    return image.copy(interpretation="b-w" if len(levels) < 3 else "srgb")


def grey(spoilt: int | None = None) -> pyvips.Image:
    """The image that others are compared with."""
    return flat(100, 100, 100, spoilt=spoilt)


def banded(top: int) -> pyvips.Image:
    """The same with another colour from a row on."""
    samples = bytes([100, 100, 100]) * WIDTH * top + bytes([160, 100, 100]) * WIDTH * (HEIGHT - top)
    return pyvips.Image.new_from_memory(samples, WIDTH, HEIGHT, 3, "uchar").copy(interpretation="srgb")


@pytest.fixture(params=["whole", "strips"])
def strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are read at once, and in several strips."""
    if request.param == "strips":
        monkeypatch.setattr(compare, "_STRIP_PIXELS", 1)


@pytest.mark.parametrize("place", [0, 1, 2, WIDTH * 3 - 1, WIDTH * 3 * 100, WIDTH * HEIGHT * 3 - 1])
@pytest.mark.usefixtures("strips")
def test_one_bit(place: int) -> None:
    """One bit of one sample anywhere makes another image."""
    assert identical(grey(), flat(100, 100, 100))
    assert not identical(grey(), grey(place))
    assert not identical(grey(place), grey())
    assert identical(grey(place), grey(place))


@pytest.mark.parametrize(
    "make",
    [
        lambda: flat(100, 100, 100, width=WIDTH + 1),
        lambda: flat(100, 100, 100, height=HEIGHT + 1),
        lambda: flat(100),
        lambda: grey().cast("ushort"),
        lambda: flat(100, 100, 100, 254),
    ],
    ids=["wider", "higher", "one band", "deeper", "not opaque"],
)
def test_another_kind(make: Callable[[], pyvips.Image]) -> None:
    """Another size, number of bands or depth is another image, and so is one that can be seen through."""
    other = make()
    assert not identical(grey(), other)
    assert not identical(other, grey())
    assert identical(other, make())


def test_opaque() -> None:
    """An alpha channel that is opaque everywhere makes no difference."""
    assert identical(grey(), flat(100, 100, 100, 255))
    assert identical(flat(100, 100, 100, 255), grey())
    assert measure(flat(100, 100, 100, 255), flat(160, 100, 100, 255)) == measure(grey(), flat(160, 100, 100))
    assert measure(grey(), flat(100, 100, 100, 255)) == measure(flat(100, 100, 100, 255), grey()) == Difference()


def test_lossless_counts_every_bit() -> None:
    """At 100 one bit is too much; below, it is judged by how it looks, by whoever is told to measure."""
    assert acceptable(grey(), flat(100, 100, 100), 100, Format.PNG) == ""
    assert acceptable(grey(), grey(spoilt=3), 100, Format.PNG) == "pixels changed, and quality 100 is lossless"
    assert acceptable(grey(), grey(spoilt=3), 99, Format.PNG) == ""
    assert acceptable(grey(), grey(spoilt=3), 99, Format.PNG, lambda *_: Difference(worst=99)) != ""


@pytest.mark.parametrize(("kept", "tested_again"), [(WIDTH * HEIGHT, False), (WIDTH * HEIGHT - 1, True)])
def test_rows_that_are_as_before(monkeypatch: pytest.MonkeyPatch, kept: int, tested_again: bool) -> None:
    """Rows in which both images are what they were are not tested again, as long as they may be kept."""
    monkeypatch.setattr(compare, "_KEPT_PIXELS", kept)
    both, other = Comparison(), flat(160, 100, 100)
    first, second = both.measure(grey(), other), both.measure(grey(), other)
    assert first.worst > 10
    assert (second.worst == first.worst) is tested_again
    assert (second.places == first.places) is tested_again
    assert second.mean == first.mean


@pytest.mark.parametrize("changed", [0, 1])
def test_rows_that_are_not_as_before(changed: int) -> None:
    """Rows are tested when either image is another than before."""
    both = Comparison()
    both.measure(grey(), flat(160, 100, 100))
    pair = [grey(), flat(160, 100, 100)]
    pair[changed] = flat(200, 200, 100)
    assert both.measure(*pair).worst == measure(*pair).worst > 10


@pytest.mark.usefixtures("strips")
def test_measure_of_strips() -> None:
    """The mean is that of all samples, the worst block that of the worst strip, however the image is read."""
    found = measure(grey(), banded(160))
    assert found.mean == pytest.approx(60 / 3 * 40 / HEIGHT)
    assert found.worst == pytest.approx(measure(grey(), flat(160, 100, 100)).worst, abs=0.5)


def test_transparent_on_both_grounds() -> None:
    """What shows on white alone, or on black alone, counts: the larger of each is taken."""
    black, white = flat(0, 0, 0, 128), flat(255, 255, 255, 128)
    clear = flat(0, 0, 0, 0)
    for image in (black, white):
        found = measure(clear, image)
        assert found.mean == pytest.approx(128, abs=1)
        assert found.worst > 40
        assert found.faded == 128
    assert measure(black, clear).faded == 0
