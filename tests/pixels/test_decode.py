"""Decoding, showing, comparing: libvips within limits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
import pyvips
from PIL import Image, ImageOps

from hostile_images import hidden_default
from image_builder import PNG_SIGNATURE, chunk, gif, gif_frame, oriented, png
from imgshrink.core.model import ImageInfo
from imgshrink.image.sniff import sniff
from imgshrink.pixels.color import displayed, stored
from imgshrink.pixels.compare import Difference, identical, measure
from imgshrink.pixels.decode import Undecodable, still
from imgshrink.pixels.frames import delays, frames, pairs
from places import IMAGES
from sample_images import animated, clip, colourful, cutout, deep_png, photo, saved, screen, wide_profile

FORMATS = ("GIF", "WEBP", "PNG")


def info_of(data: bytes) -> ImageInfo:
    """What the bytes say; they must say something."""
    info = sniff(data)
    assert info is not None
    return info


def vips(image: Image.Image) -> pyvips.Image:
    """A Pillow image as libvips sees it."""
    data = saved(image, "PNG")
    return still(data, info_of(data)).copy_memory()


def pillow_frames(data: bytes) -> list[Image.Image]:
    """The composed frames as Pillow sees them, RGBA."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(image.n_frames):
            image.seek(number)
            found.append(image.convert("RGBA"))
    return found


class TestStill:
    """Opening a picture."""

    @pytest.mark.parametrize("name", ["camera.jpg", "drawing.png", "still.webp"])
    def test_size(self, name: str) -> None:
        """The decoder and the container agree on the size."""
        data = (IMAGES / name).read_bytes()
        image, info = still(data, info_of(data)), info_of(data)
        assert (image.width, image.height) == (info.width, info.height)

    def test_animation_is_opened_at_its_first_frame(self) -> None:
        """Only one frame of an animation is a still."""
        data = (IMAGES / "animated.gif").read_bytes()
        assert still(data, info_of(data)).height == info_of(data).height

    def test_too_many_pixels_are_refused_by_the_header(self) -> None:
        """An image over the limit is not even opened."""
        data = png(width=60_000, height=60_000)
        with pytest.raises(Undecodable, match="megapixels"):
            still(data, info_of(data))

    def test_header_that_understates_its_pixels_is_refused(self) -> None:
        """What the decoder would allocate counts, not what was told about the image."""
        bomb = png(width=60_000, height=60_000)
        with pytest.raises(Undecodable, match="more pixels"):
            still(bomb, info_of(png()))

    @pytest.mark.parametrize("name", ["camera.jpg", "still.png"])
    def test_cut_pixels_are_an_error(self, name: str) -> None:
        """A picture whose data stop is not filled up with grey."""
        data = (IMAGES / name).read_bytes()
        with pytest.raises(pyvips.Error):
            still(data[: len(data) // 2], info_of(data)).avg()


class TestDisplayed:
    """What a viewer sees."""

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation(self, orientation: int) -> None:
        """Each orientation turns the picture as Pillow does."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = ImageOps.exif_transpose(Image.open(io.BytesIO(saved(screen(), "PNG", exif=exif))))
        assert identical(vips(turned), displayed(vips(screen()), b"", orientation))

    def test_own_orientation_and_profile_do_not_count(self) -> None:
        """Only what the caller says is applied: a file's own tags are read by `metadata`."""
        tagged = still(data := saved(colourful(), "PNG", icc_profile=wide_profile()), info_of(data))
        assert identical(vips(colourful()), displayed(tagged, b"", 1))

    def test_profile_changes_colours(self) -> None:
        """Loud colours under wider primaries are louder."""
        image = vips(colourful())
        assert measure(displayed(image, b"", 1), displayed(image, wide_profile(), 1)).mean > 1

    def test_damaged_profile_counts_as_none(self) -> None:
        """A profile that is cut changes nothing and fails nothing."""
        image = vips(colourful())
        assert identical(image, displayed(image, wide_profile()[:60] + b"junk", 1))

    def test_profile_with_damaged_tags_fails_nothing(self) -> None:
        """A profile with a right header and nonsense behind it is as good as none."""
        profile = wide_profile()
        nonsense = profile[:128] + b"\xff" * (len(profile) - 128)
        assert displayed(vips(photo()), nonsense, 1).copy_memory().bands == 3

    def test_profile_for_other_colours_counts_as_none(self) -> None:
        """Grey samples are not read by a profile for RGB."""
        image = vips(photo().convert("L"))
        assert identical(displayed(image, b"", 1), displayed(image, wide_profile(), 1))

    @pytest.mark.parametrize(("mode", "bands"), [("1", 3), ("L", 3), ("LA", 4), ("RGB", 3), ("RGBA", 4), ("P", 4)])
    def test_every_picture_becomes_rgb_of_8_bits(self, mode: str, bands: int) -> None:
        """Grey, palette and alpha: three bands, or four."""
        shown = displayed(vips(cutout().convert(mode)), b"", 1)
        assert (shown.bands, shown.format) == (bands, "uchar")

    def test_sixteen_bits_become_eight(self) -> None:
        """A viewer's screen has 8 bits a sample, with a profile and without."""
        image = still(data := deep_png(), info_of(data)).copy_memory()
        assert displayed(image, b"", 1).format == "uchar"
        assert displayed(image.colourspace("rgb16"), wide_profile(), 1).format == "uchar"


class TestStored:
    """What a lossless copy must keep."""

    def test_grey_is_rgb_of_equal_samples(self) -> None:
        """A grey PNG written as RGB lost nothing."""
        grey = photo().convert("L")
        left, right = stored(vips(grey), 1, deep=False), stored(vips(grey.convert("RGB")), 1, deep=False)
        assert identical(left, right)

    def test_eight_bits_widen_to_sixteen(self) -> None:
        """16-bit samples that repeat their byte are the same as 8-bit ones, with their alpha."""
        image = vips(cutout())
        wide = (image * 257).cast("ushort").copy(interpretation="rgb16")
        assert identical(stored(image, 1, deep=True), stored(wide, 1, deep=True))

    def test_sixteen_bits_keep_their_low_byte(self) -> None:
        """A 16-bit picture is not its 8-bit version."""
        image = still(data := deep_png(), info_of(data)).copy_memory()
        assert not identical(stored(image, 1, deep=True), stored(image.colourspace("b-w"), 1, deep=True))

    def test_colours_that_nobody_sees_do_not_count(self) -> None:
        """RGB under full transparency may change."""
        visible = cutout()
        cleaned = Image.new("RGBA", visible.size, (9, 99, 199, 0))
        cleaned.paste(visible, mask=visible.getchannel("A").point(lambda alpha: 255 if alpha else 0))
        assert visible.tobytes() != cleaned.tobytes()
        assert identical(stored(vips(visible), 1, deep=False), stored(vips(cleaned), 1, deep=False))


class TestDifference:
    """Measuring."""

    def test_same_image(self) -> None:
        """A picture is not different from itself."""
        assert measure(vips(photo()), vips(photo())) == Difference()

    @pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (9, 17), (20_000, 2), (1, 20_000)])
    def test_black_beside_white(self, size: tuple[int, int]) -> None:
        """Pictures of any size are compared to their edges."""
        look = measure(vips(Image.new("RGB", size)), vips(Image.new("RGB", size, "white")))
        assert (round(look.worst), look.mean) == (100, 255)

    def test_last_row_counts(self) -> None:
        """A change in the last row of the last strip is seen, and weighs as much as it covers."""
        plain = Image.new("RGB", (2048, 801))
        changed = plain.copy()
        changed.paste("white", (0, 800, 2048, 801))
        look = measure(vips(plain), vips(changed))
        assert (round(look.worst), round(look.mean * 801)) == (100, 255)
        assert not identical(vips(plain), vips(changed))

    @pytest.mark.parametrize("colour", ["black", "white"])
    def test_dropped_alpha_is_seen_on_the_other_ground(self, colour: str) -> None:
        """Filling transparency with black or with white hides it on that ground only."""
        filled = Image.new("RGBA", cutout().size, colour)
        filled.alpha_composite(cutout())
        look = measure(vips(cutout()), vips(filled.convert("RGB")))
        assert look.worst == pytest.approx(100, abs=0.1)
        assert look.faded == 255

    def test_opaque_alpha_is_no_difference(self) -> None:
        """An alpha channel without transparency may go."""
        assert measure(vips(photo().convert("RGBA")), vips(photo())) == Difference()
        assert identical(vips(photo()), vips(photo().convert("RGBA")))

    def test_alpha_that_comes_is_a_difference_but_not_lost(self) -> None:
        """A hole in the result is seen as a change; it has not faded."""
        holed = photo().convert("RGBA")
        holed.paste((0, 0, 0, 0), (0, 0, 64, 64))
        look = measure(vips(photo()), vips(holed))
        assert look.worst > 50
        assert look.faded <= 0

    def test_other_size_is_not_identical(self) -> None:
        """Equal rows of another number are another picture."""
        assert not identical(vips(Image.new("RGB", (8, 8))), vips(Image.new("RGB", (8, 16))))

    def test_larger_of_each(self) -> None:
        """Frames add up to the worst of all."""
        assert Difference(1, 9, 3).or_worse(Difference(4, 2, 3)) == Difference(4, 9, 3)


class TestFrames:
    """Animations, frame after frame."""

    @pytest.mark.parametrize("format", FORMATS)
    def test_frames_are_those_of_another_decoder(self, format: str) -> None:
        """Composed frames look as Pillow composes them."""
        data = animated(clip(6), format, 80, lossless=True)
        expected = pillow_frames(data)
        shown = [displayed(frame, b"", 1) for frame in frames(data, info_of(data), range(6))]
        assert [measure(vips(one), other).worst for one, other in zip(expected, shown, strict=True)] == [0] * 6

    @pytest.mark.parametrize("format", FORMATS)
    def test_frames_may_be_left_out_and_repeated(self, format: str) -> None:
        """Any rising numbers give the frames they name."""
        data = animated(clip(6), format, 80, lossless=True)
        every = list(frames(data, info_of(data), range(6)))
        some = list(frames(data, info_of(data), (1, 1, 4, 5, 5)))
        assert all(identical(every[n], frame) for n, frame in zip((1, 1, 4, 5, 5), some, strict=True))

    @pytest.mark.parametrize("dispose", [0, 1, 2])
    @pytest.mark.parametrize("blend", [0, 1])
    def test_disposal_and_blending_of_apng(self, dispose: int, blend: int) -> None:
        """Small frames laid over or in place of what stands, which stays, is cleared or comes back."""
        drawn = [cutout().resize((64 - 16 * number, 48)).rotate(90 * number) for number in range(3)]
        canvas = Image.new("RGBA", (64, 48))
        expected, pieces = [], []
        for number, frame in enumerate(drawn):
            place = (16 * number, 0)
            stands = canvas.copy()
            if blend:
                canvas.alpha_composite(frame, place)
            else:
                canvas.paste(frame, place)
            expected.append(canvas.copy())
            pieces.append((frame, place))
            if dispose == 2:
                canvas = stands
            elif dispose == 1:
                canvas.paste((0, 0, 0, 0), (*place, place[0] + frame.width, frame.height))
        data = apng_of(pieces, dispose, blend)
        shown = [displayed(frame, b"", 1) for frame in frames(data, info_of(data), range(3))]
        looks = [measure(vips(one), other) for one, other in zip(expected, shown, strict=True)]
        assert max(look.mean for look in looks) < 0.2
        assert max(look.worst for look in looks) < 1

    def test_palette_of_apng(self) -> None:
        """The palette and its transparency, written once before the first frame, hold for all."""
        drawn = [cutout().resize((64, 64)).rotate(90 * number).quantize(16) for number in range(3)]
        data = animated(drawn, "PNG", 80)
        shown = [displayed(frame, b"", 1) for frame in frames(data, info_of(data), range(3))]
        looks = [measure(vips(one), other) for one, other in zip(pillow_frames(data), shown, strict=True)]
        assert [look.worst for look in looks] == [0] * 3

    @pytest.mark.parametrize("name", ["animated.gif", "animated.webp", "animated.png"])
    def test_delays(self, name: str) -> None:
        """The decoder and the container agree on the durations."""
        data = (IMAGES / name).read_bytes()
        assert delays(data, info_of(data)) == info_of(data).durations

    def test_delays_of_every_animation(self, corpus: list[Path]) -> None:
        """The same for every real animation."""
        animations = [data for path in corpus if (info := sniff(data := path.read_bytes())) and info.animated]
        assert [delays(data, info_of(data)) for data in animations] == [info_of(data).durations for data in animations]

    def test_missing_frame(self) -> None:
        """Fewer frames than the header promises are an error, not a shorter animation."""
        data = animated(clip(3), "PNG", 80)
        with pytest.raises(Undecodable, match="missing"):
            list(frames(data, info_of(data), range(4)))

    @pytest.mark.parametrize(("width", "left"), [(0, 0), (80, 1), (81, 0)])
    def test_frame_outside_of_the_picture(self, width: int, left: int) -> None:
        """A frame of no size or beyond the canvas is refused."""
        data = with_last_control(animated(clip(2), "PNG", 80), struct.pack(">IIII", width, 1, left, 0))
        with pytest.raises((Undecodable, pyvips.Error)):
            list(frames(data, info_of(data), range(2)))

    def test_huge_frame_of_apng_is_refused_before_it_is_decoded(self) -> None:
        """A frame's own header may not ask for more than the limit either."""
        data = with_last_control(animated(clip(2), "PNG", 80), struct.pack(">IIII", 60_000, 60_000, 0, 0))
        with pytest.raises(Undecodable, match="too large"):
            list(frames(data, info_of(data), range(2)))


def apng_of(pieces: list[tuple[Image.Image, tuple[int, int]]], dispose: int, blend: int) -> bytes:
    """An APNG of RGBA frames at their places, the first of which covers the canvas."""
    (width, height), chunks = pieces[0][0].size, []
    for number, (frame, place) in enumerate(pieces):
        row = 4 * frame.width
        pixels = frame.tobytes()
        rows = zlib.compress(b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row)))
        where = struct.pack(">IIIII", max(0, 2 * number - 1), *frame.size, *place)
        chunks.append(chunk(b"fcTL", where + struct.pack(">HHBB", 1, 10, dispose, blend)))
        chunks.append(chunk(b"fdAT", struct.pack(">I", 2 * number) + rows) if number else chunk(b"IDAT", rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    animation = chunk(b"acTL", struct.pack(">II", len(pieces), 0))
    return PNG_SIGNATURE + header + animation + b"".join(chunks) + chunk(b"IEND")


def with_last_control(data: bytes, place: bytes) -> bytes:
    """An APNG whose last frame claims another size and place."""
    at = data.rindex(b"fcTL")
    control = data[at + 4 : at + 8] + place + data[at + 24 : at + 30]
    return data[: at - 4] + chunk(b"fcTL", control) + data[at + 34 :]


class TestPairs:
    """What is held side by side."""

    def test_stills(self) -> None:
        """Two stills are one pair."""
        data = (IMAGES / "camera.jpg").read_bytes()
        assert len(list(pairs(data, data, info_of(data), info_of(data)))) == 1

    @pytest.mark.parametrize("name", ["animated.gif", "animated.webp", "animated.png"])
    def test_every_frame(self, name: str) -> None:
        """Animations of one timing are compared frame by frame."""
        data = (IMAGES / name).read_bytes()
        info = info_of(data)
        found = list(pairs(data, data, info, info))
        assert len(found) == info.frames
        assert all(identical(left, right) for left, right in found)

    def test_picture_that_is_no_frame(self) -> None:
        """The default picture of an APNG, if no frame, is compared too."""
        data = hidden_default()
        info = info_of(data)
        assert len(list(pairs(data, data, info, info))) == info.frames + 1

    def test_frames_that_the_decoder_does_not_see(self) -> None:
        """A decoder that stops early has not seen the animation."""
        whole = gif(gif_frame(10), gif_frame(10), gif_frame(10))
        longer = info_of(gif(gif_frame(10), gif_frame(10), gif_frame(10), gif_frame(10)))
        with pytest.raises(Undecodable, match="damaged"):
            list(pairs(whole, whole, longer, longer))


def test_orientation_of_a_made_file() -> None:
    """The test's own EXIF is the one that sniff reads."""
    assert info_of(png(chunk(b"eXIf", oriented(6)))).orientation == 6
