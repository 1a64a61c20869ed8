"""The local tests of structure: what each sees, where it says it is, and that no strip or frame hides anything."""

from __future__ import annotations

import random
import sys

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from imgshrink.core.model import Format
from imgshrink.pixels import compare
from imgshrink.pixels.compare import Comparison, acceptable, measure
from imgshrink.pixels.difference import Difference, Place
from imgshrink.pixels.structure import RANK
from imgshrink.pixels.tolerance import TESTS
from places import BENCHMARKS
from sample_images import photo, screen

sys.path.insert(0, str(BENCHMARKS))
from alterations import Page, line_erased

LOSSY_FORMATS = [Format.PNG, Format.GIF, Format.JPEG, Format.WEBP]


def vips(image: Image.Image) -> pyvips.Image:
    """Pillow's image for libvips."""
    raw = pyvips.Image.new_from_memory(image.tobytes(), *image.size, len(image.getbands()), "uchar")
    return raw.copy(interpretation="b-w" if image.mode == "L" else "srgb")


def look(before: Image.Image, after: Image.Image) -> Difference:
    """How different two images of Pillow look."""
    return measure(vips(before), vips(after))


def values(difference: Difference) -> dict[str, float]:
    """The value of each test."""
    return {name: place.value for name, place in difference.places.items()}


def checkered(size: tuple[int, int] = (64, 64), side: int = 4) -> Image.Image:
    """Squares of two greys."""
    image = Image.new("L", size, 90)
    for x in range(0, size[0], side):
        for y in range(0, size[1], side):
            if (x + y) // side % 2:
                image.paste(160, (x, y, x + side, y + side))
    return image.convert("RGB")


class TestValues:
    """What the tests find."""

    def test_same_image(self) -> None:
        """Nothing differs, so no window is tested."""
        assert look(photo(), photo()) == Difference()

    def test_every_test_has_its_limit(self) -> None:
        """Each test that is measured has a column in the tables, and nothing else has."""
        assert list(RANK) == list(TESTS)
        assert set(values(look(photo(), ImageChops.invert(photo())))) == set(TESTS)

    def test_lost_detail(self) -> None:
        """A flat area in place of squares loses all of their variance, and no brightness."""
        found = values(look(checkered(), Image.new("RGB", (64, 64), (125, 125, 125))))
        variance = 35**2
        assert found["lost"] == pytest.approx(variance / (variance + 200), abs=0.01)
        assert found["faint"] == pytest.approx(variance / (variance + 100), abs=0.01)
        assert found["fine"] == pytest.approx(variance / (variance + 400), abs=0.01)
        assert found["coarse"] == pytest.approx(variance / (variance + 50), abs=0.01)
        assert found["brightness"] < 1
        assert found["colour"] == 0

    def test_new_detail(self) -> None:
        """Squares where nothing was lose nothing, and are seen by the tests of the difference."""
        found = values(look(Image.new("RGB", (64, 64), (125, 125, 125)), checkered()))
        assert (found["lost"], found["faint"]) == (0, 0)
        assert min(found["fine"], found["coarse"]) > 0.7

    def test_detail_in_other_contrast_is_not_lost(self) -> None:
        """A straight line through the candidate explains squares of half the contrast: they are there."""
        weaker = checkered().point([125 + (value - 125) // 2 for value in range(256)] * 3)
        found = values(look(checkered(), weaker))
        assert found["lost"] < 0.01
        assert found["fine"] > 0.15

    def test_inverted_detail_is_lost(self) -> None:
        """Dark for bright is no explanation."""
        assert values(look(checkered(), ImageChops.invert(checkered())))["lost"] > 1

    @pytest.mark.parametrize("levels", [3, 7])
    def test_brightness(self, levels: int) -> None:
        """The brightness of an area is off by as many levels as it was changed."""
        changed = photo()
        changed.paste((100, 100, 100), (64, 64, 128, 128))
        brighter = changed.copy()
        brighter.paste((100 + levels,) * 3, (64, 64, 128, 128))
        found = look(changed, brighter)
        assert found.places["brightness"].value == pytest.approx(levels, abs=0.1)
        assert found.places["colour"].value == pytest.approx(0, abs=0.1)

    def test_colour(self) -> None:
        """Red for green of the same luma is colour and no brightness."""
        red, green = Image.new("RGB", (64, 64), (140, 90, 90)), Image.new("RGB", (64, 64), (90, 115, 90))
        found = values(look(red, green))
        assert found["colour"] > 20
        assert found["brightness"] < 1

    @pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (9, 33), (70, 2), (2, 70), (31, 31)])
    def test_small_images(self, size: tuple[int, int]) -> None:
        """Images smaller than a window are tested whole."""
        found = look(Image.new("RGB", size, "black"), Image.new("RGB", size, "white"))
        assert found.places["brightness"].value == pytest.approx(255, abs=0.5)

    def test_grey(self) -> None:
        """Grey images are compared as they are shown."""
        assert acceptable(
            vips(photo().convert("L")), vips(photo().convert("L").filter(ImageFilter.BLUR)), 80, Format.PNG
        )

    @pytest.mark.parametrize("shade", [0, 255])
    def test_transparent_on_both_backgrounds(self, shade: int) -> None:
        """What is to be seen on black or on white only counts."""
        drawn = Image.new("RGBA", (96, 64), (shade, shade, shade, 0))
        ImageDraw.Draw(drawn).text((8, 8), "transparent", fill=(shade, shade, shade, 255))
        found = look(drawn, Image.new("RGBA", (96, 64), (shade, shade, shade, 0)))
        assert values(found)["lost"] > 0.7


class TestPlaces:
    """Where it is."""

    @pytest.mark.parametrize("at", [(0, 6), (200, 16), (100, 300), (415, 380), (36, 191)])
    def test_place_of_the_worst_window(self, at: tuple[int, int]) -> None:
        """A dot that is gone is found where it was."""
        dotted = Image.new("RGB", (431, 397), "white")
        dotted.paste((0, 0, 0), (*at, at[0] + 4, at[1] + 4))
        place = look(dotted, Image.new("RGB", dotted.size, "white")).places["lost"]
        assert place.value > 0.7
        assert abs(place.x - at[0] - 2) <= 8
        assert abs(place.y - at[1] - 2) <= 8

    def test_reason(self) -> None:
        """The reason says where, what, and how much would have been allowed."""
        before, after = Page("word", 16, 200, dark=False, seed=3).both()
        reason = acceptable(vips(before), vips(after), 80, Format.PNG)
        assert reason.startswith("it looks different: at ")
        assert "(x, y)" in reason
        assert "quality 80 allows" in reason

    def test_reason_of_the_whole(self) -> None:
        """Without a place that is worse, the whole image is named; without a fault, nothing is."""
        assert "on average" in Difference(worst=90, mean=3).reason(80, Format.JPEG)
        assert Difference(worst=3, places={"lost": Place(0.01, 4, 4)}).reason(80, Format.JPEG) == ""
        assert Difference(faded=255).reason(80, Format.PNG) == "transparency is lost"


class TestStrips:
    """However an image is cut, and whichever frame came before, the same is found."""

    @pytest.mark.parametrize("pixels", [1 << 12, 40_000, 1 << 16])
    def test_strips_change_nothing(self, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Strips of any height find the same windows at the same places."""
        before, after = screen(), screen().filter(ImageFilter.GaussianBlur(0.8))
        whole = look(before, after)
        monkeypatch.setattr(compare, "_STRIP_PIXELS", pixels)
        cut = look(before, after)
        assert values(cut) == pytest.approx(values(whole), abs=1e-4)
        assert cut.worst == pytest.approx(whole.worst)
        assert cut.mean == pytest.approx(whole.mean)

    @pytest.mark.slow
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 396), st.integers(0, 430), st.integers(1, 40))
    def test_damage_at_any_place(self, top: int, left: int, side: int) -> None:
        """Damage that few rows hold is found as if all rows differed."""
        damaged = screen()
        damaged.paste((128, 60, 60), (left, top, left + side, top + side))
        image, other = vips(screen()), vips(damaged)
        strip = next(compare._strips(image, other)).strip
        whole = {name: found[-1].value for name, found in compare.worst_windows(strip).items()}
        found = values(measure(image, other))
        assert all(found[name] == pytest.approx(value, abs=1e-3) for name, value in whole.items() if value > 0.02)

    def test_second_pair_is_not_hidden_by_the_first(self) -> None:
        """Each pair is tested where it is not what the pair before was."""
        both = Comparison()
        before, after = screen(), screen()
        after.paste((0, 0, 0), (10, 10, 30, 30))
        assert both.measure(vips(before), vips(before)) == Difference()
        first = both.measure(vips(before), vips(after))
        later = after.copy()
        later.paste((0, 0, 0), (300, 300, 340, 340))
        assert both.measure(vips(before), vips(after)).places == {}
        second = both.measure(vips(before), vips(later))
        assert first.places["fine"].y < 40
        assert second.places["fine"].y > 290

    def test_same_damage_twice_keeps_its_mean(self) -> None:
        """The mean is of the whole image in every pair."""
        both, changed = Comparison(), ImageChops.invert(screen())
        first = both.measure(vips(screen()), vips(changed))
        assert both.measure(vips(screen()), vips(changed)).mean == first.mean


# The nearest wrong images, by format and quality: raising a limit to or above one of these fails.
AREA = (64, 64, 160, 128)


def area(levels: tuple[int, int, int]) -> tuple[Image.Image, Image.Image]:
    """A flat area, and the same with other colours."""
    before = Image.new("RGB", (256, 192), (120, 120, 120))
    after = before.copy()
    after.paste(tuple(120 + level for level in levels), AREA)
    return before, after


def line(contrast: float) -> tuple[Image.Image, Image.Image]:
    """A line of one pixel, and no line."""
    return line_erased(Image.new("RGB", (256, 192), (240, 240, 240)), contrast, random.Random(1))


def page(kind: str, size: int, contrast: int) -> tuple[Image.Image, Image.Image]:
    """A page, and the same with other words."""
    return Page(kind, size, contrast, dark=False, seed=5).both()


def softer(sigma: float) -> tuple[Image.Image, Image.Image]:
    """A screenshot, and the same out of focus."""
    return screen(), screen().filter(ImageFilter.GaussianBlur(sigma))


def only(name: str, pair: tuple[Image.Image, Image.Image]) -> Difference:
    """What one test alone finds."""
    return Difference(places={name: look(*pair).places[name]})


NEAREST = [
    # test, pair, qualities of PNG and GIF, and of JPEG and WebP, at which this test alone refuses it
    ("brightness", area((5, 5, 5)), (80, 90, 99), (60, 80, 90, 99)),
    ("brightness", area((9, 9, 9)), (60, 80), (60, 80)),
    ("colour", area((8, -3, -3)), (90, 99), (99,)),
    ("colour", area((12, -3, -3)), (80, 90), (80, 90)),
    ("lost", page("letter", 14, 120), (80, 90, 99), (95, 99)),
    ("lost", page("erased", 12, 60), (60, 80, 90), (80, 90)),
    ("fine", page("digit 8 > 3", 14, 60), (80, 90, 99), (90, 99)),
    ("fine", page("letter", 14, 120), (80, 90), (80, 90)),
    ("faint", page("digit 8 > 3", 14, 60), (80, 90, 99), (90, 99)),
    ("faint", page("letter", 14, 120), (80, 90), (80, 90)),
    ("coarse", line(20), (80, 90, 99), (80, 90, 99)),
    ("coarse", softer(1), (60, 80), (60, 80)),
]


@pytest.mark.parametrize(("name", "pair", "palette", "transform"), NEAREST)
def test_nearest_wrong_images(
    name: str, pair: tuple[Image.Image, Image.Image], palette: tuple[int, ...], transform: tuple[int, ...]
) -> None:
    """Each test refuses the nearest wrong image by itself: a limit that is raised above it fails here."""
    found = only(name, pair)
    for format in LOSSY_FORMATS:
        for quality in palette if format in (Format.PNG, Format.GIF) else transform:
            assert found.excess(quality, format) > 1, (format, quality)


class TestBoxes:
    """A part of a strip finds what the whole finds there."""

    @pytest.mark.parametrize("at", [(0, 0), (150, 90), (330, 240), (60, 296)])
    def test_places_in_a_box(self, at: tuple[int, int]) -> None:
        """Whatever differs in one place has the same values and the same place, tested alone or in whole rows."""
        before = screen()
        after = before.copy()
        after.paste(Image.effect_noise((24, 18), 90).convert("RGB"), at)
        alone, spotted = Comparison(), before.copy()
        spotted.putpixel((200, 200), (1, 1, 1))
        alone.measure(vips(before), vips(spotted))
        after.putpixel((200, 200), (1, 1, 1))
        whole, part = measure(vips(before), vips(after)), alone.measure(vips(before), vips(after))
        assert part.worst == pytest.approx(whole.worst, abs=1e-6)
        for name, place in whole.places.items():
            if place.value > 0.02:
                assert part.places[name].value == pytest.approx(place.value, rel=1e-4)
