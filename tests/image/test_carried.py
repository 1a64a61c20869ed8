"""What an image carries for other programs: copied byte for byte, or the image may not be rewritten, and why."""

from __future__ import annotations

import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_builder import (
    SAMPLES,
    XMP,
    anim,
    anmf,
    chunk,
    damaged,
    gif,
    gif_frame,
    gif_loop,
    jpeg,
    png,
    profile_segments,
    riff_chunk,
    segment,
    tiff,
    vp8,
    vp8x,
    webp,
)
from imgshrink.core.model import Format
from imgshrink.image import iptc, xmp
from imgshrink.image.carried import NOTHING, REASON, Carried, read_carried
from imgshrink.image.containers import identify, parts
from imgshrink.image.metadata import dress, reduce
from imgshrink.image.seal import seal

DIAGRAM = chunk(b"tEXt", b"mxfile\0%3Cmxfile%3E")
BROKEN_DIAGRAM = chunk(b"zTXt", b"mxfile\0\0" + zlib.compress(b"x"), checksum_off_by=1)
SCENE = chunk(b"iTXt", b"application/vnd.excalidraw+json\0\0\0\0\0{}")
WORKFLOW = chunk(b"tEXt", b"workflow\0" + json.dumps({"nodes": [1, 2]}).encode())
NINE_PATCH = chunk(b"npTc", bytes(84))
LONG_COMMENT = b"!\xfe\xffCreated with x" + b"y" * 241 + b"\x02yy\0"


def comment(text: bytes) -> bytes:
    return b"!\xfe" + bytes((len(text),)) + text + b"\0"


COPIED = {
    "a draw.io diagram": (png(DIAGRAM), Carried(DIAGRAM)),
    "a diagram with a wrong checksum": (png(BROKEN_DIAGRAM), Carried(BROKEN_DIAGRAM)),
    "an Excalidraw scene": (png(behind=SCENE), Carried(trailing=SCENE)),
    "a ComfyUI workflow": (png(DIAGRAM, WORKFLOW), Carried(DIAGRAM + WORKFLOW)),
    "a nine-patch": (png(NINE_PATCH, behind=SCENE), Carried(NINE_PATCH, SCENE)),
    "a scale that is registered": (png(chunk(b"sCAL", b"\0011\x001")), Carried(chunk(b"sCAL", b"\0011\x001"))),
    "a person's comment": (png(chunk(b"tEXt", b"Comment\0See #12")), Carried(chunk(b"tEXt", b"Comment\0See #12"))),
    "a comment that can't be read": (
        png(chunk(b"zTXt", b"Comment\0\0junk")),
        Carried(chunk(b"zTXt", b"Comment\0\0junk")),
    ),
    "a notice in text": (png(chunk(b"tEXt", b"Author\0Ann")), Carried(chunk(b"tEXt", b"Author\0Ann"))),
    "a JPEG's comment": (jpeg(segment(0xFE, b'{"prompt": {}}')), Carried(segment(0xFE, b'{"prompt": {}}'))),
    "a GIF's comment": (gif(gif_frame(), comment(b"See #12")), Carried(trailing=comment(b"See #12"))),
    "a long comment of a tool": (gif(LONG_COMMENT, gif_frame()), Carried(trailing=LONG_COMMENT)),
    "an unknown RIFF chunk": (
        webp(vp8x(), vp8(), riff_chunk(b"abcd", b"x"), riff_chunk(b"wxyz")),
        Carried(trailing=riff_chunk(b"abcd", b"x") + riff_chunk(b"wxyz")),
    ),
}


@pytest.mark.parametrize(("data", "expected"), COPIED.values(), ids=COPIED.keys())
def test_copied(data: bytes, expected: Carried) -> None:
    """What is safe to copy is found, in its order, before or behind the pixels."""
    assert expected == read_carried(data)


@pytest.mark.parametrize("data", [row[0] for row in COPIED.values()], ids=COPIED.keys())
def test_copied_onto_another_result(data: bytes) -> None:
    """A result that lost it gets it back byte for byte; one that is reduced carries only notices."""
    bare = reduce(data, notices=False)
    carried = read_carried(data)
    assert read_carried(bare) == NOTHING
    dressed = dress(bare, data, keep=True)
    assert read_carried(dressed) == carried
    assert carried.leading in dressed
    assert carried.trailing in dressed
    assert dress(dressed, data, keep=True) == dressed
    kept = dress(dressed, data, keep=False)
    assert read_carried(kept) == (carried if b"Author" in data else NOTHING)


NOISE = {
    "known texts": png(
        *[
            chunk(b"tEXt", keyword + b"\0x")
            for keyword in (
                *(b"Software", b"Creation Time", b"date:create", b"date:modify", b"exif:GPSLatitude", b"Thumb::URI"),
                *(b"Raw profile type exif", b"Raw profile type iptc", b"Raw profile type APP1"),
            )
        ]
    ),
    "a tool's comment": png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"Created with GIMP"))),
    "XMP about nothing else": png(chunk(b"iTXt", xmp.PNG + bytes(4) + XMP % b"")),
    "known chunks": png(*[chunk(kind) for kind in (b"tIME", b"hIST", b"sPLT", b"iDOT", b"orNT", b"zxIf")]),
    "a PNG's own chunks": png(chunk(b"pHYs", bytes(9)), chunk(b"sBIT"), chunk(b"bKGD"), chunk(b"tRNS", b"\0\1")),
    "padding behind the end": png() + bytes(500) + b"\r\n \xff",
    "a few bytes behind the end": jpeg() + b"\0\0stray tag\0\0",
    "a camera's segments": jpeg(
        segment(0xE0, b"JFIF\0" + bytes(9)),
        segment(0xE0, b"JFXX\0\x10abc"),
        segment(0xE1, b"Exif\0\0" + tiff((0x010F, 2, 4, b"Cam\0"))),
        *profile_segments(b"profile"),
        segment(0xE2, b"FPXR\0"),
        segment(0xE3, b"Meta\0\0"),
        segment(0xE5, b"ssuniqueid\0x"),
        segment(0xEC, b"Ducky\0\1"),
        segment(0xED, iptc.PHOTOSHOP + b"8BIM\x04\x25\0\0\0\0\0\0"),
        segment(0xEE, b"Adobe\0\x64\0\0\0\0\1"),
        segment(0xEA, bytes(40)),
        segment(0xFE, b"CREATOR: gd-jpeg v1.0"),
        segment(0xFE),
    ),
    "a time behind the end": jpeg() + b"\0\0\1\n\x0e\0\0\0Image_UTC_Data1700000000000SEFHk\0\0\0\1SEFT",
    "a GIF's own blocks": gif(gif_loop(0), b"!\xff\x0bImageMagick\x0dgamma=0.45455\0", b"!\1\1x\0", gif_frame(1)),
    "an optimizer's comment": gif(gif_frame(), comment(b"Optimized using ezgif.com"), comment(b"")),
    "a WebP's own chunks": webp(vp8x(0x0E), anim(0), anmf(1), anmf(1), riff_chunk(b"EXIF"), riff_chunk(b"XMP ")),
    "nothing": b"no image",
    "a cut image": png()[:-3],
}


@pytest.mark.parametrize("data", NOISE.values(), ids=NOISE.keys())
def test_noise(data: bytes) -> None:
    """What tools write about themselves, and what the image itself needs, is nothing that is carried."""
    assert read_carried(data) == NOTHING


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_seal_is_not_carried(path: Path) -> None:
    """A seal changes nothing of what is carried."""
    data = path.read_bytes()
    assert read_carried(seal(data, 80)) == read_carried(data)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def user_comment(body: bytes, code: bytes = b"ASCII\0\0\0") -> bytes:
    said = code + body
    inner = struct.pack(">HHHII", 1, 0x9286, 7, len(said), 44) + b"\0\0\0\0"
    return tiff((0x8769, 4, 1, struct.pack(">I", 26)), behind=inner + said)


def packet(body: str) -> bytes:
    return segment(0xE1, xmp.JPEG + XMP % body.encode())


WORKFLOW_MAKE = tiff((0x010F, 2, 12, struct.pack(">I", 26)), behind=b"workflow:{}\0")
BOUND = {
    "a chunk that is not safe to copy": (png(chunk(b"prVW")), "prVW"),
    "an unknown critical chunk": (png(chunk(b"JDAT")), "JDAT"),
    "a calibration of the samples": (png(chunk(b"pCAL")), "pCAL"),
    "a ZIP archive": (png() + b"PK\3\4" + b"x" * 40, "ZIP archive behind its end"),
    "other data": (jpeg() + b"\0\0" + b"x" * 17, "data behind its end"),
    "a video": (jpeg() + b"\0\0\0\x18ftypmp42" + b"x" * 40, "video behind its end"),
    "a video of a camera": (jpeg() + b"MotionPhoto_Data" + b"x" * 1024 + b"SEFT", "data behind its end"),
    "an image behind a GIF": (gif() + png(), "data behind its end"),
    "a document behind a WebP": (webp(vp8()) + b"%PDF-1.7" + b"x" * 40, "PDF behind its end"),
    "a panorama": (jpeg(packet('<rdf:Description GPano:ProjectionType="equirectangular"/>')), "a panorama"),
    "motion video": (jpeg(packet('<rdf:Description GCamera:MotionPhoto="1"/>')), "motion video"),
    "a gain map": (jpeg(packet('<rdf:Description hdrgm:Version="1.0"/>')), "a gain map"),
    "a depth map": (jpeg(packet('xmlns:x="http://ns.google.com/photos/1.0/depthmap/"')), "a camera container"),
    "an extension of XMP": (jpeg(segment(0xE1, xmp.JPEG_EXTENSION + b"GDepth:Data=")), "a camera container"),
    "a panorama in a PNG": (png(chunk(b"iTXt", xmp.PNG + b"\1\0\0\0" + zlib.compress(b"GPano:x"))), "a panorama"),
    "a panorama in a WebP": (webp(vp8x(4), vp8(), riff_chunk(b"XMP ", b"GPano:x")), "a panorama"),
    "a panorama in UTF-16": (webp(vp8x(4), vp8(), riff_chunk(b"XMP ", utf16("GPano:x"))), "a panorama"),
    "a gain map by its standard": (jpeg(segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0")), "a gain map"),
    "temperatures": (jpeg(segment(0xE1, b"FLIR\0\1")), "APP1 FLIR"),
    "a segment without a name": (jpeg(segment(0xE9, b"\1\2")), "APP9"),
    "a clipping path": (jpeg(segment(0xED, iptc.PHOTOSHOP + b"8BIM\x07\xd0\0\0\0\0\0\0")), "a clipping path"),
    "AUTOMATIC1111's parameters": (
        jpeg(segment(0xE1, b"Exif\0\0" + user_comment(b"a cat\nSteps: 20, Sampler: x"))),
        "in its EXIF",
    ),
    "parameters in UTF-16": (
        webp(vp8x(8), vp8(), riff_chunk(b"EXIF", user_comment(utf16("a cat\nSteps: 20"), b"UNICODE\0"))),
        "in its EXIF",
    ),
    "ComfyUI's workflow in EXIF": (
        webp(vp8x(8), vp8(), riff_chunk(b"EXIF", WORKFLOW_MAKE)),
        "in its EXIF",
    ),
    "a workflow in a PNG's EXIF": (png(chunk(b"eXIf", tiff((0x0110, 2, 4, b'{"a"')))), "in its EXIF"),
    "an unknown extension": (gif(b"!\x42\1x\0", gif_frame()), "extension 0x42"),
    "an unknown application": (gif(b"!\xff\x0bfractint001\1x\0", gif_frame()), "extension fractint001"),
    "a chunk in a frame": (
        webp(vp8x(2), anim(0), riff_chunk(b"ANMF", bytes(16) + vp8() + riff_chunk(b"abcd"))),
        "abcd in a frame",
    ),
}


@pytest.mark.parametrize(("data", "what"), BOUND.values(), ids=BOUND.keys())
def test_bound(data: bytes, what: str) -> None:
    """What may depend on pixels or offsets, or means nothing without them, forbids rewriting, and says what it is."""
    assert read_carried(data).reason == f"{REASON} ({what})"


@given(damaged() | damaged([row[0] for row in (*COPIED.values(), *BOUND.values())]) | st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever the bytes: reading ends, and what is copied onto a result reads back the same."""
    carried = read_carried(data)
    dressed = dress(data, data, keep=True)
    if dressed != data:
        assert (carried.leading, carried.trailing) == (read_carried(dressed).leading, read_carried(dressed).trailing)
        assert dressed == dress(dressed, data, keep=True)


TEXTS = st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"\0", b"x"))


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, st.binary(max_size=40), st.booleans()), max_size=6), st.integers(0, 6))
def test_every_text_but_noise_stays(texts: list[tuple[bytes, bytes, bool]], split: int) -> None:
    """Any keyword that no tool uses for itself is somebody's data."""
    chunks = [chunk(b"tEXt", b"own " + name + b"\0" + body, checksum_off_by=broken) for name, body, broken in texts]
    data = png(*chunks[:split], behind=b"".join(chunks[split:]))
    assert read_carried(data) == Carried(b"".join(chunks[:split]), b"".join(chunks[split:]))
    dressed = dress(png(), data, keep=True)
    assert [part.kind for part in parts(dressed, Format.PNG)].count("tEXt") == len(texts)


@pytest.mark.slow
def test_corpus_keeps_what_it_carries(corpus: list[Path]) -> None:
    """Of a real image everything that is carried is on the reduced result, and few real images are left alone."""
    bound = 0
    for path in corpus:
        data = path.read_bytes()
        carried = read_carried(data)
        bound += bool(carried.reason)
        cut = data[: random.Random(path.name).randrange(len(data))]
        read_carried(cut)
        assert identify(data) is not None
        if not carried.reason:
            assert read_carried(dress(reduce(data), data, keep=True)) == carried, path
    assert bound <= len(corpus) // 50
