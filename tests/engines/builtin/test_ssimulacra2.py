"""SSIMULACRA2 in libvips operations says what the Python package says, over all and at every place."""

from __future__ import annotations

import io
from itertools import product

import numpy
import pytest
import pyvips
from PIL import Image

from imgshrink.engines.builtin.exact import ExactScorer
from imgshrink.engines.builtin.ssimulacra2 import Original, count_scales, score
from places import IMAGES
from reference_score import reference_score
from screenshots import code
from selection import rest_slow

CAMERA = "camera.jpg"


def photograph(size: tuple[int, int]) -> Image.Image:
    """Return a photograph of a size."""
    return Image.open(IMAGES / CAMERA).convert("RGB").resize(size, Image.Resampling.LANCZOS)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Return the image as a JPEG shows it."""
    out = io.BytesIO()
    image.save(out, "jpeg", quality=quality)
    return Image.open(out).convert("RGB")


def vips(image: Image.Image) -> pyvips.Image:
    """Return the image in libvips."""
    return pyvips.Image.new_from_array(numpy.asarray(image)).copy(interpretation="srgb").copy_memory()


def package_score(folder, before: Image.Image, after: Image.Image) -> float:
    """Return what the Python package says."""
    paths = [str(folder / name) for name in ("before.png", "after.png")]
    for path, image in zip(paths, (before, after), strict=True):
        image.save(path)
    return reference_score(*paths)


CHANGES = {
    "jpeg 40": lambda image: compressed(image, 40),
    "jpeg 75": lambda image: compressed(image, 75),
    "jpeg 95": lambda image: compressed(image, 95),
    "palette": lambda image: image.quantize(32, dither=Image.Dither.NONE).convert("RGB"),
    "grey": lambda image: image.convert("L").convert("RGB"),
}


SIZES = [(512, 300), (333, 259), (240, 144), (145, 77), (40, 31)]
PLAIN = {((512, 300), "palette"), ((240, 144), "jpeg 40"), ((145, 77), "jpeg 75"), ((40, 31), "grey")}


@pytest.mark.parametrize(("size", "change"), rest_slow(list(product(SIZES, CHANGES)), lambda row: row in PLAIN))
def test_package_says_the_same(tmp_path, size, change):
    """Photographs of all numbers of scales, with odd sides, score within .3 of the package."""
    before = photograph(size)
    after = CHANGES[change](before)
    assert score(vips(before), vips(after)) == pytest.approx(package_score(tmp_path, before, after), abs=0.3)


def test_text_scores_the_same(tmp_path):
    """Coloured text, of which 4:2:0 takes much, scores within .3 of the package."""
    before = code()
    after = compressed(before, 60)
    assert score(vips(before), vips(after)) == pytest.approx(package_score(tmp_path, before, after), abs=0.3)


def test_same_image():
    """An image scores 100 against itself, a grey one too."""
    for image in (vips(photograph((200, 130))), vips(photograph((200, 130))).colourspace("b-w").copy_memory()):
        assert score(image, image) == 100


def test_scales_are_counted():
    """A scale counts while its shorter side has 8 pixels."""
    assert [count_scales(900, height) for height in (7, 8, 15, 128, 224, 225, 4000)] == [0, 1, 2, 5, 5, 6, 6]


def test_few_scales_are_more_severe():
    """A small image that loses its colours scores lower by its own number of scales than by that of a large one."""
    image = code().crop((0, 0, 200, 130))
    by_five, by_six = Original(vips(image), (5, 6)).scores(vips(compressed(image, 80)))
    assert by_five < by_six


@pytest.mark.parametrize("size", [(640, 400), (200, 150), pytest.param((1500, 900), marks=pytest.mark.slow)])
def test_whole_and_places(size):
    """Whole images score as by themselves, within 1; the worst place is where the candidate was blurred."""
    image = vips(photograph(size))
    left, top = size[0] - 110, size[1] - 100
    candidate = image.insert(image.crop(left, top, 100, 90).gaussblur(2), left, top).copy_memory()
    found = ExactScorer(image).scores(candidate)
    across = -(-max(128, size[0]) // 64)
    down, right = divmod(min(range(len(found.places)), key=found.places.__getitem__), across)
    assert abs(right * 64 - left) <= 128
    assert abs(down * 64 - top) <= 128
    assert min(found.places) < found.whole < 100
    if min(size) >= 256:
        assert found.whole == pytest.approx(score(image, candidate), abs=1)


@pytest.mark.parametrize("change", rest_slow(CHANGES, lambda name: name == "jpeg 75"))
@pytest.mark.parametrize("before", [photograph((512, 300)), code()], ids=["photograph", "text"])
def test_every_second_pixel_says_the_same(before, change):
    """What compares every second pixel of the finest scales scores within .6 of what compares all."""
    one, other = vips(before), vips(CHANGES[change](before))
    assert ExactScorer(one).scores(other).whole == pytest.approx(score(one, other), abs=0.6)


@pytest.mark.slow
def test_photographs_of_pages_count_alone():
    """A photograph on a page has scores of its own, its text and photographs that fill an image have none."""
    page = Image.new("RGB", (1000, 640), "white")
    page.paste(code(), (10, 10))
    assert ExactScorer(vips(page)).scores(vips(page)).alone == {}
    page.paste(Image.effect_noise((300, 200), 60).convert("RGB"), (660, 400))
    found = ExactScorer(vips(page)).scores(vips(compressed(page, 60)))
    assert found.alone
    assert max(found.alone.values()) < 100
    assert ExactScorer(vips(photograph((640, 400)))).scores(vips(photograph((640, 400)))).alone == {}


def test_narrowed_places_score_alike():
    """Places one below the other score as they do in their image, but for what lies around them."""
    image, candidate = vips(photograph((640, 400))), vips(compressed(photograph((640, 400)), 60))
    scorer = ExactScorer(image)
    found = scorer.scores(candidate).places
    numbers = sorted(range(len(found)), key=found.__getitem__)[:3]
    places, narrow = scorer.narrowed(numbers)
    stacked = pyvips.Image.arrayjoin([candidate.crop(*place, 128, 128) for place in places], across=1).copy_memory()
    assert narrow.scores(stacked).places == pytest.approx([found[number] for number in numbers], abs=4)
