"""Which published images may have a variant, and which bytes can be one."""

from __future__ import annotations

import pytest
from PIL import Image

import image_builder as build
from imgshrink.core.model import Variant
from imgshrink.image.seal import seal
from imgshrink.image.sniff import sniff
from imgshrink.image.variants.rules import fits, needed, why_none
from places import IMAGES
from sample_images import animated, clip, cutout, deep_png, photo, saved

GAMMA = build.chunk(b"gAMA", (45455).to_bytes(4, "big"))
SRGB = build.chunk(b"sRGB", b"\0")


@pytest.mark.parametrize(
    "name", ["still.png", "palette.png", "profile.png", "drawing.png", "photo.jpg", "animated.gif"]
)
def test_allowed(name: str) -> None:
    """PNG, JPEG and GIF may have variants, sealed or not."""
    data = (IMAGES / name).read_bytes()
    assert why_none(data) == why_none(seal(data, 80)) == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it can't be read"),
        ((IMAGES / "photo.jpg").read_bytes()[:-30], "it can't be read"),
        ((IMAGES / "still.webp").read_bytes(), "it is a WebP"),
        ((IMAGES / "animated.png").read_bytes(), "it is an animated PNG"),
        (deep_png(), "it has 16 bits a sample"),
        (saved(photo().convert("CMYK"), "JPEG"), "it is in CMYK"),
        (build.png(GAMMA), "its colours are defined by gAMA or cHRM"),
        (build.png(build.chunk(b"cICP", bytes(4))), "it has a high dynamic range"),
        (build.png(build.chunk(b"eXIf", build.oriented(6))), "it is a PNG that EXIF turns, which not all browsers do"),
        (build.png(width=16_384), "a side is longer than 16383 pixels"),
        (build.png(width=6_000, height=6_000), "it has more than 16 megapixels"),
        (
            build.gif(*[build.gif_frame(10)] * 17, width=4_000, height=4_000),
            "its frames hold over 256 megapixels",
        ),
        (build.png(width=16_000, height=16_000), "16000 x 16000 is over 64 megapixels"),
        (build.jpeg(build.SIGNATURE_SEGMENT), "it is signed (C2PA)"),
        (
            build.jpeg(build.segment(0xE1, b"Exif\0\0" + build.dense(4, 4)), frame=build.frame_header(8, 8)),
            "EXIF gives it another size",
        ),
    ],
)
def test_not_allowed(data: bytes, reason: str) -> None:
    """What a variant can't show alike in every browser has none, and the reason says why."""
    assert why_none(data) == reason


def test_gamma_beside_srgb() -> None:
    """What sRGB or a profile defines, gAMA does not."""
    assert why_none(build.png(SRGB, GAMMA)) == ""


def test_needed() -> None:
    """A variant saves a share, and at least a kilobyte."""
    assert (needed(5_000, 10), needed(50_000, 10), needed(50_000, 0.5)) == (1_000, 5_000, 1_000)


def webp(image: Image.Image) -> Variant:
    """A variant of an image."""
    return Variant(".webp", "image/webp", saved(image, "WEBP", lossless=True), None)


def test_fits() -> None:
    """A variant is a whole image of the displayed size; a still has no moving variant."""
    info = sniff(saved(cutout(), "PNG"))
    assert info is not None
    assert fits(webp(cutout()), info)
    assert fits(Variant(".avif", "image/avif", saved(cutout(), "AVIF"), 90.0), info)
    wrong = [
        webp(cutout().resize((8, 8))),
        Variant(".webp", "image/webp", saved(cutout(), "PNG"), None),
        Variant(".webp", "image/webp", webp(cutout()).data[:-9], None),
        Variant(".webp", "image/webp", b"", None),
        Variant(".avif", "image/avif", webp(cutout()).data, None),
        Variant(".avif", "image/avif", saved(photo(), "AVIF"), None),
    ]
    assert [fits(variant, info) for variant in wrong] == [False] * len(wrong)
    still = sniff(saved(clip()[0], "GIF"))
    moving = sniff(animated(clip(), "GIF", 100))
    assert still is not None
    assert moving is not None
    clip_of_webp = Variant(".webp", "image/webp", animated(clip(), "WEBP", 100, lossless=True), None)
    assert (fits(clip_of_webp, still), fits(clip_of_webp, moving)) == (False, True)
