"""Modern variants by kinds of images: what is exact shows every pixel, what has no variant is left alone."""

from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
from PIL import Image

import image_builder as build
from imgshrink.core.model import Variant
from imgshrink.engines.builtin.variants.exact import exact
from imgshrink.engines.builtin.variants.make import make
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.variants.judge import is_exact
from places import IMAGES
from sample_images import (
    animated,
    clip,
    cutout,
    deep_png,
    grey_animation,
    grey_profile,
    photo,
    saved,
    screen,
    wide_profile,
)

BOTH = ("webp", "avif")


def drawn() -> Image.Image:
    """A drawing of 96 x 64 with few colours and some transparency."""
    return cutout().resize((96, 96)).quantize(16).convert("RGBA").crop((0, 0, 96, 64))


STILLS = {
    "palette": saved(screen().quantize(64), "PNG"),
    "palette with transparency": saved(drawn().quantize(16), "PNG"),
    "rgb": saved(screen(), "PNG"),
    "rgba": saved(drawn(), "PNG"),
    "grey": saved(screen().convert("L"), "PNG"),
    "grey with alpha": saved(drawn().convert("LA"), "PNG"),
    "one bit": saved(screen().convert("1"), "PNG"),
    "colour key": saved(screen().crop((0, 0, 90, 60)), "PNG", transparency=screen().getpixel((0, 0))),
    "wide profile": saved(screen().crop((0, 0, 90, 60)), "PNG", icc_profile=wide_profile()),
    "profile that fits no grey image": saved(screen().convert("L"), "PNG", icc_profile=wide_profile()),
    "interlaced": bytes(pyvips.Image.new_from_buffer(saved(screen(), "PNG"), "").pngsave_buffer(interlace=True)),
    "one pixel": saved(Image.new("RGB", (1, 1), "red"), "PNG"),
    "one frame": saved(clip()[0], "GIF"),
    "one frame with transparency": saved(drawn().quantize(16), "GIF", transparency=0),
}


def by_pillow(data: bytes) -> np.ndarray:
    """The pixels as Pillow decodes them, black where they are fully transparent."""
    pixels = np.array(Image.open(io.BytesIO(data)).convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def by_libvips(data: bytes) -> np.ndarray:
    """The same as libvips decodes them, every frame one below the other."""
    image = pyvips.Image.new_from_buffer(data, "", **({"n": -1} if data[:3] == b"GIF" or data[:4] == b"RIFF" else {}))
    image.remove("icc-profile-data")
    image = image.colourspace("srgb")
    pixels = (image if image.hasalpha() else image.addalpha()).cast("uchar").numpy()
    return np.where(pixels[..., 3:] == 0, 0, pixels)


def lossless(data: bytes) -> Variant:
    """The exact variant, however little it saves."""
    info = sniff(data)
    assert info is not None
    found = exact(data, info)
    assert found is not None
    assert (found.suffix, found.media_type, found.score) == (".webp", "image/webp", None)
    return found


@pytest.mark.parametrize("data", STILLS.values(), ids=STILLS)
def test_exact(data: bytes) -> None:
    """Two decoders see the very pixels of the published image in its exact variant."""
    found = lossless(data).data
    assert np.array_equal(by_pillow(data), by_pillow(found))
    assert np.array_equal(by_libvips(data), by_libvips(found))


def test_profile() -> None:
    """An exact variant has the profile that browsers apply to the published image, and none that they do not."""
    assert read_metadata(lossless(STILLS["wide profile"]).data).icc == wide_profile()
    assert read_metadata(lossless(STILLS["profile that fits no grey image"]).data).icc == b""
    grey = saved(screen().convert("L"), "PNG", icc_profile=grey_profile(2.2))
    info = sniff(grey)
    assert info is not None
    assert exact(grey, info) is None


def frames_of(data: bytes) -> list[tuple[np.ndarray, int]]:
    """Each frame as Pillow composes it, with its duration; equal neighbours are one."""
    image = Image.open(io.BytesIO(data))
    found: list[tuple[np.ndarray, int]] = []
    for number in range(image.n_frames):
        image.seek(number)
        pixels = np.array(image.convert("RGBA"))
        pixels[pixels[..., 3] == 0] = 0
        duration = int(image.info.get("duration", 0))
        if found and np.array_equal(found[-1][0], pixels):
            found[-1] = (pixels, found[-1][1] + duration)
        else:
            found.append((pixels, duration))
    return found


def moving(disposal: int, **options: object) -> bytes:
    """A GIF of three frames on a transparent ground, which a part of each leaves as it was."""
    frames = [drawn().rotate(40 * number) for number in range(3)]
    return animated(frames, "GIF", (100, 250, 70), disposal=disposal, **options)


ANIMATIONS = {
    "rgb": animated(clip(), "GIF", (100, 250, 70, 30)),
    "grey": grey_animation(),
    "kept": moving(1),
    "cleared": moving(2),
    "restored": moving(3),
    "three plays": moving(2, loop=2),
    "real": (IMAGES / "animated.gif").read_bytes(),
}


@pytest.mark.parametrize("data", ANIMATIONS.values(), ids=ANIMATIONS)
def test_exact_animation(data: bytes) -> None:
    """An animated GIF keeps its frames, delays and number of plays, for two decoders."""
    found = lossless(data).data
    before, after = sniff(data), sniff(found)
    assert before is not None
    assert after is not None
    assert (after.loop, after.duration) == (before.loop, before.duration)
    assert [duration for _, duration in frames_of(found)] == [duration for _, duration in frames_of(data)]
    both = zip(frames_of(data), frames_of(found), strict=True)
    assert all(np.array_equal(left, right) for (left, _), (right, _) in both)
    assert np.array_equal(by_libvips(data), by_libvips(found))


def test_one_play() -> None:
    """A GIF that plays once has a variant that plays once."""
    data = animated(clip(), "GIF", 100).replace(build.gif_loop(0), b"")
    before, after = sniff(data), sniff(lossless(data).data)
    assert before is not None
    assert after is not None
    assert before.loop == after.loop == 1


@pytest.mark.parametrize(
    "candidate",
    [
        b"",
        saved(screen(), "PNG"),
        saved(screen(), "WEBP", quality=95),
        saved(screen().crop((0, 0, 430, 397)), "WEBP", lossless=True),
        saved(screen(), "WEBP", lossless=True)[:-20],
        saved(screen(), "WEBP", lossless=True, icc_profile=wide_profile()),
        animated([screen(), screen().rotate(180)], "WEBP", 100, lossless=True),
    ],
    ids=["nothing", "PNG", "lossy", "smaller", "cut", "with a profile", "moving"],
)
def test_not_exact(candidate: bytes) -> None:
    """Only a whole lossless WebP of the same pixels, frames and profile is exact."""
    data = saved(screen(), "PNG")
    assert is_exact(data, lossless(data).data)
    assert not is_exact(data, candidate)


def test_one_pixel_off() -> None:
    """A single level of a single pixel, or of its alpha, is seen; colours under full transparency are not."""
    image = drawn()
    data = saved(image, "PNG")
    changed = image.copy()
    red, green, blue, alpha = image.getpixel((48, 40))
    assert alpha
    changed.putpixel((48, 40), (red ^ 1, green, blue, alpha))
    assert not is_exact(data, saved(changed, "WEBP", lossless=True, exact=True))
    changed.putpixel((48, 40), (red, green, blue, alpha ^ 1))
    assert not is_exact(data, saved(changed, "WEBP", lossless=True, exact=True))
    hidden = next((x, y) for y in range(64) for x in range(96) if image.getpixel((x, y))[3] == 0)
    changed = image.copy()
    changed.putpixel(hidden, (200, 10, 30, 0))
    assert is_exact(data, saved(changed, "WEBP", lossless=True, exact=True))


@pytest.mark.parametrize("lost", [{"duration": 90}, {"loop": 3}])
def test_other_timing_is_not_exact(lost: dict[str, object]) -> None:
    """Other delays or another number of plays are another animation."""
    data = ANIMATIONS["rgb"]
    options: dict[str, object] = {"duration": [100, 250, 70, 30], "loop": 0} | lost
    frames = [Image.fromarray(pixels) for pixels, _ in frames_of(data)]
    save = {"save_all": True, "append_images": frames[1:], "lossless": True}
    assert is_exact(data, saved(frames[0], "WEBP", **save, duration=[100, 250, 70, 30], loop=0))
    assert not is_exact(data, saved(frames[0], "WEBP", **save, **options))


@pytest.mark.parametrize(
    "data",
    [
        (IMAGES / "still.webp").read_bytes(),
        (IMAGES / "animated.png").read_bytes(),
        deep_png(),
        saved(photo().convert("CMYK"), "JPEG"),
        saved(Image.new("L", (16_384, 40)), "PNG", compress_level=0),
        b"",
        (IMAGES / "photo.jpg").read_bytes()[:-100],
    ],
    ids=["WebP", "APNG", "16 bits", "CMYK", "a long side", "nothing", "cut"],
)
def test_none(data: bytes) -> None:
    """What no variant can show alike has none, at any quality."""
    assert make(None, data, 80, BOTH, 0) is None
    assert make(data, data, 100, BOTH, 0) is None


def test_lossless_quality() -> None:
    """At quality 100 a PNG and a GIF have an exact variant, a JPEG has none."""
    found = [make(None, data, 100, BOTH, 10) for data in (STILLS["palette"], ANIMATIONS["real"])]
    assert [variant and (variant.suffix, variant.score) for variant in found] == [(".webp", None)] * 2
    assert make(None, saved(photo(), "JPEG", quality=95), 100, BOTH, 10) is None


def test_a_tenth_and_a_kilobyte() -> None:
    """What saves less than is asked for, or less than a kilobyte, is no variant."""
    data = STILLS["palette"]
    saved_share = 100 - 100 * len(lossless(data).data) / len(data)
    assert make(None, data, 100, BOTH, saved_share - 1) is not None
    assert make(None, data, 100, BOTH, saved_share + 1) is None
    small = STILLS["palette with transparency"]
    assert len(lossless(small).data) < len(small) - 1
    assert len(lossless(small).data) > len(small) - 1000
    assert make(None, small, 100, BOTH, 0) is None


def test_formats() -> None:
    """A format that is switched off is not used."""
    assert make(None, STILLS["palette"], 100, ("avif",), 10) is None
    assert make(None, ANIMATIONS["real"], 80, ("avif",), 10) is None
    assert make(None, saved(photo(), "JPEG", quality=98), 80, (), 10) is None
