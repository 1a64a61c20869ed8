"""What verify lets through, what it repairs, and what it refuses."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms, ImageOps

from corpus import named
from hostile_images import BOMBS, hidden_default
from image_builder import PNG_SIGNATURE, SAMPLES, chunk, png
from imgshrink.core.model import Format, Recipe
from imgshrink.image.containers import parts
from imgshrink.image.limits import VERIFY_VERSION
from imgshrink.image.metadata import graft, read_metadata, reduce
from imgshrink.image.seal import seal
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.tolerance import structure_limits
from imgshrink.pixels.verify import VERSION, Accept, Judgement, NotSmaller, Refuse, verify
from sample_images import animated, clip, colourful, cutout, deep_png, photo, saved, screen, srgb_profile, wide_profile
from selection import costly, rest_slow

LOSSY, LOSSLESS = Recipe(80), Recipe(100)
NOTICE = "Copyright Example Author"


def large(image: Image.Image, format: str, **options: object) -> bytes:
    """An original with much to gain."""
    best = {"JPEG": {"quality": 97, "subsampling": 0}, "PNG": {"compress_level": 1}, "WEBP": {"quality": 100}}
    return saved(image, format, **{**best[format], **options})


def small(image: Image.Image, format: str, **options: object) -> bytes:
    """An honest candidate."""
    good = {"JPEG": {"quality": 80}, "WEBP": {"quality": 80}, "PNG": {"optimize": True}}
    return saved(image, format, **{**good[format], **options})


def accepted(judgement: Judgement) -> bytes:
    """The accepted bytes; anything else fails the test."""
    assert isinstance(judgement, Accept), judgement
    return judgement.data


def refused(judgement: Judgement) -> str:
    """The reason; anything else fails the test."""
    assert isinstance(judgement, Refuse), judgement
    assert len(judgement.reason.splitlines()) == 1
    return judgement.reason


def with_exif(orientation: int = 1, **tags: object) -> Image.Exif:
    """EXIF with an orientation, a position, a camera and a notice."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "TestCam"
    exif[0x8298] = NOTICE
    position = exif.get_ifd(0x8825)
    position[1], position[2], position[3], position[4] = "N", (0.0, 0.0, 1.0), "E", (0.0, 0.0, 1.0)
    return exif


class TestHonest:
    """What an honest engine answers."""

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
    def test_smaller_picture_that_looks_the_same(self, format: str) -> None:
        """A good encoding is accepted as it is."""
        candidate = small(photo().quantize(256) if format == "PNG" else photo(), format)
        assert accepted(verify(large(photo(), format), candidate, LOSSY)) == candidate

    def test_larger_candidate(self) -> None:
        """More bytes gain nothing, whatever they show."""
        assert verify(small(photo(), "JPEG"), large(photo(), "JPEG"), LOSSY) == NotSmaller()
        assert verify(small(photo(), "JPEG"), large(screen(), "JPEG"), LOSSY) == NotSmaller()

    def test_candidate_of_equal_size(self) -> None:
        """The original itself gains nothing."""
        data = small(photo(), "JPEG")
        assert verify(data, data, LOSSY) == NotSmaller()

    def test_grafts_count(self) -> None:
        """A candidate that is smaller only without the profile that it needs gains nothing."""
        original = small(colourful(), "JPEG", icc_profile=wide_profile())
        bare = graft(original, icc=b"")
        assert len(bare) < len(original)
        assert verify(original, bare, LOSSY) == NotSmaller()

    def test_metadata_alone_is_a_gain(self) -> None:
        """The original without what need not stay is a better original."""
        original = large(photo(), "JPEG", exif=with_exif())
        assert b"TestCam" not in accepted(verify(original, reduce(original, notices=False), LOSSLESS))

    def test_version(self) -> None:
        """The version is the one that refusals are remembered under."""
        assert VERSION == VERIFY_VERSION


class TestStructure:
    """What no look excuses."""

    @pytest.mark.parametrize(("format", "other"), [("PNG", "WEBP"), ("JPEG", "WEBP"), ("WEBP", "JPEG")])
    def test_other_format(self, format: str, other: str) -> None:
        """An image stays in its format."""
        original = large(photo(), format, **({"lossless": True} if format == "WEBP" else {}))
        reason = refused(verify(original, small(photo(), other, quality=40), LOSSY))
        assert reason == f"{format.lower()} became {other.lower()}"

    def test_first_scans_of_a_progressive_jpeg(self) -> None:
        """A progressive JPEG without its last scans is refused, as original and as candidate."""
        candidate = small(photo(), "JPEG", progressive=True)
        scans = [part.start for part in parts(candidate, Format.JPEG) if part.kind == "SOS"]
        for start in scans[1:]:
            cut = candidate[:start] + b"\xff\xd9"
            assert "scans are missing" in refused(verify(large(photo(), "JPEG"), cut, LOSSY))
            assert "scans are missing" in refused(verify(cut, cut, LOSSY))

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
    def test_cut_candidate(self, format: str) -> None:
        """A candidate whose end is missing is refused."""
        candidate = small(photo(), format)
        assert "file ends early" in refused(verify(large(photo(), format), candidate[:-20], LOSSY))

    @pytest.mark.parametrize("answer", [b"", b"<!doctype html><html>", b"\0" * 100, b"\xff\xd8\xff"])
    def test_no_image(self, answer: bytes) -> None:
        """An error page is no image."""
        assert "the result can't be read" in refused(verify(large(photo(), "JPEG"), answer, LOSSY))

    def test_original_that_is_cut(self) -> None:
        """What the original shows is not known, so nothing may replace it."""
        assert "the original can't be read" in refused(
            verify(large(photo(), "JPEG")[:-20], small(photo(), "JPEG"), LOSSY)
        )

    def test_other_size(self) -> None:
        """A scaled picture is another one."""
        reason = refused(verify(large(photo(), "JPEG"), small(photo().resize((160, 104)), "JPEG"), LOSSY))
        assert reason == "320 x 208 pixels became 160 x 104"

    def test_huge_candidate_is_refused_by_its_header(self) -> None:
        """A candidate is held to the limits as well."""
        assert "megapixels" in refused(verify(large(photo(), "PNG"), png(width=60_000, height=60_000), LOSSY))

    def test_cmyk_stays_cmyk(self) -> None:
        """Print colours may not turn into screen colours."""
        original = large(photo().convert("CMYK"), "JPEG")
        assert refused(verify(original, small(photo(), "JPEG"), LOSSY)) == "cmyk became yuv"

    def test_profile_that_no_longer_fits(self) -> None:
        """Grey samples can't be read by the profile for RGB that a lossless copy must keep."""
        grey = photo().convert("L")
        original = large(grey.convert("RGB"), "PNG", icc_profile=srgb_profile())
        assert refused(verify(original, small(grey, "PNG"), LOSSLESS)) == "its profile is not made for grey samples"


class TestLook:
    """Wrong pictures."""

    @pytest.fixture(params=["JPEG", "PNG", "WEBP"])
    def format(self, request: pytest.FixtureRequest) -> str:
        """Each format of stills."""
        return str(request.param)

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda image: screen().resize(image.size), id="another picture"),
            pytest.param(lambda image: ImageChops.offset(image, 3, 0), id="shifted by 3 pixels"),
            pytest.param(lambda image: Image.merge("RGB", image.split()[::-1]), id="channels swapped"),
            pytest.param(lambda image: image.crop((16, 10, 304, 198)).resize(image.size), id="cropped"),
            pytest.param(ImageOps.invert, id="inverted"),
            pytest.param(ImageOps.mirror, id="mirrored"),
            pytest.param(lambda image: image.rotate(180), id="upside down"),
            pytest.param(lambda image: image.convert("L").convert("RGB"), id="without colour"),
        ],
    )
    def test_wrong_picture(self, format: str, spoil: Callable[[Image.Image], Image.Image]) -> None:
        """A picture that a viewer would call another one is refused."""
        original = large(colourful(), format)
        assert "looks different" in refused(verify(original, saved(spoil(colourful()), format), LOSSY))

    def test_half_a_picture(self, format: str) -> None:
        """A lower half of grey, as decoders pad, is refused."""
        half = photo()
        half.paste((128, 128, 128), (0, 104, 320, 208))
        assert "looks different" in refused(verify(large(photo(), format), small(half, format), LOSSY))

    def test_small_damage(self, format: str) -> None:
        """One icon of 16 x 16 pixels that is gone is refused, however large the rest is."""
        original = screen().resize((1024, 1024))
        original.paste((200, 30, 30), (512, 512, 528, 528))
        damaged = original.copy()
        damaged.paste((255, 255, 255), (512, 512, 528, 528))
        assert "looks different" in refused(verify(large(original, format), small(damaged, format), LOSSY))

    def test_noise(self) -> None:
        """Noise evens out in blocks, and is seen in pixels."""
        noisy = ImageChops.add(photo(), Image.effect_noise(photo().size, 60).convert("RGB"), offset=-128)
        assert "looks different" in refused(verify(saved(photo(), "PNG", compress_level=0), small(noisy, "PNG"), LOSSY))

    @pytest.mark.parametrize("ground", ["black", "white"])
    def test_lost_transparency(self, ground: str) -> None:
        """Transparency filled with any colour is refused."""
        filled = Image.new("RGBA", cutout().size, ground)
        filled.alpha_composite(cutout())
        reason = refused(verify(large(cutout(), "PNG"), small(filled.convert("RGB"), "PNG"), LOSSY))
        assert reason == "transparency is lost"

    def test_small_lost_transparency(self) -> None:
        """Corners of three pixels count, though they weigh nothing in a block."""
        rounded = screen().convert("RGBA")
        for corner in ((0, 0), (1, 0), (0, 1)):
            rounded.putpixel(corner, (255, 255, 255, 0))
        candidate = small(screen().quantize(256), "PNG")
        assert refused(verify(large(rounded, "PNG"), candidate, LOSSY)) == "transparency is lost"

    def test_kept_transparency(self) -> None:
        """A palette with alpha is accepted."""
        candidate = small(cutout().quantize(256), "PNG")
        assert accepted(verify(large(cutout(), "PNG"), candidate, LOSSY)) == candidate

    def test_low_quality_allows_more(self) -> None:
        """What quality 10 allows, quality 80 refuses."""
        original, candidate = large(colourful(), "JPEG"), saved(colourful(), "JPEG", quality=10)
        accepted(verify(original, candidate, Recipe(10)))
        assert "looks different" in refused(verify(original, candidate, LOSSY))

    def test_inverted_cmyk(self) -> None:
        """CMYK is compared as colours: inverted ink is refused, equal ink accepted."""
        inks = photo().convert("CMYK")
        original = large(inks, "JPEG")
        accepted(verify(original, small(inks, "JPEG"), LOSSY))
        assert "looks different" in refused(verify(original, small(ImageChops.invert(inks), "JPEG"), LOSSY))


class TestReadings:
    """What an engine may drop or apply, and how it comes back."""

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
    def test_lost_profile_comes_back(self, format: str) -> None:
        """A dropped Display P3 profile is grafted: its loss is too little for any limit."""
        original = large(colourful(), format, icc_profile=wide_profile())
        candidate = small(colourful().quantize(256) if format == "PNG" else colourful(), format)
        assert read_metadata(accepted(verify(original, candidate, LOSSY))).icc == wide_profile()

    @pytest.mark.parametrize("format", ["JPEG", "WEBP"])
    def test_colours_converted_to_srgb(self, format: str) -> None:
        """Pixels converted to sRGB look the same without the profile, which stays away."""
        original = large(colourful(), format, icc_profile=wide_profile())
        wide = ImageCms.getOpenProfile(io.BytesIO(wide_profile()))
        converted = ImageCms.profileToProfile(colourful(), wide, ImageCms.createProfile("sRGB"))
        assert converted is not None
        data = accepted(verify(original, small(converted, format), LOSSY))
        assert read_metadata(data).icc == b""

    def test_srgb_profile_may_go(self) -> None:
        """A profile that says what is assumed anyway need not come back."""
        original = large(colourful(), "JPEG", icc_profile=srgb_profile())
        assert read_metadata(accepted(verify(original, small(colourful(), "JPEG"), LOSSY))).icc == b""

    def test_wrong_profile_is_replaced(self) -> None:
        """A profile that the original had not changes the look, and goes again."""
        original = large(colourful(), "JPEG")
        candidate = small(colourful(), "JPEG", icc_profile=wide_profile())
        assert read_metadata(accepted(verify(original, candidate, LOSSY))).icc == b""

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", [3, 6])
    def test_lost_orientation_comes_back(self, format: str, orientation: int) -> None:
        """A photograph stays upright."""
        original = large(photo(), format, exif=with_exif(orientation))
        candidate = small(photo().quantize(256) if format == "PNG" else photo(), format)
        assert read_metadata(accepted(verify(original, candidate, LOSSY))).orientation == orientation

    @pytest.mark.parametrize("orientation", [3, 6])
    def test_applied_orientation(self, orientation: int) -> None:
        """Pixels that were turned need no orientation any more."""
        original = large(photo(), "JPEG", exif=with_exif(orientation))
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
        candidate = saved(upright, "JPEG", quality=80, exif=Image.Exif())
        assert read_metadata(accepted(verify(original, candidate, LOSSY))).orientation == 1

    def test_orientation_that_was_applied_and_left(self) -> None:
        """Turned pixels under the old orientation are sideways for good, even where the size fits again."""
        square = colourful().resize((208, 208))
        original = large(square, "JPEG", exif=with_exif(6))
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
        candidate = saved(upright, "JPEG", quality=80, exif=with_exif(6))
        assert "looks different" in refused(verify(original, candidate, LOSSY))

    def test_lost_profile_and_orientation(self) -> None:
        """Both are given back together."""
        original = large(colourful(), "JPEG", icc_profile=wide_profile(), exif=with_exif(8))
        metadata = read_metadata(accepted(verify(original, small(colourful(), "JPEG"), LOSSY)))
        assert (metadata.icc, metadata.orientation) == (wide_profile(), 8)

    @pytest.mark.parametrize("recipe", [LOSSY, LOSSLESS], ids=["lossy", "lossless"])
    @pytest.mark.parametrize("name", ["gAMA", "sRGB", "cHRM", "cICP"])
    def test_lost_colour_chunk_comes_back(self, name: str, recipe: Recipe) -> None:
        """What defines a PNG's colours is grafted where it is missing."""
        bodies = {"gAMA": b"\0\1\x86\xa0", "sRGB": b"\0", "cHRM": struct.pack(">8I", *range(8)), "cICP": b"\t\x10\0\1"}
        original = graft(large(photo(), "PNG"), colour={name: bodies[name]})
        data = accepted(verify(original, small(photo(), "PNG"), recipe))
        assert read_metadata(data).colour == {name: bodies[name]}

    def test_colour_chunk_that_was_not_there_goes(self) -> None:
        """A gAMA that an engine made up would change how browsers show the picture."""
        candidate = graft(small(photo(), "PNG"), colour={"gAMA": b"\0\1\x86\xa0"})
        assert read_metadata(accepted(verify(large(photo(), "PNG"), candidate, LOSSY))).colour == {}

    def test_graft_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A candidate that needs what it can't be given is refused."""
        monkeypatch.setattr("imgshrink.pixels.interpretations.graft", lambda data, **_: data)
        original = large(colourful(), "JPEG", icc_profile=wide_profile())
        assert "can't be carried over" in refused(verify(original, small(colourful(), "JPEG"), LOSSY))

    def test_damaged_profile_stays(self) -> None:
        """A profile that nobody can read neither stops a comparison nor gets lost."""
        damaged = wide_profile()[:60] + b"junk"
        original = large(colourful(), "JPEG", icc_profile=damaged)
        data = accepted(verify(original, small(colourful(), "JPEG"), LOSSY))
        assert read_metadata(data).icc == damaged


class TestReduced:
    """What an accepted candidate carries."""

    @pytest.fixture
    def talkative(self) -> bytes:
        """A candidate with a position, a camera, a thumbnail's worth of text, and a notice."""
        return small(photo(), "JPEG", exif=with_exif(), comment=b"shot at home")

    def test_position_camera_and_comments_go(self, talkative: bytes) -> None:
        """Nothing that gives somebody away stays."""
        data = accepted(verify(large(photo(), "JPEG", exif=with_exif()), talkative, LOSSY))
        assert not Image.open(io.BytesIO(data)).getexif().get_ifd(0x8825)
        assert not [word for word in (b"TestCam", b"shot at home") if word in data]

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
    def test_lost_notice_comes_back(self, format: str) -> None:
        """A copyright notice is grafted where an engine dropped it."""
        candidate = small(photo().quantize(256) if format == "PNG" else photo(), format)
        data = accepted(verify(large(photo(), format, exif=with_exif()), candidate, LOSSY))
        assert read_metadata(data).notices.copyright == NOTICE

    def test_seal_goes(self) -> None:
        """Accepted bytes are unsealed: the cache keeps them so."""
        candidate = small(photo(), "JPEG")
        assert accepted(verify(large(photo(), "JPEG"), seal(candidate, 80), LOSSY)) == candidate

    def test_bytes_behind_the_end_go(self) -> None:
        """What is appended to a candidate is no part of it."""
        candidate = small(photo(), "JPEG")
        assert accepted(verify(large(photo(), "JPEG"), candidate + b"PK\3\4", LOSSY)) == candidate


class TestLossless:
    """Quality 100: not one pixel."""

    def test_same_pixels(self) -> None:
        """A better deflate is accepted."""
        candidate = small(screen(), "PNG")
        assert accepted(verify(large(screen(), "PNG"), candidate, LOSSLESS)) == candidate

    def test_one_pixel(self) -> None:
        """One sample off by one is refused, which quality 80 does not see."""
        changed = screen()
        red, *others = changed.getpixel((200, 200))
        changed.putpixel((200, 200), (red ^ 1, *others))
        original, candidate = large(screen(), "PNG"), small(changed, "PNG")
        accepted(verify(original, candidate, LOSSY))
        assert refused(verify(original, candidate, LOSSLESS)) == "pixels changed, and quality 100 is lossless"

    def test_colours_under_full_transparency(self) -> None:
        """What nobody sees may change."""
        cleaned = Image.new("RGBA", cutout().size, (0, 0, 0, 0))
        cleaned.paste(cutout(), mask=cutout().getchannel("A").point(lambda alpha: 255 if alpha else 0))
        coloured = cutout()
        pixels = [pixel if pixel[3] else (9, 99, 199, 0) for pixel in coloured.get_flattened_data()]
        coloured.putdata(pixels)
        candidate = small(cleaned, "PNG")
        assert accepted(verify(large(coloured, "PNG"), candidate, LOSSLESS)) == candidate

    def test_grey_and_palette_are_as_good_as_rgb(self) -> None:
        """Fewer channels for the same pixels are no loss."""
        grey = photo().convert("L")
        original = large(grey.convert("RGB"), "PNG")
        accepted(verify(original, small(grey, "PNG"), LOSSLESS))
        accepted(verify(original, small(grey.convert("P"), "PNG"), LOSSLESS))

    def test_depth(self) -> None:
        """16 bits stay 16, unless quality allows loss."""
        grey = Image.open(io.BytesIO(deep_png())).point(lambda value: value / 256).convert("L")
        candidate = small(grey, "PNG")
        assert refused(verify(deep_png(), candidate, LOSSLESS)) == "16-bit samples became 8-bit ones"
        accepted(verify(deep_png(), candidate, LOSSY))
        accepted(verify(deep_png(), deep_png(level=9), LOSSLESS))

    def test_depth_that_nobody_used(self) -> None:
        """16-bit samples that repeat their byte may become 8-bit ones."""
        rows = b"".join(b"\0" + bytes(value for x in range(64) for value in [(x * y) % 256] * 2) for y in range(64))
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 0, 0, 0, 0))
        original = PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND")
        grey = Image.frombytes("L", (64, 64), bytes((x * y) % 256 for y in range(64) for x in range(64)))
        accepted(verify(original, small(grey, "PNG"), LOSSLESS))

    def test_profile_and_orientation_come_back(self) -> None:
        """Equal samples under lost tags get the tags back."""
        original = large(colourful(), "PNG", icc_profile=srgb_profile(), exif=with_exif(6))
        metadata = read_metadata(accepted(verify(original, small(colourful(), "PNG"), LOSSLESS)))
        assert (metadata.icc, metadata.orientation) == (srgb_profile(), 6)

    def test_turned_pixels(self) -> None:
        """Pixels turned upright without loss are accepted, and stay so."""
        original = large(photo(), "PNG", exif=with_exif(8))
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(original)))
        data = accepted(verify(original, saved(upright, "PNG", optimize=True, exif=Image.Exif()), LOSSLESS))
        assert read_metadata(data).orientation == 1


@dataclass(frozen=True)
class Film:
    """An animated format and how an original and its candidate are saved."""

    format: str

    def original(self, frames: list[Image.Image], durations: list[int], **options: object) -> bytes:
        """With bytes to spare."""
        noise = {} if self.format == "GIF" else {"exif": b"spare" * 8000}
        data = animated(frames, self.format, durations, lossless=True, **{**noise, **options})
        return (
            data[:-1] + b"!\xff\x0bADOBE:IR1.0" + (b"\xc8" + b"spare" * 40) * 20 + b"\0;"
            if self.format == "GIF"
            else data
        )

    def candidate(self, frames: list[Image.Image], durations: list[int], **options: object) -> bytes:
        """Without."""
        return animated(frames, self.format, durations, lossless=True, **options)


@pytest.fixture(params=["GIF", "WEBP", "PNG"])
def film(request: pytest.FixtureRequest) -> Film:
    """Each format that moves."""
    return Film(str(request.param))


class TestAnimations:
    """Same frames at the same times."""

    TIMES = (100, 200, 60, 300)

    @pytest.mark.parametrize("recipe", [LOSSY, LOSSLESS], ids=["lossy", "lossless"])
    def test_same_animation(self, film: Film, recipe: Recipe) -> None:
        """An animation in fewer bytes is accepted."""
        candidate = film.candidate(clip(), [*self.TIMES])
        assert accepted(verify(film.original(clip(), [*self.TIMES]), candidate, recipe)) == candidate

    def test_flattened(self, film: Film) -> None:
        """The first frame alone is refused."""
        candidate = saved(clip()[0], film.format)
        assert refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSY)) == "the animation is gone"

    def test_still_that_begins_to_move(self) -> None:
        """A still does not become an animation."""
        original = large(clip()[0].resize((800, 520)), "WEBP", lossless=True)
        candidate = animated([frame.resize((800, 520)) for frame in clip(2)], "WEBP", 100, quality=10)
        assert "0 ms became 200 ms" in refused(verify(original, candidate, LOSSY))

    def test_changed_duration(self, film: Film) -> None:
        """An animation that ends earlier is refused."""
        candidate = film.candidate(clip(), [100, 200, 60, 200])
        assert "660 ms became 560 ms" in refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSY))

    def test_moved_change(self, film: Film) -> None:
        """An animation of the same length with other timing is refused: at some instant it shows another frame."""
        candidate = film.candidate(clip(), [200, 100, 60, 300])
        assert "looks different" in refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSY))

    def test_changed_order(self, film: Film) -> None:
        """Frames in another order are refused."""
        candidate = film.candidate(clip()[::-1], [*self.TIMES])
        assert "looks different" in refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSY))

    def test_changed_last_frame(self, film: Film) -> None:
        """The last frame counts as the first does."""
        candidate = film.candidate([*clip()[:3], ImageOps.invert(clip()[3])], [*self.TIMES])
        assert "looks different" in refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSY))

    def test_changed_loop(self, film: Film) -> None:
        """An animation that plays three times does not play for ever."""
        original = film.original(clip(), [*self.TIMES], loop=3)
        assert "number of plays" in refused(verify(original, film.candidate(clip(), [*self.TIMES]), LOSSY))

    def test_merged_frames(self, film: Film) -> None:
        """Frames that look the same may become one that lasts as long."""
        first, second = clip(2)
        nearly = first.copy()
        nearly.putpixel((40, 26), (0, 0, 0))
        original = film.original([first, nearly, second], [100, 200, 100])
        candidate = film.candidate([first, second], [300, 100])
        assert accepted(verify(original, candidate, LOSSY)) == candidate

    def test_times_that_browsers_do_not_tell_apart(self) -> None:
        """A GIF's delay of 0 lasts 100 ms on every screen, and may be written so."""
        original = Film("GIF").original(clip(), [0, 0, 0, 0])
        accepted(verify(original, Film("GIF").candidate(clip(), [100, 100, 100, 100]), LOSSY))

    def test_one_changed_pixel_of_a_frame(self, film: Film) -> None:
        """Lossless holds for every frame."""
        changed = [frame.copy() for frame in clip()]
        changed[2].putpixel((40, 26), (1, 2, 3))
        candidate = film.candidate(changed, [*self.TIMES])
        assert "lossless" in refused(verify(film.original(clip(), [*self.TIMES]), candidate, LOSSLESS))

    @pytest.mark.parametrize(
        ("position", "count"),
        rest_slow([(20, 40), (150, 300), (1, 300), (298, 300), (299, 300)], lambda row: row[1] < 300),
    )
    @pytest.mark.parametrize("recipe", [LOSSY, LOSSLESS], ids=["lossy", "lossless"])
    def test_one_replaced_frame_of_many(self, film: Film, recipe: Recipe, position: int, count: int) -> None:
        """Of many frames any single one that is another is seen."""
        drawn = [screen().crop((number % 60, 0, number % 60 + 80, 52)) for number in range(count)]
        replaced = [*drawn[:position], ImageOps.invert(drawn[position]), *drawn[position + 1 :]]
        original = film.original(drawn, [40] * count) + bytes(20_000)
        accepted(verify(original, film.candidate(drawn, [40] * count), recipe))
        reason = refused(verify(original, film.candidate(replaced, [40] * count), recipe))
        assert "looks different" in reason or "lossless" in reason

    def test_replaced_frame_and_looks_at_others(self, film: Film) -> None:
        """A replaced frame is refused also with looks at all frames as they should be."""
        drawn, looks = clip(), Looks()
        for frame in drawn:
            shown = pyvips.Image.new_from_memory(frame.convert("RGB").tobytes(), *frame.size, 3, "uchar")
            looks.measure(*[shown.copy(interpretation="srgb")] * 2, structure_limits(80, Format.PNG))
        replaced = [*drawn[:2], ImageOps.invert(drawn[2].convert("RGB")), *drawn[3:]]
        original = film.original(drawn, [*self.TIMES]) + bytes(20_000)
        accepted(verify(original, film.candidate(drawn, [*self.TIMES]), LOSSY, looks))
        assert "looks different" in refused(verify(original, film.candidate(replaced, [*self.TIMES]), LOSSY, looks))

    def test_default_picture_that_is_no_frame(self) -> None:
        """What viewers without animation show of an APNG must stay the same too."""
        original = hidden_default()
        at = original.index(b"IDAT")
        length = int.from_bytes(original[at - 4 : at], "big")
        blank = chunk(b"IDAT", zlib.compress(bytes(52 * (1 + 4 * 80)), 9))
        candidate = original[: at - 4] + blank + original[at + 8 + length :]
        assert refused(verify(original, candidate, LOSSLESS)) == "pixels changed, and quality 100 is lossless"

    def test_default_picture_that_becomes_the_first_frame(self) -> None:
        """An APNG whose own default picture is dropped shows another one to viewers without animation."""
        original = hidden_default()
        kept, first = b"", True
        for part in parts(original, Format.PNG):
            if part.kind == "fdAT" and first:
                kept += chunk(b"IDAT", original[part.body + 4 : part.body_end])
                first = False
            elif part.kind != "IDAT":
                kept += original[part.start : part.end]
        assert refused(verify(original, kept, LOSSLESS)) == "pixels changed, and quality 100 is lossless"


class TestReal:
    """Real pictures, and what they cost."""

    @pytest.mark.slow
    @pytest.mark.long
    def test_every_picture_is_like_itself(self, sweep: list[Path]) -> None:
        """Every real image with a spare byte is accepted in its own place, without loss."""
        unlike = {}
        for path in sweep:
            data = path.read_bytes()
            judgement = verify(data + bytes(9), data, LOSSLESS)
            if not isinstance(judgement, Accept):
                unlike[path.name] = judgement
        assert unlike == {}

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory where Linux tells it")
    def test_long_animation_in_bounded_memory(self, corpus: list[Path]) -> None:
        """1400 x 662 pixels in 178 frames, 660 MB in all, are compared in less than 300 MB."""
        film = named(corpus, "preview-demo.gif")
        code = (
            "import sys; from pathlib import Path; from imgshrink.pixels.verify import verify, Recipe\n"
            "film = Path(sys.argv[1]).read_bytes()\n"
            "print(type(verify(film + bytes(9), film, Recipe(80))).__name__)\n"
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        )
        done = subprocess.run([sys.executable, "-c", code, film], capture_output=True, text=True, check=True)
        judgement, peak = done.stdout.split()
        assert judgement == "Accept"
        assert int(peak) < 300_000


class TestHostile:
    """Bytes that mean harm."""

    @pytest.mark.parametrize("name", BOMBS)
    def test_bombs_are_refused_by_their_header(self, tmp_path: Path, name: str) -> None:
        """As original or as candidate, a bomb is not decoded: 200 MB are more than enough to refuse it."""
        bomb = tmp_path / name
        bomb.write_bytes(BOMBS[name])
        code = (
            "import resource, sys; from pathlib import Path; from imgshrink.pixels.verify import verify, Recipe\n"
            "resource.setrlimit(resource.RLIMIT_DATA, (200_000_000, 200_000_000))\n"
            "bomb = Path(sys.argv[1]).read_bytes()\n"
            "print(verify(bomb + bytes(9), bomb, Recipe(80)).reason)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, bomb], capture_output=True, text=True, check=True)
        assert "megapixels" in done.stdout

    def test_every_hostile_input(self, hostile_made: tuple[Path, dict[str, str]]) -> None:
        """Every hostile input gets a judgement, as original and as candidate."""
        files = [path for path in hostile_made[0].iterdir() if path.is_file()]
        for data in [path.read_bytes() for path in files if path.name != "gif-10k-frames.gif"]:
            assert isinstance(verify(data + b"\0", data, LOSSY), Accept | NotSmaller | Refuse)
            assert isinstance(verify(large(photo(), "JPEG"), data, LOSSLESS), NotSmaller | Refuse)

    @pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
    @costly
    @given(data=st.data())
    def test_damaged_candidate_never_raises(self, sample: Path, data: st.DataObject) -> None:
        """A candidate cut or flipped anywhere gets a judgement, and is accepted only if it shows the same picture."""
        original = sample.read_bytes()
        candidate = bytearray(original)
        for at in data.draw(st.lists(st.integers(0, len(original) - 1), max_size=4)):
            candidate[at] ^= data.draw(st.integers(1, 255))
        cut = (
            bytes(candidate[: data.draw(st.integers(0, len(original)))])
            if data.draw(st.booleans())
            else bytes(candidate)
        )
        judgement = verify(original + bytes(99), cut, LOSSLESS)
        if isinstance(judgement, Accept):
            assert isinstance(verify(judgement.data + bytes(99), original, LOSSLESS), Accept)

    @given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 100))
    def test_any_bytes_never_raise(self, original: bytes, candidate: bytes, quality: int) -> None:
        """Bytes that are no image are refused."""
        assert isinstance(verify(original, candidate, Recipe(quality)), Refuse)

    def test_any_error_is_a_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever goes wrong inside is one line for a person."""

        def broken(data: bytes) -> None:
            raise ValueError("outer\n  the cause \n")

        monkeypatch.setattr("imgshrink.pixels.verify.sniff", broken)
        assert verify(b"", b"", LOSSY) == Refuse("can't be compared: the cause")
        monkeypatch.setattr("imgshrink.pixels.verify.sniff", lambda data: {}[data])
        assert "can't be compared: b''" in refused(verify(b"", b"", LOSSY))
