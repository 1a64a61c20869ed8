"""The search for a JPEG's setting: few trials, an end between the setting that misses and the one that meets."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.exact import Exact
from imgshrink.engines.builtin.jpeg_search import HIGHEST, Trial, refined
from imgshrink.engines.builtin.targets import jpeg_target
from imgshrink.image.sniff import sniff
from places import IMAGES
from reference_score import reference_score

NOTHING = Exact(100, [], {})


def trial(setting: int, full_chroma: bool, margin: float) -> Trial:
    """Return a trial that is above its target by so many points, of as many bytes as its setting."""
    return Trial(setting, full_chroma, bytes(setting), setting, (margin,), NOTHING)


@given(needed=st.integers(30, 110), slope=st.floats(0.2, 3), first=st.integers(45, 90))
def test_few_trials_meet_the_target(needed, slope, first):
    """At most five trials find a setting that meets a target that one can meet, itself tried or between two of them."""
    made = [trial(first, False, slope * (first - needed))]

    def attempt(setting: int, full_chroma: bool) -> Trial:
        made.append(trial(setting, full_chroma, slope * (setting - needed)))
        return made[-1]

    best = refined(attempt, made[0], lambda size: False)
    assert len(made) <= 5
    assert len({(each.setting, each.full_chroma) for each in made}) == len(made)
    assert all(each.setting <= HIGHEST for each in made)
    assert (best is not None) == (needed <= HIGHEST)
    if best is not None:
        assert best.margin >= 0
        assert best.setting >= needed
        assert best.size <= min(each.size for each in made if each.margin >= 0)


def test_too_large_ends_the_search():
    """Where what misses the target is too large already, no other is tried."""
    assert refined(pytest.fail, trial(70, False, -9.0), lambda size: size > 60) is None


def test_what_will_be_too_large_is_not_tried():
    """Far below the target no other is tried: what meets it takes half as many bytes again."""
    assert refined(pytest.fail, trial(70, False, -50.0), lambda size: size > 100) is None


def test_good_enough_is_taken():
    """What is hardly above its target is taken as it is."""
    first = trial(70, False, 0.5)
    assert refined(pytest.fail, first, lambda size: False) is first


def test_targets_rise_with_quality():
    """A higher quality never asks for less."""
    for one, other in pairwise(map(jpeg_target, range(1, 100))):
        assert (one.whole, one.place, one.alone) < (other.whole, other.place, other.alone)


def test_between_near_trials_none_is_looked_at():
    """Where two near settings enclose the target, one between them is taken that is safely above the line."""
    first = trial(70, False, -2.0)
    best = refined(lambda setting, full: trial(setting, full, 4.0), first, lambda size: False)
    assert best is not None
    assert (best.setting, best.data) == (72, b"")
    assert 0.7 <= best.margin < 4


@pytest.mark.parametrize("name", ["camera.jpg", pytest.param("photo.jpg", marks=pytest.mark.slow)])
def test_photograph_meets_the_target(tmp_path, name):
    """A photograph scores as high as its quality says, by the package of SSIMULACRA2."""
    out = io.BytesIO()
    Image.open(IMAGES / name).convert("RGB").resize((480, 320)).save(out, "jpeg", quality=96)
    data = out.getvalue()
    result = optimize(data, sniff(data), Recipe(80))
    paths = [str(tmp_path / each) for each in ("before.png", "after.png")]
    for path, shown in zip(paths, (data, result), strict=True):
        Image.open(io.BytesIO(shown)).save(path)
    assert len(result) < 0.6 * len(data)
    assert reference_score(*paths) >= jpeg_target(80).whole - 0.3
