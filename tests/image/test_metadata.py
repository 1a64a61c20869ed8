"""Metadata: what must stay stays, what must go goes, what was lost is grafted, and the picture is never touched."""

from __future__ import annotations

import random
import re
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostile_images import with_position
from image_builder import (
    SAMPLES,
    SIGNATURE_SEGMENT,
    XMP,
    XMP_RIGHTS,
    anim,
    anmf,
    chunk,
    damaged,
    dense,
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
    tiff,
    vp8,
    vp8l,
    vp8x,
    webp,
)
from imgshrink.image import copyright
from imgshrink.image.containers import end, identify, parts
from imgshrink.image.exif import Density, Exif, write
from imgshrink.image.metadata import Metadata, dress, graft, read_metadata, reduce
from imgshrink.image.sniff import describe, sniff

NOTICE = (0x8298, 2, 12, struct.pack(">I", 38))
CAMERA = tiff(
    (0x0112, 3, 1, b"\0\6"), NOTICE, (0x8825, 4, 1, struct.pack(">I", 50)), behind=b"(c) Ann Doe\0" + b"GPS and so on"
)
EXIF_6_ANN = tiff((0x0112, 3, 1, b"\0\6"), NOTICE, behind=b"(c) Ann Doe\0")
CAMERA = CAMERA.replace(struct.pack(">I", 38), struct.pack(">I", 50), 1)
JFIF = segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\0\0")
ADOBE = segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
ICC = profile_segments(b"first half", b"other half")
EXIF = segment(0xE1, b"Exif\0\0" + CAMERA)
REDUCED_EXIF = segment(0xE1, b"Exif\0\0" + EXIF_6_ANN)
XMP_SEGMENT = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP_RIGHTS)
IPTC = b"\x1c\x02\x74\0\x0bBo (c) 2020" + b"\x1c\x02\x05\0\1x"
PHOTOSHOP = (
    b"Photoshop 3.0\0" + b"8BIM\x04\x25\3abc\0\0\0\1x\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
)
COLOUR = {"gAMA": b"\0\1\x86\xa0", "cHRM": bytes(32)}
ICC_CHUNK = chunk(b"iCCP", b"Display P3\0\0" + zlib.compress(b"profile"))
XMP_CHUNK = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_RIGHTS)
COPYRIGHT_CHUNK = chunk(b"tEXt", "Copyright\0© Cy".encode("latin-1"))
XMP_BLOCK = b"!\xff\x0bXMP DataXMP" + XMP_RIGHTS + b"\1" + bytes(range(255, -1, -1)) + b"\0"
ANN_AND_BO = "© Ann & Bo"

sample = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)


def exif_text(notice: bytes) -> bytes:
    return tiff((0x8298, 2, len(notice) + 1, struct.pack(">I", 26)), behind=notice + b"\0")


def kinds(data: bytes) -> list[str]:
    format = identify(data)
    assert format is not None
    return [part.kind for part in parts(data, format)]


REDUCED = {
    "a camera's JPEG": (
        jpeg(JFIF, EXIF, *ICC, segment(0xED, b"Photoshop 3.0\0"), ADOBE, segment(0xFE, b"hello"), behind=segment(0xFE)),
        jpeg(JFIF, REDUCED_EXIF, *ICC, ADOBE),
    ),
    "a JPEG without JFIF": (jpeg(EXIF, segment(0xDB)), jpeg(REDUCED_EXIF, segment(0xDB))),
    "a JPEG with nothing to lose": (jpeg(JFIF), jpeg(JFIF)),
    "a JPEG with two thumbnails": (
        jpeg(segment(0xE0, JFIF[4:16] + b"\1\1abc"), segment(0xE0, b"JFXX\0\x10abc")),
        jpeg(JFIF),
    ),
    "a JPEG with a short JFIF": (jpeg(segment(0xE0, b"JFIF\0\1")), jpeg()),
    "a JPEG with other application data": (
        jpeg(segment(0xE2, b"FPXR\0"), segment(0xEE, b"x"), multi_picture(1)),
        jpeg(),
    ),
    "a JPEG whose notice is in XMP": (
        jpeg(XMP_SEGMENT),
        jpeg(segment(0xE1, b"Exif\0\0" + exif_text(ANN_AND_BO.encode()))),
    ),
    "a JPEG whose notice is in IPTC": (
        jpeg(segment(0xED, PHOTOSHOP)),
        jpeg(segment(0xE1, b"Exif\0\0" + exif_text(b"Bo (c) 2020"))),
    ),
    "a JPEG that browsers show smaller": (
        jpeg(segment(0xE1, b"Exif\0\0" + dense(100, 50)), frame=frame_header(200, 100)),
        jpeg(
            segment(0xE1, b"Exif\0\0" + write(Exif(density=Density((144, 1), (144, 1), 2, 100, 50)))),
            frame=frame_header(200, 100),
        ),
    ),
    "a JPEG with its own size in EXIF": (
        jpeg(segment(0xE1, b"Exif\0\0" + dense(200, 100)), frame=frame_header(200, 100)),
        jpeg(
            segment(0xE1, b"Exif\0\0" + write(Exif(density=Density((144, 1), (144, 1))))),
            frame=frame_header(200, 100),
        ),
    ),
    "a JPEG with bytes behind it": (jpeg() + b"PK\3\4", jpeg()),
    "a PNG": (
        png(
            chunk(b"gAMA", COLOUR["gAMA"]),
            ICC_CHUNK,
            chunk(b"pHYs", bytes(9)),
            chunk(b"tIME", bytes(7)),
            XMP_CHUNK,
            chunk(b"tRNS", b"\0\1"),
            chunk(b"bKGD", b"\0\0"),
            chunk(b"zzZz"),
            COPYRIGHT_CHUNK,
            behind=chunk(b"tEXt", b"a\0b"),
        ),
        png(
            chunk(b"pHYs", bytes(9)),
            chunk(b"eXIf", exif_text(ANN_AND_BO.encode())),
            chunk(b"gAMA", COLOUR["gAMA"]),
            ICC_CHUNK,
            chunk(b"tRNS", b"\0\1"),
            chunk(b"bKGD", b"\0\0"),
            COPYRIGHT_CHUNK,
        ),
    ),
    "a PNG with EXIF": (png(behind=chunk(b"eXIf", CAMERA)), png(chunk(b"eXIf", EXIF_6_ANN))),
    "an animated PNG": (png(chunk(b"acTL", bytes(8)), behind=chunk(b"fcTL") + chunk(b"fdAT")),) * 2,
    "a PNG with bytes behind it": (png() + b"\r\n", png()),
    "a GIF": (
        gif(
            gif_loop(0),
            b"!\xfe\2hi\0",
            gif_frame(1),
            XMP_BLOCK,
            b"!\xff\x0bMAGPIE\0\0\0\0\0\0",
            gif_frame(1),
            b"!\x42\0",
        ),
        gif(
            gif_loop(0),
            gif_frame(1),
            gif_frame(1),
            b"!\xfe" + bytes((len(ANN_AND_BO.encode()),)) + ANN_AND_BO.encode() + b"\0",
        ),
    ),
    "a GIF with a notice": (
        gif(b"!\xfe\x0dCopyright Ann\0", gif_frame()),
        gif(gif_frame(), b"!\xfe\x0dCopyright Ann\0"),
    ),
    "a GIF with text and profile": (gif(b"!\1\1x\0", b"!\xff\x0bICCRGBG1012\1x\0", gif_frame()),) * 2,
    "a WebP": (
        webp(
            vp8x(0x2C),
            riff_chunk(b"ICCP", b"profile"),
            vp8(),
            riff_chunk(b"EXIF", CAMERA),
            riff_chunk(b"XMP ", b"x"),
            riff_chunk(b"abcd"),
        ),
        webp(vp8x(0x28), riff_chunk(b"ICCP", b"profile"), vp8(), riff_chunk(b"EXIF", EXIF_6_ANN)),
    ),
    "a WebP whose notice is in XMP": (
        webp(vp8x(0x14), vp8(), riff_chunk(b"XMP ", XMP_RIGHTS)),
        webp(vp8x(0x18), vp8(), riff_chunk(b"EXIF", exif_text(ANN_AND_BO.encode()))),
    ),
    "a WebP with XMP only": (webp(vp8x(0x04), vp8(), riff_chunk(b"XMP ", b"x")), webp(vp8x(), vp8())),
    "a simple WebP": (webp(vp8()) + b"junk", webp(vp8())),
    "an animated WebP": (webp(vp8x(0x12), anim(0), anmf(1), anmf(1)),) * 2,
}


@pytest.mark.parametrize(("data", "expected"), REDUCED.values(), ids=REDUCED.keys())
def test_reduce(data: bytes, expected: bytes) -> None:
    """What must stay stays in the smallest form, byte for byte; the rest is gone."""
    assert expected == reduce(data)


@pytest.mark.parametrize("data", [row[0] for row in REDUCED.values()], ids=REDUCED.keys())
def test_reducing_keeps_what_is_read(data: bytes) -> None:
    """Profile, orientation, notices and colour read the same before and after, and reducing again changes nothing."""
    assert read_metadata(data) == read_metadata(reduce(data))
    assert reduce(data) == reduce(reduce(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        jpeg(EXIF)[:-2],
        jpeg(EXIF, multi_picture(2)),
        jpeg(EXIF, SIGNATURE_SEGMENT),
        png(chunk(b"tIME"), behind=chunk(b"IDAT", checksum_off_by=1)),
    ],
    ids=["nothing", "cut", "multi-picture", "signed", "damaged"],
)
def test_what_may_not_be_rewritten_is_not(data: bytes) -> None:
    """Incomplete, multi-picture, signed and unknown data come back as they are."""
    assert [data] * 4 == [
        reduce(data), reduce(data, notices=False), dress(data, jpeg(EXIF), keep=True),
        graft(data, icc=b"x", orientation=3, colour=COLOUR),
    ]  # fmt: skip
    assert dress(jpeg(EXIF), data, keep=True) == jpeg(EXIF)


def test_gps_is_gone() -> None:
    """A position and the camera's name are in the file before reducing, and nowhere after."""
    data = with_position()
    assert b"TestCam" in data
    assert b"TestCam" not in reduce(data)
    assert b"Exif" not in reduce(data)


READ = [
    ("a JPEG's profile", jpeg(*ICC), {"icc": b"first halfother half"}),
    ("profile pieces in another order", jpeg(*reversed(ICC)), {"icc": b"first halfother half"}),
    ("a profile with a missing piece", jpeg(ICC[1]), {"icc": b""}),
    ("a profile without its numbers", jpeg(segment(0xE2, b"ICC_PROFILE\0")), {"icc": b""}),
    ("a PNG's profile", png(ICC_CHUNK), {"icc": b"profile"}),
    ("a PNG's broken profile", png(chunk(b"iCCP", b"name\0\0junk")), {"icc": b""}),
    ("a PNG's profile with a wrong checksum", png(chunk(b"iCCP", ICC_CHUNK[8:-4], checksum_off_by=1)), {"icc": b""}),
    ("a PNG's profile cut short", png(chunk(b"iCCP", ICC_CHUNK[8:-8])), {"icc": b""}),
    ("a WebP's profile", webp(vp8x(0x20), riff_chunk(b"ICCP", b"abc"), vp8()), {"icc": b"abc"}),
    ("PNG colour chunks", png(*[chunk(name.encode(), body) for name, body in COLOUR.items()]), {"colour": COLOUR}),
    ("the first of two", png(chunk(b"sRGB", b"\0"), chunk(b"sRGB", b"\1")), {"colour": {"sRGB": b"\0"}}),
    ("a colour chunk with a wrong checksum", png(chunk(b"sRGB", b"\0", checksum_off_by=1)), {"colour": {}}),
    ("the orientation of a cut file", jpeg(EXIF)[:-2], {"orientation": 6, "copyright": "(c) Ann Doe"}),
    (
        "notices in three places",
        jpeg(segment(0xED, PHOTOSHOP), EXIF, XMP_SEGMENT),
        {"copyright": "Bo (c) 2020; (c) Ann Doe; © Ann & Bo"},
    ),
    (
        "a notice said twice",
        png(chunk(b"eXIf", CAMERA), behind=chunk(b"tEXt", b"Copyright\0(c) Ann Doe")),
        {"copyright": "(c) Ann Doe"},
    ),
    ("a notice of blanks", png(behind=chunk(b"tEXt", b"Copyright\0   ")), {"copyright": ""}),
    ("a compressed notice", png(chunk(b"zTXt", b"Copyright\0\0" + zlib.compress(b"Ann"))), {"copyright": "Ann"}),
    (
        "an international notice",
        png(chunk(b"iTXt", "Copyright\0\0\0de\0Rechte\0© Änn".encode())),
        {"copyright": "© Änn"},
    ),
    (
        "a compressed international notice",
        png(chunk(b"iTXt", b"Copyright\0\1\0\0\0" + zlib.compress(b"Ann"))),
        {"copyright": "Ann"},
    ),
    ("a broken compressed notice", png(chunk(b"zTXt", b"Copyright\0\0junk")), {"copyright": ""}),
    ("a notice in a PNG's XMP", png(XMP_CHUNK), {"copyright": ANN_AND_BO}),
    ("another text", png(chunk(b"tEXt", b"Author\0Ann")), {"copyright": ""}),
    ("a notice in a GIF's XMP", gif(gif_frame(), XMP_BLOCK), {"copyright": ANN_AND_BO}),
    ("a GIF's labelled notice", gif(gif_frame(), b"!\xfe\x0eCopyright: Ann\0"), {"copyright": "Ann"}),
    ("a GIF's comment", gif(gif_frame(), b"!\xfe\3Ann\0"), {"copyright": ""}),
    (
        "a WebP's notice",
        webp(vp8x(8), vp8(), riff_chunk(b"EXIF", CAMERA)),
        {"orientation": 6, "copyright": "(c) Ann Doe"},
    ),
    ("nothing", b"no image", {"icc": b"", "orientation": 1, "copyright": "", "colour": {}}),
]


@pytest.mark.parametrize(("data", "expected"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_read_metadata(data: bytes, expected: dict[str, object]) -> None:
    """What must not be lost is read wherever an image may carry it."""
    read = read_metadata(data)
    assert expected == {name: getattr(read.notices if name == "copyright" else read, name) for name in expected}


XMP_FORMS = {
    "one language": (b"<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>Ann</rdf:li></rdf:Alt></dc:rights>", "Ann"),
    "no list": (b"<dc:rights>Ann</dc:rights>", "Ann"),
    "an attribute": (b'<rdf:Description dc:rights="Ann &amp; Bo"/>', "Ann & Bo"),
    "an attribute in single quotes": (b"<rdf:Description dc:rights = 'Ann'/>", "Ann"),
    "an empty attribute": (b'<rdf:Description dc:rights=""/>', ""),
    "an empty list": (b"<dc:rights><rdf:Alt></rdf:Alt></dc:rights>", ""),
    "an element that never ends": (b"<dc:rights>", ""),
    "other rights": (b"<xmpRights:Marked>True</xmpRights:Marked>", ""),
}


@pytest.mark.parametrize(("packet", "expected"), XMP_FORMS.values(), ids=XMP_FORMS.keys())
def test_notice_in_xmp(packet: bytes, expected: str) -> None:
    """Rights in XMP are understood in every form that writers use."""
    data = webp(vp8x(4), vp8(), riff_chunk(b"XMP ", XMP % packet))
    assert expected == read_metadata(data).notices.copyright


@pytest.mark.parametrize("cut", range(0, len(PHOTOSHOP), 3))
def test_cut_photoshop_resources(cut: int) -> None:
    """Image resources that end early or lie about their length yield what is there, or nothing."""
    read = read_metadata(jpeg(segment(0xED, PHOTOSHOP[:cut]))).notices.copyright
    assert "Bo (c) 2020".startswith(read)


def test_many_notices_are_bounded() -> None:
    """Ten notices and 2,000 characters are kept; what goes beyond is not a notice."""
    data = png(*[chunk(b"tEXt", b"Copyright\0%d notice" % number + b"!" * 300) for number in range(50)])
    assert read_metadata(data).notices.copyright.count("notice") == 7
    exif = [tiff((0x8298, 2, 4, b"%03d\0" % number)) for number in range(50)]
    for data in (
        png(*[chunk(b"eXIf", one) for one in exif]),
        jpeg(*[segment(0xE1, b"Exif\0\0" + one) for one in exif]),
        webp(vp8x(), vp8(), *[riff_chunk(b"EXIF", one) for one in exif]),
    ):
        assert read_metadata(data).notices.copyright == "; ".join(f"{number:03}" for number in range(10))
    data = gif(*[b"!\xfe\x08(c) %04d\0" % number for number in range(50)], gif_frame())
    assert read_metadata(data).notices.copyright.count("(c)") == 10


def test_profile_bomb_is_not_inflated() -> None:
    """A profile that inflates beyond 16 MiB counts as none, and reducing leaves its chunk alone."""
    bomb = chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(17 << 20)))
    assert read_metadata(png(bomb)).icc == b""
    assert reduce(png(bomb)) == png(bomb)


WITH_EVERYTHING = {"icc": b"profile " * 9000, "orientation": 5, "colour": COLOUR}


@sample
def test_what_is_grafted_is_read(path: Path) -> None:
    """Profile, orientation and colour chunks are put in wherever the format can hold them."""
    grafted = graft(path.read_bytes(), **WITH_EVERYTHING)  # type: ignore[arg-type]  # one value of each type
    able: set[str] = {"gif": set(), "png": set(WITH_EVERYTHING)}.get(path.suffix[1:], {"icc", "orientation"})
    read = read_metadata(grafted)
    plain = Metadata()
    assert {name: WITH_EVERYTHING[name] if name in able else getattr(plain, name) for name in WITH_EVERYTHING} == {
        name: getattr(read, name) for name in WITH_EVERYTHING
    }
    assert grafted == graft(grafted, **WITH_EVERYTHING)  # type: ignore[arg-type]  # as above


@sample
def test_grafting_back_what_was_there(path: Path) -> None:
    """What an image had is put back, and what it had not is taken away."""
    data = path.read_bytes()
    before = read_metadata(data)
    changed = graft(data, **WITH_EVERYTHING)  # type: ignore[arg-type]  # one value of each type
    back = graft(changed, icc=before.icc, orientation=before.orientation, colour=before.colour)
    assert before == read_metadata(back)


@sample
def test_grafting_nothing_changes_nothing(path: Path) -> None:
    """Without a wish, or with the wish for what is there, the bytes come back as they are."""
    data = path.read_bytes()
    present = read_metadata(data)
    same = graft(data, icc=present.icc, orientation=present.orientation, colour=present.colour)
    assert [data] * 2 == [graft(data), same]


GRAFTED = {
    "a profile into a JPEG": (jpeg(JFIF, EXIF), {"icc": b"abc"}, jpeg(JFIF, *profile_segments(b"abc"), EXIF)),
    "another profile": (jpeg(*ICC), {"icc": b"abc"}, jpeg(*profile_segments(b"abc"))),
    "no profile": (jpeg(*ICC), {"icc": b""}, jpeg()),
    "an orientation into a JPEG": (
        jpeg(JFIF),
        {"orientation": 6},
        jpeg(JFIF, segment(0xE1, b"Exif\0\0" + oriented(6))),
    ),
    "no orientation": (jpeg(segment(0xE1, b"Exif\0\0" + oriented(6))), {"orientation": 1}, jpeg()),
    "colour into a PNG": (png(), {"colour": {"gAMA": b"\0\0\0\1"}}, png(chunk(b"gAMA", b"\0\0\0\1"))),
    "other colour": (
        png(chunk(b"sRGB", b"\0"), ICC_CHUNK),
        {"colour": {"cICP": b"\1\2\3\4"}},
        png(chunk(b"cICP", b"\1\2\3\4"), ICC_CHUNK),
    ),
    "no colour": (png(chunk(b"sRGB", b"\0")), {"colour": {}}, png()),
    "an orientation into a simple WebP": (
        webp(vp8(300, 2)),
        {"orientation": 8},
        webp(vp8x(8, 300, 2), vp8(300, 2), riff_chunk(b"EXIF", oriented(8))),
    ),
    "a profile into a simple WebP": (
        webp(vp8l(alpha=True)),
        {"icc": b"abc"},
        webp(vp8x(0x30), riff_chunk(b"ICCP", b"abc"), vp8l(alpha=True)),
    ),
    "no profile in a WebP": (webp(vp8x(0x20), riff_chunk(b"ICCP", b"x"), vp8()), {"icc": b""}, webp(vp8x(), vp8())),
    "an orientation beside XMP": (
        webp(vp8x(4), vp8(), riff_chunk(b"XMP ", b"x")),
        {"orientation": 8},
        webp(vp8x(12), vp8(), riff_chunk(b"XMP ", b"x"), riff_chunk(b"EXIF", oriented(8))),
    ),
    "a colour chunk into a JPEG": (jpeg(), {"colour": COLOUR}, jpeg()),
    "an orientation into a GIF": (gif(), {"orientation": 6}, gif()),
    "a profile too long for a JPEG": (jpeg(), {"icc": bytes(17_000_000)}, jpeg()),
}


@pytest.mark.parametrize(("data", "wish", "expected"), GRAFTED.values(), ids=GRAFTED.keys())
def test_graft(data: bytes, wish: dict[str, object], expected: bytes) -> None:
    """Each wish goes to its own place in the container, and bytes behind the end stay."""
    assert expected + b"behind" == graft(data + b"behind", **wish)  # type: ignore[arg-type]  # rows hold the right types


def test_grafting_an_orientation_keeps_the_notices() -> None:
    """Where EXIF is written anew for the orientation, the notices are still there, and XMP is left as it is."""
    data = graft(jpeg(XMP_SEGMENT, EXIF), orientation=1)
    assert (read_metadata(data).orientation, read_metadata(data).notices.copyright) == (1, "(c) Ann Doe; © Ann & Bo")
    assert XMP_SEGMENT in data


def test_long_profile_is_cut_into_segments() -> None:
    """A profile beyond 64 KiB goes into a JPEG as numbered segments."""
    data = graft(jpeg(), icc=bytes(range(256)) * 600)
    assert kinds(data).count("APP2") == 3
    assert read_metadata(data).icc == bytes(range(256)) * 600


@pytest.mark.parametrize("notice", ["Ann", "Copyright Ann", "Copyright: Ann", "© Ann", "x" * 700])
def test_notice_in_a_gif(notice: str) -> None:
    """A GIF carries the notice in a comment that a person can read, and it is read back as it was."""
    data = dress(gif(), gif(gif_frame(), copyright.gif_comment(notice)), keep=False)
    assert notice == read_metadata(data).notices.copyright
    assert re.search(rb"(?i)copyright|\xc2\xa9", data)


def test_notice_is_made_one_line() -> None:
    """A notice with line breaks, NUL or lone surrogates is written so that it reads back the same."""
    data = png(chunk(b"iTXt", b"Copyright\0\0\0\0\0 a\n b\0c \xf0 "))
    assert read_metadata(data).notices.copyright == "a b c ð"
    assert reduce(data) == reduce(reduce(data))


@given(damaged() | damaged([row[0] for row in REDUCED.values()]) | st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever the bytes: reducing and grafting end, what they make is whole, and reducing twice is reducing once."""
    reduced = reduce(data)
    assert reduced == reduce(reduced)
    grafted = graft(data, icc=b"x", orientation=3, colour=COLOUR)
    for made in (reduced, grafted, reduce(data, notices=False), dress(data, data, keep=True)):
        if made != data:
            format = identify(made)
            assert format is not None
            assert end(made, format) is not None
            before, after = sniff(data), sniff(made)
            assert before is not None
            assert after is not None
            assert (before.pixels, before.frames, before.durations) == (after.pixels, after.frames, after.durations)


@pytest.mark.slow
def test_corpus_is_reduced_without_loss(corpus: list[Path]) -> None:
    """Reducing a real image loses nothing that is read, settles at once, and never makes it larger."""
    for path in corpus:
        data = path.read_bytes()
        reduced = reduce(data)
        assert (read_metadata(data), reduced) == (read_metadata(reduced), reduce(reduced)), path
        assert len(reduced) <= len(data), path


@pytest.mark.slow
def test_corpus_cut_and_flipped(sweep: list[Path]) -> None:
    """Every real image, cut or flipped at many places, is described, and what is made of it is whole or unchanged."""
    generator = random.Random(11)
    for path in sweep:
        data = path.read_bytes()
        for at in [generator.randrange(len(data)) for _ in range(8)] + [generator.randrange(600) for _ in range(8)]:
            for changed in (data[:at], data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]):
                assert describe(changed), (path, at)
                for made in (reduce(changed), graft(changed, orientation=7, colour=COLOUR)):
                    info = sniff(made)
                    assert made == changed or (info and info.complete), (path, at)
