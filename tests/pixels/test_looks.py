"""A pair of images that was compared is known by its pixels, and by nothing else."""

from __future__ import annotations

import json

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.core.model import Format, Recipe
from imgshrink.image.sniff import sniff
from imgshrink.pixels.compare import measure
from imgshrink.pixels.difference import Difference, Place
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.tolerance import structure_limits
from imgshrink.pixels.verify import Accept, Refuse, verify
from places import IMAGES

SIZE = (40, 30)
LIMITS = structure_limits(80, Format.PNG)


def image(data: bytes, bands: int = 3) -> pyvips.Image:
    """Return an image in memory with these samples."""
    made = pyvips.Image.new_from_memory(data, *SIZE, bands, "uchar")
    return made.copy(interpretation="srgb")


def flat(*pixel: int) -> pyvips.Image:
    """Return an image of one colour."""
    return image(bytes(pixel) * (SIZE[0] * SIZE[1]), len(pixel))


def test_a_pair_is_recalled() -> None:
    """What was measured is recalled, also after a dump; the other way round it is another pair."""
    looks, one, other = Looks(), flat(10, 20, 30), flat(10, 20, 90)
    found = looks.measure(one, other, LIMITS)
    assert found == measure(one, other, LIMITS) != Difference()
    for known in (looks, Looks(looks.dump())):
        assert known.recall(one, other, LIMITS) == found
        assert known.recall(other, one, LIMITS) is None
    assert Looks().recall(one, other, LIMITS) is None


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(at=st.integers(0, 40 * 30 * 3 - 1), value=st.integers(1, 255))
def test_another_pixel_is_another_pair(at: int, value: int) -> None:
    """One sample that differs by anything is enough."""
    looks, samples = Looks(), bytearray(40 * 30 * 3)
    looks.measure(flat(0, 0, 0), flat(9, 9, 9), LIMITS)
    samples[at] = value
    assert looks.recall(image(bytes(samples)), flat(9, 9, 9), LIMITS) is None
    assert looks.recall(flat(0, 0, 0), image(bytes(samples)), LIMITS) is None


def test_what_nobody_sees_is_the_same_pair() -> None:
    """An alpha channel that is opaque everywhere, and colours under full transparency, make no difference."""
    looks, other = Looks(), flat(10, 20, 30)
    found = looks.measure(flat(50, 60, 70), other, LIMITS)
    assert looks.recall(flat(50, 60, 70, 255), flat(10, 20, 30, 255), LIMITS) == found
    assert looks.recall(flat(50, 60, 70, 254), other, LIMITS) is None
    clear = looks.measure(flat(1, 2, 3, 0), flat(5, 5, 5, 255), LIMITS)
    assert looks.recall(flat(0, 0, 0, 0), flat(5, 5, 5), LIMITS) == clear


def test_another_size_is_another_pair() -> None:
    """The same samples in rows of another length are another image."""
    looks = Looks()
    wide, tall = (pyvips.Image.black(*size, bands=3).copy(interpretation="srgb") for size in ((6, 4), (4, 6)))
    looks.measure(wide, wide, LIMITS)
    assert looks.recall(tall, tall, LIMITS) is None


def test_verify_believes_looks_at_the_same_pixels_only() -> None:
    """A look that was remembered decides for exactly those pixels; for others verify looks itself."""
    original = (IMAGES / "still.png").read_bytes()
    decoded = pyvips.Image.pngload_buffer(original).copy_memory()
    changed = decoded.insert(decoded.crop(0, 0, 60, 40).invert(), 0, 0).copy_memory()
    candidate = bytes(changed.pngsave_buffer(compression=9, palette=True, Q=95))
    padded = original + bytes(len(candidate))
    assert isinstance(verify(padded, candidate, Recipe(80)), Refuse)
    looks = Looks()
    looks.measure(decoded, decoded, LIMITS)
    assert isinstance(verify(padded, candidate, Recipe(80), looks), Refuse)
    shown = pyvips.Image.pngload_buffer(candidate).copy_memory()
    (pair,) = json.loads(Looks.dump(_measured(decoded, shown)))
    forged = Looks(json.dumps({pair: {"worst": 0, "mean": 0, "faded": 0, "places": {}}}).encode())
    assert isinstance(verify(padded, candidate, Recipe(80), forged), Accept)
    bad = Looks(json.dumps({pair: _as_json(Difference(99, 99, 0, {"lost": Place(9, 1, 2)}))}).encode())
    fine = bytes(decoded.pngsave_buffer(compression=9))
    assert isinstance(verify(original + bytes(len(fine)), fine, Recipe(80), bad), Accept)


def _measured(one: pyvips.Image, other: pyvips.Image) -> Looks:
    looks = Looks()
    looks.measure(one, other, LIMITS)
    return looks


def _as_json(difference: Difference) -> dict[str, object]:
    places = {name: {"value": place.value, "x": place.x, "y": place.y} for name, place in difference.places.items()}
    return {"worst": difference.worst, "mean": difference.mean, "faded": difference.faded, "places": places}


@pytest.mark.parametrize("name", ["still.png", "camera.jpg"])
def test_the_codecs_last_look_is_that_of_verify(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify need not compare what our codec returns: its pixels are among the codec's looks."""
    from imgshrink.engines.builtin.codecs import optimize
    from imgshrink.pixels import verify as module

    data, looks = (IMAGES / name).read_bytes(), Looks()
    result = optimize(data, sniff(data), Recipe(80), looks)
    assert len(result) < len(data)
    plain = verify(data, result, Recipe(80))
    assert isinstance(plain, Accept)
    monkeypatch.setattr(module, "Comparison", None)  # a comparison would fail
    assert verify(data, result, Recipe(80), looks) == plain
