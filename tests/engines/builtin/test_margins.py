"""By how much candidates are better than their target, and WebPs that meet it."""

from __future__ import annotations

import io

import pytest
import pyvips
from PIL import Image

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.exact import ExactScorer
from imgshrink.engines.builtin.margins import Judge, is_large, margins, telling_places
from imgshrink.engines.builtin.ssimulacra2 import score
from imgshrink.engines.builtin.targets import jpeg_target, webp_target
from imgshrink.image.sniff import sniff
from places import IMAGES

TARGET = jpeg_target(80)


def photograph(width: int, height: int) -> pyvips.Image:
    """Return a photograph of a size."""
    image = Image.open(IMAGES / "camera.jpg").convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return pyvips.Image.new_from_memory(image.tobytes(), width, height, 3, "uchar").copy(interpretation="srgb")


def compressed(image: pyvips.Image, quality: int) -> pyvips.Image:
    """Return the image as a JPEG shows it."""
    return pyvips.Image.jpegload_buffer(image.jpegsave_buffer(Q=quality)).copy_memory()


def test_large_images_are_looked_at_as_a_whole_once():
    """What a few places say of a second candidate is near to what the whole image says."""
    image = photograph(720, 480)
    assert is_large(image)
    judge, first, second = Judge(image, TARGET), compressed(image, 60), compressed(image, 75)
    assert judge.margin(first) == min(margins(ExactScorer(image).scores(first), TARGET))
    assert judge.margin(second) == pytest.approx(min(margins(ExactScorer(image).scores(second), TARGET)), abs=2)


def test_small_images_are_always_looked_at_as_a_whole():
    """Their margins are those of all places each time."""
    image = photograph(240, 160)
    judge = Judge(image, TARGET)
    for quality in (60, 75):
        candidate = compressed(image, quality)
        assert judge.margin(candidate) == min(margins(ExactScorer(image).scores(candidate), TARGET))


def test_telling_places_hold_the_worst():
    """The worst place is among those that are looked at again, none of them twice."""
    image = photograph(720, 480)
    found = ExactScorer(image).scores(compressed(image, 50))
    places = telling_places(found, TARGET)
    assert places[0] == min(range(len(found.places)), key=found.places.__getitem__)
    assert len(places) == len(set(places)) <= 14


@pytest.mark.parametrize("alpha", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_webp_meets_its_target(alpha):
    """A WebP of high quality becomes much smaller, and SSIMULACRA2 of the result is that of its quality."""
    image = photograph(300, 200)
    stored = image.bandjoin(pyvips.Image.xyz(300, 200)[0].cast("uchar")) if alpha else image
    data = stored.copy(interpretation="srgb").webpsave_buffer(Q=97)
    result = optimize(data, sniff(data), Recipe(80))
    shown = [pyvips.Image.webpload_buffer(each) for each in (data, result)]
    before, after = ((each.flatten(background=255) if alpha else each).copy_memory() for each in shown)
    assert len(result) < 0.6 * len(data)
    assert score(before, after) >= webp_target(80).whole - 0.6
    assert Image.open(io.BytesIO(result)).size == (300, 200)
