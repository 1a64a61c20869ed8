"""Notices: the names of people and licences are read wherever an image may carry them, and stay."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_builder import SAMPLES, XMP, chunk, gif, gif_frame, jpeg, png, riff_chunk, segment, tiff, vp8, vp8x, webp
from imgshrink.image import iptc, xmp
from imgshrink.image.copyright import Notices
from imgshrink.image.exif import Exif, text, write
from imgshrink.image.metadata import dress, read_metadata, reduce

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ARTIST = (0x013B, 2, 4, b"Ann\0")
ALL = Notices("© Ann", "Ann", "Agency", "https://example.org/licence", "Ask first", "https://cc.org/by/4.0/", GENERATED)
IN_XMP = (
    b"<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>\xc2\xa9 Ann</rdf:li><rdf:li xml:lang='de'>x</rdf:li></rdf:Alt>"
    b"</dc:rights><dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>"
    b"<photoshop:Credit>Agency</photoshop:Credit><xmpRights:WebStatement rdf:resource='https://example.org/licence'/>"
    b'<xmpRights:UsageTerms/><cc:license rdf:resource="https://cc.org/by/4.0/"/>'
    b"<Iptc4xmpExt:DigitalSourceType>" + GENERATED.encode() + b"</Iptc4xmpExt:DigitalSourceType>"
)
FROM_XMP = replace(ALL, creator="Ann; Bo", terms="")


def record(number: int, value: bytes) -> bytes:
    return bytes((0x1C, 2, number)) + len(value).to_bytes(2, "big") + value


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    blocks = (
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + b"\0" * (len(body) & 1)
        for number, body in resources
    )
    return iptc.PHOTOSHOP + b"".join(blocks)


def attributes(notices: Notices) -> bytes:
    names = ("dc:rights", "dc:creator", "photoshop:Credit", "xmpRights:WebStatement", "xmpRights:UsageTerms",
             "cc:license", "Iptc4xmpExt:DigitalSourceType")  # fmt: skip
    values = [getattr(notices, field.name) for field in fields(notices)]
    said = " ".join(f"{name}='{value}'" for name, value in zip(names, values, strict=True))
    return f"<rdf:Description {said}/>".encode()


IPTC = photoshop(
    (0x0425, b"x"), (0x0404, record(80, b"Ann") + record(5, b"x") + record(110, b"Agency") + record(116, b"c"))
)
READ = {
    "EXIF's artist": (jpeg(segment(0xE1, b"Exif\0\0" + tiff(ARTIST))), Notices(creator="Ann")),
    "a PNG's artist": (png(chunk(b"eXIf", tiff(ARTIST))), Notices(creator="Ann")),
    "a WebP's artist": (webp(vp8x(8), vp8(), riff_chunk(b"EXIF", tiff(ARTIST))), Notices(creator="Ann")),
    "a PNG's author": (png(chunk(b"tEXt", b"Author\0Ann")), Notices(creator="Ann")),
    "an author in EXIF and in text": (
        png(chunk(b"eXIf", tiff(ARTIST)), chunk(b"tEXt", b"Author\0Bo")),
        Notices(creator="Ann; Bo"),
    ),
    "IPTC's records": (jpeg(segment(0xED, IPTC)), Notices("c", "Ann", "Agency")),
    "XMP's elements": (jpeg(segment(0xE1, xmp.JPEG + XMP % IN_XMP)), FROM_XMP),
    "XMP's attributes": (jpeg(segment(0xE1, xmp.JPEG + XMP % attributes(ALL))), ALL),
    "a PNG's XMP": (png(chunk(b"iTXt", xmp.PNG + bytes(4) + XMP % attributes(ALL))), ALL),
    "a WebP's XMP": (webp(vp8x(4), vp8(), riff_chunk(b"XMP ", XMP % IN_XMP)), FROM_XMP),
    "a GIF's XMP": (gif(gif_frame(), b"!\xff" + xmp.GIF + XMP % IN_XMP + xmp.GIF_TRAILER), FROM_XMP),
}


@pytest.mark.parametrize(("data", "expected"), READ.values(), ids=READ.keys())
def test_notices_are_read_and_stay(data: bytes, expected: Notices) -> None:
    """Each notice is read from its own field, and is there in the reduced image; uploads carry none."""
    assert expected == read_metadata(data).notices
    assert expected == read_metadata(reduce(data)).notices
    assert reduce(data) == reduce(reduce(data))
    assert Notices() == read_metadata(reduce(data, notices=False)).notices


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_notices_of_the_original_replace_those_of_the_result(path: object) -> None:
    """What an engine dropped comes back from the original, and what it added goes."""
    data = path.read_bytes()  # type: ignore[attr-defined]  # a Path
    noted = {
        "jpg": jpeg(segment(0xE1, xmp.JPEG + XMP % attributes(ALL))),
        "png": png(chunk(b"iTXt", xmp.PNG + bytes(4) + XMP % attributes(ALL))),
        "gif": gif(gif_frame(), b"!\xff" + xmp.GIF + XMP % attributes(ALL) + xmp.GIF_TRAILER),
        "webp": webp(vp8x(4), vp8(), riff_chunk(b"XMP ", XMP % attributes(ALL))),
    }[path.name.rpartition(".")[2]]  # type: ignore[attr-defined]  # a Path
    dressed = dress(data, noted, keep=True)
    assert read_metadata(dressed).notices == ALL
    assert read_metadata(dress(dressed, data, keep=True)).notices == read_metadata(data).notices


def test_many_records_are_bounded() -> None:
    """Ten names are kept of a file that claims fifty."""
    records = b"".join(record(80, b"name %02d" % number) for number in range(50))
    assert read_metadata(jpeg(segment(0xED, photoshop((0x0404, records))))).notices.creator.count("name") == 10


SAID = st.text(max_size=300).map(lambda said: text(said.encode("utf-8", "replace")))


@settings(deadline=None)
@given(st.builds(Notices, *[SAID] * 7))
def test_what_is_written_is_read(notices: Notices) -> None:
    """A packet is well-formed XML, and every field reads back as it was written, whatever characters it has."""
    clean = Notices(*(_printable(getattr(notices, field.name)) for field in fields(notices)))
    packet = clean.packet()
    assert bool(packet) == (clean != Notices())
    if packet:
        ElementTree.fromstring(packet)
    read = read_metadata(webp(vp8x(4), vp8(), riff_chunk(b"XMP ", packet))).notices
    assert read == clean


def _printable(said: str) -> str:
    """What XML may hold, and no entity of it."""
    return text("".join(letter for letter in said if letter.isprintable()).replace("&", "+").encode("utf-8", "replace"))


@given(st.binary(max_size=120), st.integers(0, 200))
def test_hostile_packets_and_resources(junk: bytes, at: int) -> None:
    """Whatever stands in XMP or in Photoshop's resources, reading ends, and what is read stays."""
    packet = XMP % attributes(ALL)
    broken = packet[:at] + junk + packet[at:]
    for data in (
        webp(vp8x(4), vp8(), riff_chunk(b"XMP ", broken)),
        jpeg(segment(0xED, IPTC[: at % len(IPTC)] + junk)),
        jpeg(segment(0xED, iptc.PHOTOSHOP + b"8BIM" + junk)),
    ):
        assert reduce(data) == reduce(reduce(data))
        xmp.binding(broken)
        iptc.has_path(data)


def test_artist_and_copyright_share_one_directory() -> None:
    """EXIF's entries are sorted by their tags, as TIFF demands."""
    written = write(Exif(6, "c" * 9, None, "a" * 9))
    tags = [int.from_bytes(written[at : at + 2], "big") for at in range(10, 10 + 3 * 12, 12)]
    assert tags == sorted(tags) == [0x0112, 0x013B, 0x8298]
