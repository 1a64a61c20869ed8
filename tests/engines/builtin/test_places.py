"""Every place of an image is scored: a photograph anywhere on a page, black lines, the frames of an animation."""

from __future__ import annotations

import io
import random

import pytest
import pyvips
from PIL import Image, ImageDraw

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.gif.canvas import Canvas, Colours
from imgshrink.engines.builtin.gif.faults import Faults, looks_well
from imgshrink.engines.builtin.gif.reader import Frame
from imgshrink.engines.builtin.places import SIDE, PlaceScorer
from imgshrink.engines.builtin.weights import LOSSY
from imgshrink.image.sniff import sniff
from places import IMAGES
from reference_score import reference_score
from screenshots import code
from selection import rest_slow

LEAST = {80: 66.0, 95: 80.0}
"""SSIMULACRA2 that the photograph must have on its own, by quality."""

SAVED = {"png": {}, "jpeg": {"quality": 97, "subsampling": 0}, "webp": {"quality": 98}}
SMALL, LARGE = (1920, 1080), (3000, 2000)


def page(size: tuple[int, int], photo: tuple[int, int], place: tuple[int, int]) -> Image.Image:
    """Return a page of text with a photograph, placed in parts of the room there is."""
    image = Image.new("RGB", size, "white")
    text = code()
    for number in range(0, size[1], 640):
        image.paste(text, (40, number))
    photograph = Image.open(IMAGES / "camera.jpg").convert("RGB").resize(photo, Image.Resampling.LANCZOS)
    image.paste(photograph, corner(size, photo, place))
    return image


def corner(size: tuple[int, int], photo: tuple[int, int], place: tuple[int, int]) -> tuple[int, int]:
    """Return where the photograph lies: at so many eighths of the room."""
    left, top = ((whole - part) * eighths // 8 for whole, part, eighths in zip(size, photo, place, strict=True))
    return left, top


def cut(data: bytes, box: tuple[int, int, int, int], path) -> str:
    """Write a part of an image and return its path."""
    Image.open(io.BytesIO(data)).convert("RGB").crop(box).save(path)
    return str(path)


@pytest.mark.parametrize("quality", [80, pytest.param(95, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("size", "photo", "place"),
    [
        (SMALL, (240, 144), (5, 3)),
        pytest.param(SMALL, (320, 208), (8, 8), marks=pytest.mark.slow),
        pytest.param(LARGE, (240, 144), (3, 7), marks=pytest.mark.slow),
        pytest.param(LARGE, (800, 520), (6, 1), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("format", rest_slow(SAVED, lambda format: format == "png"))
def test_photograph_on_a_page(tmp_path, format, size, photo, place, quality):
    """A photograph of any size at any place of a page looks as good as its quality says, on its own."""
    out = io.BytesIO()
    page(size, photo, place).save(out, format, **SAVED[format])
    data = out.getvalue()
    result = optimize(data, sniff(data), Recipe(quality))
    assert len(result) < len(data) or quality == 95
    left, top = corner(size, photo, place)
    box = (left, top, left + photo[0], top + photo[1])
    score = reference_score(cut(data, box, tmp_path / "before.png"), cut(result, box, tmp_path / "after.png"))
    assert score >= LEAST[quality]


@pytest.mark.slow
def test_blue_details_of_a_photograph_on_a_page(tmp_path):
    """A small photograph with fine blue details, which half chroma blurs, looks as good on its own as any other."""
    size, photo, place = (1000, 640), (240, 144), (7, 5)
    image = page(size, photo, place)
    left, top = corner(size, photo, place)
    box = (left, top, left + photo[0], top + photo[1])
    red, green, blue = image.crop(box).split()
    noise = Image.frombytes("L", (120, 72), random.Random(1).randbytes(120 * 72)).resize(
        photo, Image.Resampling.NEAREST
    )
    image.paste(Image.merge("RGB", (red, green, Image.blend(blue, noise, 0.35))), (left, top))
    out = io.BytesIO()
    image.save(out, "jpeg", **SAVED["jpeg"])
    data = out.getvalue()
    result = optimize(data, sniff(data), Recipe(80))
    assert len(result) < 0.5 * len(data)
    score = reference_score(cut(data, box, tmp_path / "before.png"), cut(result, box, tmp_path / "after.png"))
    assert score >= LEAST[80]


@pytest.mark.slow
@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_a_higher_quality_is_another_result(format):
    """Quality 95 takes more bytes than 80 for a page with a photograph."""
    out = io.BytesIO()
    page((1200, 800), (600, 390), (7, 4)).save(out, format, **SAVED[format])
    data = out.getvalue()
    usual, high = (len(optimize(data, sniff(data), Recipe(quality))) for quality in (80, 95))
    assert usual < high


@pytest.mark.parametrize("quality", rest_slow([40, 50, 60, 70], lambda quality: quality == 40))
def test_black_lines_stay_black(quality):
    """In a JPEG of black lines 4 pixels wide no pixel of a line turns white, at any quality."""
    image = Image.new("RGB", (480, 320), (236, 238, 240))
    draw = ImageDraw.Draw(image)
    for step in range(0, 480, 23):
        draw.line((step, 0, step, 319), fill="black", width=4)
        draw.line((0, step * 2 // 3, 479, 319 - step // 3), fill="black", width=4)
    out = io.BytesIO()
    image.save(out, "jpeg", quality=98, subsampling=0)
    data = out.getvalue()
    result = optimize(data, sniff(data), Recipe(quality))
    assert len(result) < len(data)
    before, after = (pyvips.Image.jpegload_buffer(each).cast("short").copy_memory() for each in (data, result))
    assert (before - after).abs().max() < 150


def test_places_tell_where():
    """The place with the lowest score is where the candidate was blurred, also at the very corner."""
    image = pyvips.Image.new_from_buffer(_png(page((700, 500), (320, 208), (1, 1))), "").copy_memory()
    for left, top in ((100, 60), (80, 40)):
        blurred = image.crop(left, top, 100, 80).gaussblur(3)
        scores = PlaceScorer(image).scores(image.insert(blurred, left, top).copy_memory(), LOSSY)
        assert abs(scores.places[0][0] - left) <= SIDE
        assert abs(scores.places[0][1] - top) <= SIDE
        assert scores.worst < 60
        assert scores.scores[-1] > 99


def test_places_of_a_tiny_image():
    """An image without room for a place has none, and nothing to find fault with."""
    image = pyvips.Image.black(300, 9, bands=3).copy(interpretation="srgb").copy_memory()
    assert PlaceScorer(image).scores(image, LOSSY).worst == 100


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue()


def screen(image: Image.Image) -> Canvas:
    """Return a canvas that shows an image."""
    index = image.quantize(256)
    table = index.getpalette() or []
    colours = [bytes(table[at : at + 3]) for at in range(0, len(table), 3)]
    canvas = Canvas(image.size, Colours(list(dict.fromkeys(colours))))
    canvas.draw(Frame((0, 0, *image.size), Image.frombytes("L", image.size, index.tobytes()), colours, None, 10, 1))
    return canvas


def test_a_ghost_of_former_text_is_seen():
    """Text that has gone and still shows faintly is a fault at 80; one level more everywhere is none."""
    plain, brighter = (
        Image.new("RGB", (480, 320), (40, 42, 54)),
        code().point([min(255, v + 1) for v in range(256)] * 3),
    )
    for wanted, shown, well in ((code(), brighter, True), (plain, Image.blend(plain, code(), 0.06), False)):
        faults = Faults()
        faults.look(screen(shown), screen(wanted), 100)
        assert looks_well(faults, 80) is well


def test_no_fault_at_all():
    """An animation that shows what it should looks well, and few of its frames are kept whatever their number."""
    faults = Faults()
    one, other = screen(code()), screen(Image.new("RGB", (480, 320)))
    faults.look(one, one, 0)
    assert faults.pairs() == []
    assert looks_well(faults, 80)
    for width in range(10, 100, 10):
        faults.look(one, other, width)
    assert len(faults.pairs()) == 3
