"""What is soon told to be slight passes every test of structure; of what is lost or seen through nothing is told."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.core.model import Format
from imgshrink.pixels.changes import Harmless
from imgshrink.pixels.compare import measure
from imgshrink.pixels.slight import slight
from imgshrink.pixels.tolerance import structure_limits

from .test_harmless import drawn, image, spoilt

SIDE = 120
QUALITIES = [30, 60, 80, 90, 99]


def told(before: bytes, after: bytes, width: int, quality: int = 80) -> int:
    """Return what is told of two whole images in RGB."""
    bounds = Harmless.within(structure_limits(quality, Format.GIF))._bounds
    return slight((before, after), 3, width, (0, 0, width, len(before) // width // 3), bounds)


def page(ground: int, ink: int) -> bytes:
    """Return a page with a frame of lines and a block of stripes."""
    rows = bytearray(bytes([ground] * 3) * SIDE * SIDE)
    for y in range(20, 100):
        for x in range(20, 100, 3):
            at = 3 * (y * SIDE + x)
            rows[at : at + 3] = bytes([ink] * 3)
    return bytes(rows)


def test_moved_colours_are_slight() -> None:
    """Colours that are moved by a few levels pass, wherever they are; so do equal images."""
    assert told(page(200, 40), page(200, 40), SIDE) == 0
    assert told(page(200, 40), page(196, 43), SIDE) == 4


@pytest.mark.parametrize("ink", [100, 205])
def test_lost_lines_are_not_slight(ink: int) -> None:
    """Lines that vanish are doubtful, faint ones too: they have to be tested."""
    assert told(page(200, ink), page(200, 200), SIDE) == -1


def test_stripes_of_four_levels() -> None:
    """Faint stripes are doubtful where they vanish, but not where as much is added beside strong ones."""
    assert told(page(200, 190), page(200, 200), SIDE) == -1
    assert told(page(200, 40), page(200, 44), SIDE) == 4


def test_transparency_is_not_judged() -> None:
    """Where a part is not opaque in both images nothing is told; where it is, alpha does not matter."""
    solid, other = (bytes([shade, shade, shade, 255]) * 256 for shade in (100, 101))
    hole = bytes(4) + other[4:]
    bounds = Harmless.within(structure_limits(80, Format.GIF))._bounds
    assert slight((solid, other), 4, 16, (0, 0, 16, 16), bounds) == 1
    assert slight((solid, hole), 4, 16, (0, 0, 16, 16), bounds) == -1
    assert slight((solid, hole), 4, 16, (4, 4, 16, 16), bounds) == 1
    assert slight((bytes(16), bytes(16)), 1, 4, (0, 0, 4, 4), bounds) == -1


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(seed=st.integers(0, 1 << 30), size=st.tuples(st.integers(1, 70), st.integers(1, 70)), by=st.integers(1, 9))
def test_slight_means_harmless(seed: int, size: tuple[int, int], by: int) -> None:
    """What is called slight passes every test in full, at each quality."""
    random = Random(seed)
    before = drawn(random, *size, random.choice([0, 5, 12, 30, 90]))
    after = spoilt(random, before, by)
    full = measure(image(before, size[0]), image(after, size[0]))
    for quality in QUALITIES:
        if told(before, after, size[0], quality) >= 0:
            limits = structure_limits(quality, Format.GIF)
            assert {name for name, place in full.places.items() if place.value > limits[name]} == set()
            assert full.excess(quality, Format.GIF) <= 1
