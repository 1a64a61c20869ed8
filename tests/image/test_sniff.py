"""Sniffing: every fact comes from the bytes, for each format, and nothing ever raises."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import CORPUS, WHY_SKIPPED
from image_builder import (
    IMAGES,
    SIGNATURE_SEGMENT,
    anim,
    anmf,
    chunk,
    damaged,
    frame_header,
    gif,
    gif_frame,
    gif_loop,
    jpeg,
    multi_picture,
    oriented,
    png,
    profile_segments,
    riff_chunk,
    segment,
    vp8,
    vp8l,
    vp8x,
    webp,
)
from imgshrink.core.model import Format
from imgshrink.image.sniff import describe, sniff

RGB = frame_header(components=b"RGB")
THREE = frame_header(components=b"\1\2\3")
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))


def frame_control(numerator: int, denominator: int) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 1, 0, 0, numerator, denominator, 0, 0))


def animation_control(frames: int = 2, plays: int = 0) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, plays))


EXTENDED = {"width": 16, "height": 16}
FACTS = [
    ("a grey JPEG", jpeg(), {"format": Format.JPEG, "width": 8, "height": 8, "colour": "grey", "depth": 8}),
    ("a JPEG of 12 bits", jpeg(frame=frame_header(depth=12), marker=0xC1), {"depth": 12}),
    ("a JPEG wider than high", jpeg(frame=frame_header(300, 20)), {"width": 300, "height": 20}),
    ("a JPEG whose height comes later", jpeg(frame=frame_header(9, 0), behind=segment(0xDC, b"\0\7")), {"height": 7}),
    ("a JPEG of three components", jpeg(frame=THREE), {"colour": "yuv"}),
    ("a JPEG of components named RGB", jpeg(frame=RGB), {"colour": "rgb"}),
    ("a JPEG that Adobe says is RGB", jpeg(adobe(0), frame=THREE), {"colour": "rgb"}),
    ("a JPEG that Adobe says is YCbCr", jpeg(adobe(1), frame=RGB), {"colour": "yuv"}),
    ("a JFIF file is YCbCr whatever Adobe says", jpeg(JFIF, adobe(0), frame=RGB), {"colour": "yuv"}),
    ("a JPEG of four components", jpeg(frame=frame_header(components=b"CMYK")), {"colour": "cmyk"}),
    ("a JPEG of two components", jpeg(frame=frame_header(components=b"ab")), {"colour": "yuv"}),
    ("a JPEG with a profile", jpeg(*profile_segments(b"profile")), {"colour_chunks": ("ICC",)}),
    ("a JPEG with an orientation", jpeg(segment(0xE1, b"Exif\0\0" + oriented(6))), {"orientation": 6}),
    (
        "a JPEG with XMP before EXIF",
        jpeg(segment(0xE1, b"http:"), segment(0xE1, b"Exif\0\0" + oriented(3))),
        {"orientation": 3},
    ),
    ("a JPEG of two images", jpeg(multi_picture(2)), {"image_count": 2}),
    ("a JPEG whose list holds one image", jpeg(multi_picture(1)), {"image_count": 1}),
    ("a JPEG whose list is broken", jpeg(segment(0xE2, b"MPF\0junk")), {"image_count": 1}),
    ("a signed JPEG", jpeg(SIGNATURE_SEGMENT), {"signed": True}),
    ("a JPEG with another APP11", jpeg(segment(0xEB, b"HDR_RI ver=11")), {"signed": False}),
    ("an arithmetic JPEG", jpeg(marker=0xC9), {"arithmetic": True}),
    ("a progressive JPEG", jpeg(marker=0xC2), {"arithmetic": False, "complete": True, "lossless": False}),
    ("a JPEG with bytes behind it", jpeg() + b"1234", {"trailing": 4, "complete": True}),
    ("a cut JPEG", jpeg()[:-2], {"trailing": 0, "complete": False}),
    (
        "a grey PNG",
        png(),
        {"format": Format.PNG, "width": 2, "height": 1, "colour": "grey", "alpha": False, "lossless": True},
    ),
    ("a PNG of 16 bits", png(depth=16), {"depth": 16}),
    ("a PNG with a palette", png(colour=3), {"colour": "palette", "alpha": False}),
    ("a PNG with RGB", png(colour=2), {"colour": "rgb", "alpha": False}),
    ("a PNG with grey and alpha", png(colour=4), {"colour": "grey", "alpha": True}),
    ("a PNG with RGB and alpha", png(colour=6), {"colour": "rgb", "alpha": True}),
    ("a PNG with a transparent colour", png(chunk(b"tRNS", b"\0\0")), {"alpha": True}),
    ("a PNG with an orientation", png(chunk(b"eXIf", oriented(8, "<"))), {"orientation": 8}),
    (
        "a PNG with colour chunks",
        png(chunk(b"cICP", b"\1"), chunk(b"gAMA"), chunk(b"iCCP")),
        {"colour_chunks": ("iCCP", "gAMA", "cICP")},
    ),
    (
        "a PNG whose colour chunk is broken",
        png(chunk(b"gAMA", checksum_off_by=1)),
        {"colour_chunks": (), "complete": True},
    ),
    ("a PNG whose transparency is broken", png(chunk(b"tRNS", b"\0\0", checksum_off_by=1)), {"alpha": False}),
    ("a PNG whose EXIF is broken", png(chunk(b"eXIf", oriented(8), checksum_off_by=1)), {"orientation": 1}),
    ("a signed PNG", png(chunk(b"caBX")), {"signed": True}),
    ("a PNG with a wrong checksum", png(behind=chunk(b"IDAT", checksum_off_by=1)), {"complete": False}),
    (
        "an animated PNG",
        png(animation_control(plays=3), frame_control(1, 10), behind=frame_control(1, 0) + chunk(b"fdAT")),
        {"frames": 2, "durations": (100, 10), "loop": 3},
    ),
    (
        "an animated PNG of one frame that is not the default image",
        png(animation_control(1), behind=frame_control(3, 100) + chunk(b"fdAT")),
        {"frames": 1, "durations": (30,), "loop": 0},
    ),
    ("a PNG with animation control but no frame", png(animation_control()), {"frames": 1, "durations": (), "loop": 1}),
    ("a PNG with broken animation control", png(chunk(b"acTL", b"\0"), frame_control(1, 1)), {"frames": 1, "loop": 1}),
    ("a PNG with animation control too late", png(behind=animation_control() + frame_control(1, 1)), {"frames": 1}),
    ("a PNG with frames and no control", png(frame_control(1, 1)), {"frames": 1, "durations": ()}),
    (
        "a GIF",
        gif(),
        {"format": Format.GIF, "width": 2, "height": 2, "colour": "palette", "frames": 1, "durations": (), "loop": 1},
    ),
    (
        "a still GIF with a delay",
        gif(gif_loop(0), gif_frame(5)),
        {"frames": 1, "durations": (), "loop": 1, "lossless": True},
    ),
    ("a GIF that plays once", gif(gif_frame(5), gif_frame(0), gif_frame()), {"durations": (50, 0, 0), "loop": 1}),
    (
        "a GIF that plays for ever",
        gif(gif_loop(0), gif_frame(1), gif_frame(1)),
        {"frames": 2, "durations": (10, 10), "loop": 0},
    ),
    ("a GIF that repeats twice", gif(gif_loop(2), gif_frame(1), gif_frame(1)), {"loop": 3}),
    ("a GIF with the other loop block", gif(gif_loop(1, b"ANIMEXTS1.0"), gif_frame(1), gif_frame(1)), {"loop": 2}),
    ("a GIF with a broken loop block", gif(b"!\xff\x0bNETSCAPE2.0\1\1\0", gif_frame(), gif_frame()), {"loop": 1}),
    ("a GIF with a buffering block", gif(b"!\xff\x0bNETSCAPE2.0\3\2\1\0\0", gif_frame(), gif_frame()), {"loop": 1}),
    ("a GIF with a transparent colour", gif(gif_frame(1), gif_frame(1, transparent=True)), {"alpha": True}),
    ("a GIF with a transparency that no frame uses", gif(gif_frame(), b"!\xf9\4\1\0\0\0\0"), {"alpha": False}),
    ("a GIF with a broken control block", gif(b"!\xf9\2\1\0\0", gif_frame()), {"alpha": False}),
    ("a GIF without a screen", gif(width=0, height=0), {"width": 1, "height": 1}),
    ("a GIF with half a screen", gif(width=7, height=0), {"width": 7, "height": 1}),
    ("a signed GIF", gif(b"!\xff\x0bC2PA_GIF\1\0\0\1x\0", gif_frame()), {"signed": True}),
    ("a cut GIF", gif(trailer=b""), {"complete": False, "frames": 1}),
    (
        "a lossy WebP",
        webp(vp8(300, 20)),
        {"format": Format.WEBP, "width": 300, "height": 20, "colour": "yuv", "lossless": False},
    ),
    (
        "a lossless WebP",
        webp(vp8l(300, 20)),
        {"width": 300, "height": 20, "colour": "rgb", "lossless": True, "alpha": False},
    ),
    ("a lossless WebP with alpha", webp(vp8l(alpha=True)), {"alpha": True}),
    ("a large lossless WebP", webp(vp8l(16384, 16384)), {"width": 16384, "height": 16384}),
    ("an extended WebP", webp(vp8x(width=16777216, height=2), vp8()), {"width": 16777216, "height": 2, "alpha": False}),
    ("an extended WebP with alpha", webp(vp8x(0x10), vp8()), {"alpha": True}),
    ("an extended WebP with an alpha chunk", webp(vp8x(), riff_chunk(b"ALPH", b"x"), vp8()), {"alpha": True}),
    ("an extended WebP with lossless alpha", webp(vp8x(), vp8l(alpha=True)), {"alpha": True, "lossless": True}),
    ("a WebP with a profile", webp(vp8x(0x20), riff_chunk(b"ICCP", b"x"), vp8()), {"colour_chunks": ("ICC",)}),
    ("a WebP with an orientation", webp(vp8x(8), vp8(), riff_chunk(b"EXIF", oriented(5))), {"orientation": 5}),
    (
        "a WebP with prefixed EXIF",
        webp(vp8x(8), vp8(), riff_chunk(b"EXIF", b"Exif\0\0" + oriented(5))),
        {"orientation": 5},
    ),
    ("a signed WebP", webp(vp8x(), vp8(), riff_chunk(b"C2PA")), {"signed": True}),
    (
        "an animated WebP",
        webp(vp8x(2), anim(3), anmf(40), anmf(65536)),
        {"frames": 2, "durations": (40, 65536), "loop": 3},
    ),
    ("an animated WebP without a header", webp(vp8x(2), anmf(40), anmf(1)), {"frames": 2, "loop": 1}),
    ("an animated WebP of one frame", webp(vp8x(2), anim(0), anmf(40)), {"frames": 1, "durations": (), "loop": 1}),
    ("an animated lossless WebP", webp(vp8x(2), anim(0), anmf(4, vp8l()), anmf(4, vp8l())), {"lossless": True}),
    (
        "an animated WebP of both kinds",
        webp(vp8x(2), anim(0), anmf(4, vp8l()), anmf(4)),
        {"lossless": False, "colour": "yuv"},
    ),
    (
        "an animated WebP with alpha",
        webp(vp8x(2), anim(0), anmf(4, riff_chunk(b"ALPH", b"x"), vp8()), anmf(4)),
        {"alpha": True},
    ),
    ("a WebP cut behind its header", webp(vp8x(), vp8())[:30], {"complete": False, "lossless": False}),
]


@pytest.mark.parametrize(("data", "facts"), [row[1:] for row in FACTS], ids=[row[0] for row in FACTS])
def test_facts(data: bytes, facts: dict[str, object]) -> None:
    """Each fact of the information is read from the bytes."""
    info = sniff(data)
    assert info is not None
    assert facts == {name: getattr(info, name) for name in facts}


NO_SIZE = {
    "nothing": b"",
    "a JPEG cut before its frame header": b"\xff\xd8\xff\xe0",
    "a JPEG with a short frame header": jpeg(frame=b"\x08\0"),
    "a JPEG of no height": jpeg(frame=frame_header(9, 0)),
    "a PNG cut in its header": png()[:20],
    "a PNG with a short header": png()[:8] + chunk(b"IHDR", bytes(9)),
    "a PNG that begins with another chunk": png()[:8] + chunk(b"gAMA", bytes(9)),
    "a PNG of no width": png(width=0),
    "a GIF cut in its header": gif()[:10],
    "a GIF without screen and frame": gif(b"!\xfe\0", width=0),
    "a WebP cut in its picture": webp(vp8())[:24],
    "a WebP without a picture": webp(riff_chunk(b"abcd")),
    "a WebP with a short picture": webp(riff_chunk(b"VP8 ", b"\x10\0\0")),
    "a WebP with a wrong start code": webp(riff_chunk(b"VP8 ", bytes(10))),
    "a WebP with a wrong lossless signature": webp(riff_chunk(b"VP8L", bytes(10))),
    "an extended WebP with a short header": webp(riff_chunk(b"VP8X", b"\0")),
}


@pytest.mark.parametrize("data", NO_SIZE.values(), ids=NO_SIZE.keys())
def test_no_size_no_information(data: bytes) -> None:
    """Where the size can't be known there is no information."""
    assert sniff(data) is None


DESCRIPTIONS = [
    (b"", "empty file"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "Git LFS pointer (run: git lfs pull)"),
    (b"<!DOCTYPE html>\n<html>", "HTML page"),
    (b"\xef\xbb\xbf\n <HTML>", "HTML page"),
    (b'<?xml version="1.0"?><svg/>', "SVG"),
    (b"<rss/>", "XML"),
    (b"\0\0\0\x1cftypavif", "AVIF"),
    (b"\0\0\0\x1cftypheic", "HEIC"),
    (b"\0\0\0\x1cftypisom", "video"),
    (b"\xff\x0a\1", "JPEG XL"),
    (b"\0\0\1\0\1\0", "ICO"),
    (b"GIF89b", "not an image that imgshrink knows"),
    (jpeg(), "JPEG image"),
    (jpeg()[:-1], "file ends early"),
    (jpeg(segment(2)), "file is damaged"),
    (jpeg(frame=frame_header(0, 0)), "file is damaged"),
    (png()[:20], "file ends early"),
    (png()[:-12], "file ends early"),
    (png(behind=chunk(b"IDAT", checksum_off_by=1)), "file is damaged"),
    (gif(trailer=b""), "file ends early"),
    (webp(vp8())[:-1], "file ends early"),
    (b"GIF89a=/*\0\0\0\0*/1;//", "file is damaged"),
]


@pytest.mark.parametrize(("data", "expected"), DESCRIPTIONS)
def test_describe(data: bytes, expected: str) -> None:
    """A person learns what the bytes are."""
    assert expected == describe(data)


@given(damaged() | damaged([row[1] for row in FACTS]) | st.binary(max_size=200))
def test_nothing_raises(data: bytes) -> None:
    """Whatever the bytes: information that makes sense, or none; and a description."""
    info = sniff(data)
    assert describe(data)
    if info is not None:
        assert info.width > 0 < info.height
        assert len(info.durations) in (0, info.frames)
        assert 1 <= info.orientation <= 8
        assert info.trailing < len(data)


def test_test_images() -> None:
    """The small images of this repository are what their names say."""
    infos = {path.name: sniff(path.read_bytes()) for path in IMAGES.iterdir() if path.suffix != ".md"}
    assert all(info is not None and info.complete for info in infos.values())
    assert {"animated.gif", "animated.png", "animated.webp"} == {
        name for name, info in infos.items() if info and info.animated
    }


def manifest() -> list[dict[str, str]]:
    with (CORPUS / "MANIFEST.csv").open(newline="", encoding="utf-8") as rows:
        return [row for row in csv.DictReader(rows) if not row["path"].startswith("hostile/")]


@pytest.mark.skipif(not CORPUS.is_dir(), reason=WHY_SKIPPED)
def test_corpus_agrees_with_its_manifest() -> None:
    """Format, size and frames of every real image are what another decoder found."""
    named = {"JPEG": Format.JPEG, "PNG": Format.PNG, "GIF": Format.GIF, "WEBP": Format.WEBP}
    for row in manifest():
        info = sniff((CORPUS / row["path"]).read_bytes())
        if row["format"] not in named:
            assert info is None, row
            continue
        assert info is not None
        expected = (named[row["format"]], int(row["width"]), int(row["height"]), int(row["frames"]))
        assert expected == (info.format, info.width, info.height, info.frames), row
        assert info.complete, row


HOSTILE = {
    "truncated.png": "file ends early",
    "truncated.jpg": "file ends early",
    "truncated.gif": "file ends early",
    "truncated.webp": "file ends early",
    "truncated-noiend.png": "file ends early",
    "bad-crc-idat.png": "file is damaged",
    "zero.png": "empty file",
    "html-error.png": "HTML page",
    "lfs-pointer.png": "Git LFS pointer (run: git lfs pull)",
    "svg-as-png.png": "SVG",
    "polyglot-gif.js.gif": "file ends early",
    "png-as-jpg.jpg": "PNG image",
    "bad-crc-ancillary.png": "PNG image",
}


def test_hostile_descriptions(hostile_made: tuple[Path, dict[str, str]]) -> None:
    """Hostile inputs are called what they are."""
    assert {name: describe((hostile_made[0] / name).read_bytes()) for name in HOSTILE} == HOSTILE


HOSTILE_FACTS: dict[str, dict[str, object]] = {
    "ok-animated.gif": {"frames": 8, "durations": (100, 200, 50, 50, 100, 300, 100, 100), "loop": 0},
    "gif-loop2-nobg.gif": {"frames": 4, "loop": 3, "alpha": True},
    "gif-noloop.gif": {"loop": 1, "durations": (80, 80, 80, 80)},
    "gif-10k-frames.gif": {"frames": 10000},
    "apng.png": {"frames": 6, "durations": (100,) * 6, "loop": 3, "alpha": True},
    "apng-hidden-default.png": {"frames": 5, "loop": 3},
    "animated.webp": {"frames": 6, "durations": (100, 50, 200, 100, 100, 300), "loop": 0},
    "lossless-alpha.webp": {"lossless": True, "alpha": True},
    "mpo.jpg": {"image_count": 2},
    "cmyk.jpg": {"colour": "cmyk"},
    "gray.jpg": {"colour": "grey"},
    "gray16.png": {"colour": "grey", "depth": 16},
    "one-bit.png": {"depth": 1},
    "palette-trns.png": {"colour": "palette", "alpha": True},
    "gamma-1.0.png": {"colour_chunks": ("gAMA",)},
    "display-p3.png": {"colour_chunks": ("iCCP",)},
    "display-p3.jpg": {"colour_chunks": ("ICC",)},
    "exif-orient6.jpg": {"orientation": 6, "displayed": (160, 240)},
    "exif-orient6.png": {"orientation": 6},
    "exif-orient6.webp": {"orientation": 6},
    "trailing-garbage.jpg": {"trailing": 4096},
    "trailing-crlf.png": {"trailing": 2},
    "bomb-60000-header.png": {"pixels": 3_600_000_000},
    "bomb-gif-canvas.gif": {"pixels": 65535**2},
}


def test_hostile_facts(hostile_made: tuple[Path, dict[str, str]]) -> None:
    """What makes a hostile input special is seen before anything is decoded."""
    infos = {name: sniff((hostile_made[0] / name).read_bytes()) for name in HOSTILE_FACTS}
    found = {name: {fact: getattr(infos[name], fact) for fact in facts} for name, facts in HOSTILE_FACTS.items()}
    assert found == HOSTILE_FACTS
