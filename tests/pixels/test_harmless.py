"""A difference that is called slight fails no test of structure, whatever the image is."""

from __future__ import annotations

from random import Random

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.core.model import Format
from imgshrink.pixels.changes import Harmless
from imgshrink.pixels.compare import Comparison, measure
from imgshrink.pixels.structure import Box, Strip
from imgshrink.pixels.tolerance import structure_limits

QUALITIES = [1, 30, 60, 80, 89, 95, 99]


def image(samples: bytes, width: int) -> pyvips.Image:
    """Return an image of these samples in sRGB."""
    made = pyvips.Image.new_from_memory(samples, width, len(samples) // width // 3, 3, "uchar")
    return made.copy(interpretation="srgb")


def drawn(random: Random, width: int, height: int, contrast: int) -> bytes:
    """Return a flat image with noise of some contrast in grey, in cells of one, two or five pixels."""
    side = random.choice([1, 2, 5])
    cells = {}
    samples = bytearray()
    for y in range(height):
        for x in range(width):
            key = x // side, y // side
            cells.setdefault(key, random.randint(0, contrast))
            samples += bytes([100 + cells[key]] * 3)
    return bytes(samples)


def spoilt(random: Random, samples: bytes, by: int) -> bytes:
    """Return samples that differ by at most `by`: at random, in one direction, or towards the mean."""
    kind = random.choice(["noise", "shift", "flat"])
    if kind == "flat":
        return bytes(value - min(by, max(-by, value - 105)) for value in samples)
    if kind == "shift":
        return bytes(value + by for value in samples)
    return bytes(value + random.choice([-by, 0, by]) for value in samples)


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(seed=st.integers(0, 1 << 30), size=st.tuples(st.integers(1, 70), st.integers(1, 70)), by=st.integers(1, 12))
def test_no_verdict_changes(seed: int, size: tuple[int, int], by: int) -> None:
    """Whatever a full comparison finds too much, the comparison that skips slight differences finds too much."""
    random = Random(seed)
    before = drawn(random, *size, random.choice([0, 5, 12, 30, 90]))
    after = spoilt(random, before, by)
    one, other = image(before, size[0]), image(after, size[0])
    full = measure(one, other)
    for quality in QUALITIES:
        limits = structure_limits(quality, Format.GIF)
        quick = Comparison(limits).measure(one, other)
        exceeding = {name for name, place in full.places.items() if place.value > limits[name]}
        assert {name for name, place in quick.places.items() if place.value > limits[name]} == exceeding
        assert (quick.mean, quick.worst, quick.faded) == (full.mean, full.worst, full.faded)


@pytest.mark.parametrize("at", [(0, 0), (100, 150), (199, 299)])
def test_one_letter_that_is_lost(at: tuple[int, int]) -> None:
    """What is lost in one place lies in the box that is tested, and the box is no larger than what surrounds it."""
    grey = image(bytes([120]) * (200 * 300 * 3), 200)
    left, top = min(at[0], 194), min(at[1], 294)
    letter = grey.insert(grey.crop(0, 0, 6, 6).linear(1, 90).cast("uchar"), left, top).copy_memory()
    harmless = Harmless.within(structure_limits(80, Format.GIF))
    strip = Strip(letter, grey, 0, 0, last=True)
    whole = Box(0, 300, 0, 200)
    found = harmless.exceeded(strip, whole)
    assert found is not None
    assert found.left <= left < found.right
    assert found.top <= top < found.bottom
    assert (found.right - found.left) * (found.bottom - found.top) < 80 * 80
    assert harmless.exceeded(Strip(grey, grey, 0, 0, last=True), whole) is None


def test_what_lies_beside_the_box_is_not_tested() -> None:
    """Only windows that reach the box count: others were tested before."""
    grey = image(bytes([120]) * (200 * 300 * 3), 200)
    letter = grey.insert(grey.crop(0, 0, 6, 6).linear(1, 90).cast("uchar"), 100, 100).copy_memory()
    harmless = Harmless.within(structure_limits(80, Format.GIF))
    strip = Strip(letter, grey, 0, 0, last=True)
    assert harmless.exceeded(strip, Box(128, 300, 0, 200)) is None
    assert harmless.exceeded(strip, Box(96, 112, 0, 200)) is not None


def test_thresholds() -> None:
    """What is harmless grows with the limits, never below nothing."""
    strict, loose = (Harmless.within(structure_limits(quality, Format.GIF)) for quality in (95, 30))
    assert 0 <= strict.halved < loose.halved
    assert strict.full < loose.full
    assert strict.coarse < loose.coarse
    assert Harmless.within(dict.fromkeys(("lost", "fine", "faint", "coarse"), 0.0)) == Harmless(0, 0, 0)
