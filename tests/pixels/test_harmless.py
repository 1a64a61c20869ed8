"""A difference that is called slight fails no test of structure, whatever the image is."""

from __future__ import annotations

from random import Random

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.core.model import Format
from imgshrink.pixels.changes import Harmless, _unexplained
from imgshrink.pixels.compare import Comparison, measure
from imgshrink.pixels.structure import Box, Strip
from imgshrink.pixels.tolerance import FADED, TESTS, structure_limits, tolerance

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


def exceeded(harmless: Harmless, strip: Strip, box: Box) -> list[Box]:
    """Return where a strip may fail in a box."""
    return harmless.exceeded(strip, box, strip.around(box))


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
        assert (quick.excess(quality, Format.GIF) > 1) == (full.excess(quality, Format.GIF) > 1)
        for most, one_value, other_value in zip(
            (*tolerance(quality), FADED),
            (quick.worst, quick.mean, quick.faded),
            (full.worst, full.mean, full.faded),
            strict=True,
        ):
            assert one_value == other_value or other_value <= most > one_value


@pytest.mark.parametrize("at", [(0, 0), (100, 150), (199, 299)])
def test_one_letter_that_is_lost(at: tuple[int, int]) -> None:
    """What is lost in one place lies in the box that is tested, and the box is no larger than what surrounds it."""
    grey = image(bytes([120]) * (200 * 300 * 3), 200)
    left, top = min(at[0], 194), min(at[1], 294)
    letter = grey.insert(grey.crop(0, 0, 6, 6).linear(1, 90).cast("uchar"), left, top).copy_memory()
    harmless = Harmless.within(structure_limits(80, Format.GIF))
    strip = Strip(letter, grey, 0, 0, last=True)
    whole = Box(0, 300, 0, 200)
    (found,) = exceeded(harmless, strip, whole)
    assert found.left <= left < found.right
    assert found.top <= top < found.bottom
    assert (found.right - found.left) * (found.bottom - found.top) < 80 * 80
    assert exceeded(harmless, Strip(grey, grey, 0, 0, last=True), whole) == []


def test_two_letters_far_apart() -> None:
    """What is lost in two places lies in two boxes, so that little else is tested; both places are found."""
    grey = image(bytes([120]) * (600 * 1500 * 3), 600)
    letter = grey.crop(0, 0, 6, 6).linear(1, 90).cast("uchar")
    before = grey.insert(letter, 20, 20).insert(letter, 500, 1400).copy_memory()
    limits = structure_limits(80, Format.GIF)
    found = exceeded(Harmless.within(limits), Strip(before, grey, 0, 0, last=True), Box(0, 1500, 0, 600))
    assert sorted((box.left, box.right, box.top) for box in found) == [(0, 48, 0), (480, 528, 1392)]
    for name in ("lost", "fine", "faint", "coarse"):
        value = measure(before, grey).places[name].value
        assert Comparison(limits).measure(before, grey).places[name].value == pytest.approx(value, rel=1e-4)


def test_what_lies_beside_the_box_is_not_tested() -> None:
    """Only windows that reach the box count: others were tested before."""
    grey = image(bytes([120]) * (200 * 300 * 3), 200)
    letter = grey.insert(grey.crop(0, 0, 6, 6).linear(1, 90).cast("uchar"), 100, 100).copy_memory()
    harmless = Harmless.within(structure_limits(80, Format.GIF))
    strip = Strip(letter, grey, 0, 0, last=True)
    assert exceeded(harmless, strip, Box(128, 300, 0, 200)) == []
    assert exceeded(harmless, strip, Box(96, 112, 0, 200)) != []


@settings(deadline=None, max_examples=300)
@given(
    deviations=st.tuples(*[st.floats(0, 127)] * 2),
    correlation=st.floats(-1, 1),
    constant=st.sampled_from([100.0, 200.0]),
)
def test_bound_of_what_is_lost(deviations: tuple[float, float], correlation: float, constant: float) -> None:
    """No two windows lose more than the bound says, whatever their variances and covariance are."""
    one, other = deviations
    both = correlation * one * other
    lost = (one**2 - both * abs(both) / (other**2 + 1)) / (one**2 + constant)
    variance = one**2 + other**2 - 2 * both
    assert lost <= (variance + min(one**2, variance + 1)) / (one**2 + constant) + 1e-9
    for limit in (0.01, 0.1, 0.5, 0.9):
        if variance <= _unexplained(limit, constant):
            assert lost <= limit + 1e-9


def test_thresholds() -> None:
    """What is harmless grows with the limits, never below nothing."""
    strict, loose = (Harmless.within(structure_limits(quality, Format.GIF)) for quality in (95, 30))
    assert 0 <= strict.halved < loose.halved
    assert strict.full < loose.full
    assert strict.coarse < loose.coarse
    nothing = dict.fromkeys(TESTS, 0.0)
    assert Harmless.within(nothing) == Harmless(0, 0, 0, 0, nothing)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1 << 30), bands=st.sampled_from([3, 4]), size=st.tuples(st.integers(1, 90), st.integers(1, 90))
)
def test_no_verdict_of_a_sequence_changes(seed: int, bands: int, size: tuple[int, int]) -> None:
    """What frames after frames add up to is refused as if each pair were compared wholly, and no other sequence is."""
    random = Random(seed)
    limits = structure_limits(80, Format.GIF)
    before = drawn(random, *size, random.choice([5, 30, 90]))
    after = before
    quick, full = Comparison(limits), Comparison()
    for _ in range(4):
        place = 3 * random.randrange(len(before) // 3)
        end = place + 3 * random.choice([1, 40, 900])
        after = after[:place] + spoilt(random, after[place:end], random.choice([1, 4, 9])) + after[end:]
        pair = [seen(image(samples, size[0]), bands, random) for samples in (before, after)]
        found, whole = (way.measure(*pair) for way in (quick, full))
        assert (found.excess(80, Format.GIF) > 1) == (whole.excess(80, Format.GIF) > 1)
        if whole.excess(80, Format.GIF) > 1:
            break  # no other pair is compared then, and what stays as it is would not be found again


def seen(opaque: pyvips.Image, bands: int, random: Random) -> pyvips.Image:
    """Return an image as it is, or with an alpha channel that has a hole now and then."""
    if bands == 3:
        return opaque
    alpha = (pyvips.Image.black(opaque.width, opaque.height) + 255).cast("uchar")
    if random.random() < 0.3:
        alpha = alpha.insert(pyvips.Image.black(5, 5), random.randrange(opaque.width), random.randrange(opaque.height))
    return opaque.bandjoin(alpha).copy(interpretation="srgb").copy_memory()
