"""Of which pixels a look is remembered: another pair is never taken for one that was compared."""

from __future__ import annotations

import pytest
import pyvips

from imgshrink.core.model import Format
from imgshrink.pixels import looks
from imgshrink.pixels.compare import measure
from imgshrink.pixels.difference import Difference
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.tolerance import structure_limits

WIDTH, HEIGHT = 24, 40
LIMITS = structure_limits(80, Format.PNG)


def image(bands: int = 3, changed: dict[int, int] | None = None, width: int = WIDTH) -> pyvips.Image:
    """Grey with samples of other values; with four bands it is opaque unless one of those says otherwise."""
    samples = bytearray((bytes([100] * 3) + b"\xff" * (bands - 3)) * (WIDTH * HEIGHT))
    for place, value in (changed or {}).items():
        samples[place] = value
    found = pyvips.Image.new_from_memory(bytes(samples), width, WIDTH * HEIGHT // width, bands, "uchar")
    return found.copy(interpretation="srgb")


@pytest.fixture(params=["whole", "strips"], autouse=True)
def strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that are read at once, and row by row."""
    if request.param == "strips":
        monkeypatch.setattr(looks, "_STRIP_PIXELS", 1)


def test_remembered() -> None:
    """A pair that was measured is recalled with all that was found, in another process too."""
    known, other = Looks(), image(changed=dict.fromkeys(range(900), 180))
    found = known.measure(image(), other, LIMITS)
    assert found == measure(image(), other, LIMITS)
    assert found.places
    assert known.recall(image(), other, LIMITS) == found
    assert Looks(known.dump()).recall(image(), other, LIMITS) == found
    assert Looks(known.dump()).dump() == known.dump()


def test_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pair is measured once."""
    known = Looks()
    first = known.measure(image(), image(changed={5: 90}), LIMITS)
    monkeypatch.setattr(looks, "measure", lambda *_: Difference(worst=99))
    assert known.measure(image(), image(changed={5: 90}), LIMITS) == first
    assert known.measure(image(), image(changed={5: 91}), LIMITS).worst == 99


def test_nothing_known() -> None:
    """Where nothing is known nothing is recalled, and what is no look is an error."""
    assert Looks().recall(image(), image(), LIMITS) is None
    with pytest.raises(ValueError):
        Looks(b"junk")


@pytest.mark.parametrize("place", [0, 1, 2, WIDTH * 3 * 20, WIDTH * HEIGHT * 3 - 1])
def test_another_pixel_is_another_pair(place: int) -> None:
    """One bit of one sample of either image makes another pair, and so does the order of the two."""
    known, other = Looks(), image(changed={9: 120})
    known.measure(image(), other, LIMITS)
    assert known.recall(image(changed={place: 101}), other, LIMITS) is None
    assert known.recall(image(), image(changed={9: 120, place: 101}), LIMITS) is None
    assert known.recall(other, image(), LIMITS) is None


def test_other_limits() -> None:
    """What was measured within some limits says nothing of stricter ones, nor of another format's."""
    known, other = Looks(), image(changed=dict.fromkeys(range(900), 108))
    known.measure(image(), other, LIMITS)
    for limits in (structure_limits(90, Format.PNG), structure_limits(80, Format.JPEG)):
        assert known.recall(image(), other, limits) is None
        assert known.measure(image(), other, limits) == measure(image(), other, limits)
    assert known.recall(image(), other, LIMITS) is not None


def test_another_shape_is_another_pair() -> None:
    """The same samples in rows of another length are another image."""
    known = Looks()
    known.measure(image(), image(), LIMITS)
    assert known.recall(image(width=WIDTH // 2), image(width=WIDTH // 2), LIMITS) is None


def test_what_shows() -> None:
    """Alpha that is opaque everywhere does not count, nor what is under full transparency; all other alpha does."""
    known = Looks()
    known.measure(image(4, {3: 0}), image(4), LIMITS)
    assert known.recall(image(4, {3: 0, 0: 7}), image(), LIMITS) is not None
    assert known.recall(image(4, {3: 0, 4: 7}), image(), LIMITS) is None
    assert known.recall(image(4, {3: 1}), image(), LIMITS) is None
    assert known.recall(image(4, {3: 1, 0: 7}), image(), LIMITS) is None
    assert known.recall(image(), image(), LIMITS) is None
