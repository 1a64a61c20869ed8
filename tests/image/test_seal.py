"""The seal: bound to every other byte, at one place, gone without a trace, and no decoder sees it."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_builder import (
    SAMPLES,
    SIGNATURE_SEGMENT,
    anim,
    anmf,
    chunk,
    damaged,
    gif,
    gif_frame,
    jpeg,
    multi_picture,
    png,
    riff_chunk,
    segment,
    vp8,
    vp8l,
    vp8x,
    webp,
)
from imgshrink.core.model import Format
from imgshrink.image.containers import identify, parts
from imgshrink.image.seal import COST, read_seal, seal, unseal, why_not_sealable
from imgshrink.image.sniff import sniff

MARK = b"imgshrink1 q80 0123456789abcdef"


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name)
def image(request: pytest.FixtureRequest) -> bytes:
    return Path(request.param).read_bytes()


def flips(data: bytes, step: int) -> Iterator[bytes]:
    """The data with one bit of every `step`th byte turned, and of each of the last hundred."""
    for at in {*range(0, len(data), step), *range(max(0, len(data) - 100), len(data))}:
        yield data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def test_unseal_gives_the_image_back(image: bytes) -> None:
    """Sealing and unsealing leaves every byte as it was."""
    assert image == unseal(seal(image, 80))


@pytest.mark.parametrize("quality", [1, 9, 10, 80, 99, 100])
def test_seal_says_its_quality(image: bytes, quality: int) -> None:
    """A seal is read back with the quality it was written with."""
    assert quality == read_seal(seal(image, quality))


def test_seal_costs_what_the_table_says(image: bytes) -> None:
    """A seal of a two-digit quality adds exactly the published number of bytes."""
    kind = identify(image)
    assert kind is not None
    assert len(image) + COST[kind] == len(seal(image, 80))


def test_seal_holds_the_hash_of_the_image_without_it(image: bytes) -> None:
    """The mark's 16 digits are the first of the SHA-256 of the unsealed file."""
    assert b"imgshrink1 q80 " + hashlib.sha256(image).hexdigest()[:16].encode() in seal(image, 80)


def test_sealed_image_is_whole_and_says_the_same(image: bytes) -> None:
    """What the container says of the picture is the same with a seal."""
    assert sniff(image) == sniff(seal(image, 80))


def test_an_unsealed_image_has_no_seal(image: bytes) -> None:
    """An image that never was sealed reads as None, and unseal returns it as it is."""
    assert (None, image) == (read_seal(image), unseal(image))


def test_every_changed_byte_invalidates(image: bytes) -> None:
    """Whatever byte of a sealed file is changed, the seal is no longer valid; its quality alone is not bound."""
    sealed = seal(image, 80)
    for changed in flips(sealed, max(1, len(image) // 300)):
        quality = read_seal(changed)
        assert quality is None or changed == sealed.replace(b"q80", b"q%d" % quality)


def test_sealing_again_replaces_the_seal(image: bytes) -> None:
    """An image bears one seal, the last."""
    assert seal(image, 80) == seal(seal(image, 90), 80)


def test_a_stale_mark_is_replaced(image: bytes) -> None:
    """An image that was edited since it was sealed gets a seal in place of the stale mark."""
    stale = re.sub(rb"imgshrink1 q80 [0-9a-f]{16}", MARK, seal(image, 80))
    assert (None, image, seal(image, 80)) == (read_seal(stale), unseal(stale), seal(unseal(stale), 80))


def test_bytes_behind_the_end_stay_and_are_sealed_too(image: bytes) -> None:
    """What follows the container stays where it is, and changing it invalidates the seal."""
    sealed = seal(image + b"behind", 80)
    assert sealed.endswith(b"behind")
    assert (80, image + b"behind", None) == (read_seal(sealed), unseal(sealed), read_seal(sealed[:-1]))


@pytest.mark.parametrize(
    ("sealed", "kind", "following"),
    [
        (jpeg(segment(0xE0), segment(0xE1), segment(0xDB), segment(0xE5)), "COM", "DQT"),
        (jpeg(segment(0xFE, b"camera's own")), "COM", "COM"),
        (jpeg(), "COM", "SOF0"),
        (png(behind=chunk(b"tEXt", b"Software\0other")), "tEXt", "IEND"),
        (gif(gif_frame(), b"!\xfe\2hi\0"), "extension:comment", "trailer"),
        (webp(vp8x(), vp8(), riff_chunk(b"EXIF", b"x")), "imgs", None),
    ],
    ids=["behind the APPn", "before another comment", "behind SOI", "before IEND", "before the trailer", "last chunk"],
)
def test_place_of_the_seal(sealed: bytes, kind: str, following: str | None) -> None:
    """The seal is at one place only, whatever else the container holds."""
    data = seal(sealed, 80)
    known = identify(data)
    assert known is not None
    walked = [*parts(data, known)]
    at = next(number for number, part in enumerate(walked) if b"imgshrink1" in data[part.body : part.body_end])
    assert (kind, following) == (walked[at].kind, walked[at + 1].kind if at + 1 < len(walked) else None)


COMMENT = segment(0xFE, MARK)
TEXT = chunk(b"tEXt", b"Software\0" + MARK)
EXTENSION = b"!\xfe\x1f" + MARK + b"\0"
PRIVATE = riff_chunk(b"imgs", MARK)
MARKED = {
    "one mark in a JPEG": (jpeg(segment(0xE0), COMMENT), jpeg(segment(0xE0))),
    "two marks in a JPEG": (jpeg(COMMENT, COMMENT), jpeg()),
    "a mark before the application segments": (jpeg(COMMENT, segment(0xE0)), jpeg(segment(0xE0))),
    "marks before and behind the application segments": (jpeg(COMMENT, segment(0xE0), COMMENT), jpeg(segment(0xE0))),
    "a mark behind fill bytes": (jpeg(b"\xff\xff" + COMMENT), jpeg()),
    "one mark in a PNG": (png(behind=TEXT), png()),
    "two marks in a PNG": (png(behind=TEXT + TEXT), png()),
    "a mark with a wrong checksum": (png(behind=chunk(b"tEXt", b"Software\0" + MARK, checksum_off_by=1)), png()),
    "one mark in a GIF": (gif(gif_frame(), EXTENSION), gif()),
    "two marks in a GIF": (gif(gif_frame(), EXTENSION, EXTENSION), gif()),
    "one mark in a WebP": (webp(vp8(), PRIVATE), webp(vp8())),
    "two marks in a WebP": (webp(vp8(), PRIVATE, PRIVATE), webp(vp8())),
}
UNMARKED = {
    "a mark behind the tables": jpeg(segment(0xDB), COMMENT),
    "a mark before the image data": png(TEXT),
    "a mark under another keyword": png(behind=chunk(b"tEXt", b"Comment\0" + MARK)),
    "a mark in compressed text": png(behind=chunk(b"zTXt", b"Software\0" + MARK)),
    "a mark before the frame": gif(EXTENSION, gif_frame()),
    "a mark in two sub-blocks": gif(gif_frame(), b"!\xfe\x10" + MARK[:16] + b"\x0f" + MARK[16:] + b"\0"),
    "a mark before the picture": webp(PRIVATE, vp8()),
    "a mark with something behind it": jpeg(segment(0xFE, MARK + b" ")),
    "a mark with a line break": jpeg(segment(0xFE, MARK + b"\n")),
    "a mark of quality zero": jpeg(segment(0xFE, MARK.replace(b"q80", b"q0"))),
    "a mark of quality 101": jpeg(segment(0xFE, MARK.replace(b"q80", b"q101"))),
    "a mark of a later version": jpeg(segment(0xFE, MARK.replace(b"shrink1", b"shrink2"))),
    "a mark in capitals": jpeg(segment(0xFE, MARK.upper())),
    "a mark in a cut PNG": png(behind=TEXT)[:-1],
    "a mark in a cut GIF": gif(gif_frame(), EXTENSION, trailer=b""),
    "a mark in a cut WebP": webp(vp8(), PRIVATE, vp8())[:-1],
}


@pytest.mark.parametrize(("marked", "bare"), MARKED.values(), ids=MARKED.keys())
def test_marks_at_the_place_go(marked: bytes, bare: bytes) -> None:
    """Every mark at the place, valid or stale, is taken away by unseal and replaced by seal."""
    assert (None, bare, seal(bare, 70)) == (read_seal(marked), unseal(marked), seal(marked, 70))


@pytest.mark.parametrize("data", UNMARKED.values(), ids=UNMARKED.keys())
def test_what_is_not_the_mark_stays(data: bytes) -> None:
    """Text that is not the whole mark at its place is part of the image."""
    assert (None, data) == (read_seal(data), unseal(data))


UNSEALABLE = [
    (b"", "empty file"),
    (b"<html>", "HTML page"),
    (jpeg()[:-1], "file ends early"),
    (png(behind=chunk(b"IDAT", checksum_off_by=1)), "file is damaged"),
    (jpeg(multi_picture(2)), "holds 2 images (MPF): rewriting it would lose all but the first"),
    (jpeg(SIGNATURE_SEGMENT), "signed (C2PA): any change would break the signature"),
    (png(chunk(b"caBX", b"x")), "signed (C2PA): any change would break the signature"),
    (webp(vp8x(), vp8(), riff_chunk(b"C2PA", b"x")), "signed (C2PA): any change would break the signature"),
    (gif(b"!\xff\x0bC2PA_GIF\1\0\0\1x\0", gif_frame()), "signed (C2PA): any change would break the signature"),
]


@pytest.mark.parametrize(("data", "reason"), UNSEALABLE)
def test_what_may_not_be_sealed(data: bytes, reason: str) -> None:
    """Incomplete, damaged, multi-picture and signed files are never sealed, and a person is told why."""
    assert (reason, data) == (why_not_sealable(data), seal(data, 80))


@pytest.mark.parametrize(
    "data",
    [gif(version=b"87a"), gif(gif_frame(1), gif_frame(1)), webp(vp8l()), webp(vp8x(2), anim(0), anmf(1), anmf(1))],
    ids=["GIF87a", "animated GIF", "simple WebP", "animated WebP"],
)
def test_what_may_be_sealed(data: bytes) -> None:
    """Old, animated, simple and extended containers are sealed alike."""
    sealed = seal(data, 80)
    assert ("", 80, data) == (why_not_sealable(data), read_seal(sealed), unseal(sealed))


@given(damaged() | damaged([row[0] for row in MARKED.values()]) | st.binary(max_size=200), st.integers(1, 100))
def test_any_bytes(data: bytes, quality: int) -> None:
    """Whatever the bytes: what may be sealed reads back and unseals to itself, the rest stays as it is."""
    sealed = seal(data, quality)
    if why_not_sealable(data):
        assert sealed == data
    else:
        assert (quality, unseal(data)) == (read_seal(sealed), unseal(sealed))


@given(damaged([seal(path.read_bytes(), 80) for path in SAMPLES]))
def test_damage_to_a_sealed_image(data: bytes) -> None:
    """A seal is valid only where the rest is exactly what was sealed; unsealing twice is unsealing once."""
    bare = unseal(data)
    assert unseal(bare) == bare
    quality = read_seal(data)
    assert quality is None or data == seal(bare, quality)


@pytest.mark.slow
def test_corpus(corpus: list[Path]) -> None:
    """Every real image is sealed, read back and unsealed to the last bit, at the published cost."""
    for path in corpus:
        data = path.read_bytes()
        kind = identify(data)
        assert kind is not None
        sealed = seal(data, 80)
        assert (80, data) == (read_seal(sealed), unseal(sealed)), path
        assert len(data) + COST[kind] == len(sealed), path


@pytest.mark.slow
def test_corpus_cut_and_flipped(sweep: list[Path]) -> None:
    """Every real image, sealed and then cut or flipped at many places, is never read as sealed."""
    generator = random.Random(7)
    for path in sweep:
        sealed = seal(path.read_bytes(), 80)
        for _ in range(12):
            at = generator.randrange(len(sealed))
            for changed in (sealed[:at], sealed[:at] + bytes((sealed[at] ^ 0x10,)) + sealed[at + 1 :]):
                assert read_seal(changed) is None, (path, at)
                assert unseal(seal(changed, 70)) == unseal(changed), (path, at)


PLACES = {
    "JPEG": (jpeg(segment(0xE0), segment(0xE1), segment(0xDB), segment(0xE5)), 2 + 4 + 4),
    "PNG": (png(), len(png()) - 12),
    "GIF": (gif(), len(gif()) - 1),
    "WebP": (webp(vp8()), len(webp(vp8()))),
}
SIZES = slice(12, None)  # behind the RIFF's size


@pytest.mark.parametrize(("bare", "place"), PLACES.values(), ids=PLACES.keys())
def test_offset_of_the_seal(bare: bytes, place: int) -> None:
    """The seal stands at this very offset, in a JPEG behind the run of APPn and before all else."""
    sealed = seal(bare, 80)
    behind = place + len(sealed) - len(bare)
    assert b"imgshrink1 q80 " in sealed[place:behind]
    assert (sealed[:place] + sealed[behind:])[SIZES] == bare[SIZES]


@pytest.mark.parametrize("place", [2, 6, 14, 18])
def test_seal_elsewhere_in_a_jpeg(place: int) -> None:
    """The same seal before or between the application segments, or behind a table, is none."""
    bare, right = PLACES["JPEG"]
    text = seal(bare, 80)[right : right + COST[Format.JPEG]]
    assert read_seal(bare[:right] + text + bare[right:]) == 80
    assert read_seal(bare[:place] + text + bare[place:]) is None


def test_seal_of_the_first_version_stays_valid() -> None:
    """What was sealed by the first version is sealed for every later one, byte for byte."""
    sealed = bytes.fromhex(
        "ffd8ffe00002fffe0021696d67736872696e6b31207138302066343464663063646435363536623539"
        "ffdb0002ffc0000b080008000801011100ffda0008010100003f0012ff0034ffd9"
    )
    assert read_seal(sealed) == 80
    assert seal(unseal(sealed), 80) == sealed
