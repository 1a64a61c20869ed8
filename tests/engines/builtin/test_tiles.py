"""Tiles that differ are found, taken out, and their values put back where they belong."""

from __future__ import annotations

import random

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.engines.builtin import places
from imgshrink.engines.builtin.places import PlaceScorer
from imgshrink.engines.builtin.tiles import changed, gathered, scattered
from imgshrink.engines.builtin.weights import PALETTE

SIDE = 16


def noise(width: int, height: int, seed: int, bands: int = 3) -> pyvips.Image:
    """Return an image of random samples."""
    samples = random.Random(seed).randbytes(width * height * bands)
    return pyvips.Image.new_from_memory(samples, width, height, bands, "uchar").copy(interpretation="srgb")


@settings(deadline=None, max_examples=40)
@given(
    across=st.integers(1, 5),
    down=st.integers(1, 5),
    bands=st.sampled_from([1, 3]),
    spots=st.lists(st.tuples(st.integers(0, 79), st.integers(0, 79)), max_size=6),
)
def test_changed_tiles(across: int, down: int, bands: int, spots: list[tuple[int, int]]) -> None:
    """Exactly the tiles with a pixel that differs are found, gathered as they are, and scattered to their places."""
    one = noise(across * SIDE, down * SIDE, 1, bands)
    inside = [(x % one.width, y % one.height) for x, y in spots]
    other = one
    for x, y in inside:
        pixel = [value ^ 1 for value in map(int, one(x, y))]
        other = other.draw_rect(pixel, x, y, 1, 1)
    other = other.copy_memory()
    found = changed(one, other, SIDE)
    assert found == sorted({y // SIDE * across + x // SIDE for x, y in inside})
    if found:
        column = gathered(other, found, SIDE)
        for number, tile in enumerate(found):
            expected = other.crop(tile % across * SIDE, tile // across * SIDE, SIDE, SIDE)
            assert (column.crop(0, number * SIDE, SIDE, SIDE) == expected).min() == 255
        means = scattered(column.shrink(SIDE, SIDE), found, across, down)
        everywhere = other.shrink(SIDE, SIDE)
        for tile in range(across * down):
            x, y = tile % across, tile // across
            assert means(x, y) == (everywhere(x, y) if tile in found else [0.0] * bands)


@pytest.mark.parametrize("size", [(300, 200), (129, 700)])
def test_places_score_alike_either_way(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Places score the same whether unchanged tiles are left out or not."""
    image = noise(*size, 4).gaussblur(2).copy_memory()
    candidate = image.insert(image.crop(10, 10, 90, 40).gaussblur(4), 10, 10).copy_memory()
    scores = []
    for most in (1.0, 0.0):
        monkeypatch.setattr(places, "_MOST", most)
        scores.append(PlaceScorer(image).scores(candidate, PALETTE))
    one, other = (dict(zip(found.places, found.scores, strict=True)) for found in scores)
    assert one == pytest.approx(other, abs=0.01)
    assert scores[0].scores[0] < 60
