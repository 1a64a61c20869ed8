"""The walker: parts tile the container, completeness is reached through the structure, and nothing ever raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_builder import (
    PNG_SIGNATURE,
    SAMPLES,
    anmf,
    chunk,
    damaged,
    frame_header,
    gif,
    gif_frame,
    jpeg,
    png,
    riff_chunk,
    segment,
    vp8,
    vp8l,
    vp8x,
    webp,
)
from imgshrink.core.model import Format
from imgshrink.image.containers import complete, cut, end, identify, inner_chunks, parts

FORMATS = list(Format)
sample = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)


def kinds(data: bytes) -> list[str]:
    format = identify(data)
    assert format is not None
    return [part.kind for part in parts(data, format)]


def finish(data: bytes) -> int | None:
    format = identify(data)
    return None if format is None else end(data, format)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg(), Format.JPEG),
        (png(), Format.PNG),
        (gif(), Format.GIF),
        (gif(version=b"87a"), Format.GIF),
        (webp(vp8()), Format.WEBP),
        (b"", None),
        (b"\xff\xd8", None),
        (b"GIF88a", None),
        (b"RIFF\4\0\0\0WAVE", None),
        (b"<svg/>", None),
    ],
)
def test_identify(data: bytes, expected: Format | None) -> None:
    """The signature alone tells the format."""
    assert expected is identify(data)


def test_parts_of_a_jpeg() -> None:
    """Markers have their names, and entropy-coded data are a part of their own."""
    walked = kinds(jpeg(segment(0xE0), segment(0xFE, b"hello"), segment(0xDB), marker=0xC2))
    assert walked == ["SOI", "APP0", "COM", "DQT", "SOF2", "SOS", "scan", "EOI"]


def test_parts_of_a_png() -> None:
    """Chunks have their types; the signature is a part too."""
    assert kinds(png(chunk(b"gAMA", b"\0\1\2\3"))) == ["signature", "IHDR", "gAMA", "IDAT", "IEND"]


def test_parts_of_a_gif() -> None:
    """Extensions are told apart by label; colour tables belong to the header and the image."""
    blocks = (b"!\xfe\2hi\0", b"!\xff\0", b"!\1\0", b"!\x42\0", gif_frame(3, local=True))
    extensions = [f"extension:{kind}" for kind in ("comment", "application", "text", "unknown", "graphic")]
    assert ["header", *extensions, "image", "trailer"] == kinds(gif(*blocks))


def test_parts_of_a_webp() -> None:
    """Chunks have their FourCC; padding belongs to the chunk before it."""
    assert kinds(webp(vp8x(), riff_chunk(b"odd ", b"x"), vp8())) == ["header", "VP8X", "odd ", "VP8 "]


def test_body_of_a_part() -> None:
    """The body is what a part carries, without its frame."""
    data = jpeg(segment(0xFE, b"hello"))
    bodies = [data[part.body : part.body_end] for part in parts(data, Format.JPEG) if part.kind == "COM"]
    assert bodies == [b"hello"]


def test_body_of_a_comment() -> None:
    """The body of a GIF comment is its sub-blocks, without the terminator."""
    data = gif(b"!\xfe\2hi\3you\0", gif_frame())
    bodies = [data[part.body : part.body_end] for part in parts(data, Format.GIF) if part.kind == "extension:comment"]
    assert bodies == [b"\2hi\3you"]


@sample
def test_parts_tile_the_container(path: Path) -> None:
    """Each part begins where the one before it ends, the first at 0, the last ends the file."""
    data = path.read_bytes()
    format = identify(data)
    assert format is not None
    walked = list(parts(data, format))
    assert [0, *(part.end for part in walked[:-1])] == [part.start for part in walked]
    assert walked[-1].end == len(data) == end(data, format)


@sample
def test_bytes_behind_the_end_do_not_matter(path: Path) -> None:
    """The end of a whole container is where it was, whatever follows it."""
    data = path.read_bytes()
    assert len(data) == finish(data + b"\xff\xd9IEND;RIFF")


@sample
def test_every_cut_is_incomplete(path: Path) -> None:
    """An image that lacks its end, however little of it, is not complete, and known to be cut."""
    data = path.read_bytes()
    format = identify(data)
    assert format is not None
    for length in {*range(20), *range(20, len(data), 97), *range(len(data) - 30, len(data))}:
        whole, stops = complete(data[:length], format), cut(data[:length], format)
        assert (False, identify(data[:length]) is format) == (whole, stops), length


WHOLE = {
    "fill bytes before a marker": jpeg(b"\xff\xff\xff" + segment(0xE0)),
    "fill bytes behind the scan": jpeg(behind=b"\xff\xff\xff"),
    "restart markers and stuffed zeros": jpeg(scan=b"\1\xff\xd0\2\xff\0\xff\xd7\3"),
    "a fill byte before a stuffed zero": jpeg(scan=b"\1\xff\xff\0\2"),
    "an empty scan": jpeg(scan=b""),
    "two scans with tables between": jpeg(behind=segment(0xC4) + segment(0xDA) + b"\1\2"),
    "the height behind the scan": jpeg(behind=segment(0xDC, b"\0\x08")),
    "application segments between others": jpeg(segment(0xDB), segment(0xE5), segment(0xFE), segment(0xE1)),
    "a segment without a body": jpeg(segment(0xE3)),
    "bare markers": jpeg(b"\xff\x01\xff\xd0"),
    "an end marker in a segment": jpeg(segment(0xFE, b"\xff\xd9\xff\xd8")),
    "arithmetic coding": jpeg(segment(0xCC), marker=0xC9),
    "image data in two chunks": png(behind=chunk(b"IDAT", b"")),
    "a wrong checksum in a text": png(chunk(b"tEXt", b"Comment\0hello", checksum_off_by=1)),
    "an unknown chunk": png(chunk(b"xyZa", b"?")),
    "version 87a": gif(version=b"87a"),
    "a local colour table": gif(gif_frame(local=True)),
    "no global colour table": b"GIF89a" + b"\1\0\1\0\0\0\0" + gif_frame() + b";",
    "an unknown extension": gif(b"!\x99\1x\0", gif_frame()),
    "unknown chunks": webp(riff_chunk(b"abcd", b"xyz"), vp8l(), riff_chunk(b"\xff\xfe\0\1")),
    "an animation": webp(vp8x(2), anmf(40)),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_whole(data: bytes) -> None:
    """What decoders take is complete."""
    assert len(data) == finish(data)


def with_bytes(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


BROKEN = {
    "no frame header before the scan": b"\xff\xd8" + segment(0xDA) + b"\1\xff\xd9",
    "frame header behind the scan": b"\xff\xd8" + segment(0xDA) + b"\1" + segment(0xC0, frame_header()) + b"\xff\xd9",
    "no scan": b"\xff\xd8" + segment(0xC0, frame_header()) + b"\xff\xd9",
    "a segment shorter than its length": jpeg(b"\xff\xe0\0\1"),
    "a segment of length zero": jpeg(b"\xff\xe0\0\0"),
    "a second start": jpeg(b"\xff\xd8"),
    "junk between segments": jpeg(segment(0xE0), b"\0\0"),
    "a reserved marker": jpeg(segment(0x02)),
    "a stuffed zero between segments": jpeg(b"\xff\0"),
    "a wrong checksum in the image data": png(behind=chunk(b"IDAT", b"x", checksum_off_by=1)),
    "a wrong checksum in the header": with_bytes(png(), 16, b"\1"),
    "a wrong checksum in a frame of an animation": png(behind=chunk(b"fdAT", b"\0\0\0\0x", checksum_off_by=1)),
    "no image data": PNG_SIGNATURE + chunk(b"IHDR", bytes(13)) + chunk(b"IEND"),
    "no header chunk": PNG_SIGNATURE + chunk(b"IDAT") + chunk(b"IEND"),
    "a header of another length": PNG_SIGNATURE + chunk(b"IHDR", bytes(12)) + chunk(b"IDAT") + chunk(b"IEND"),
    "an end with a body": png()[:-12] + chunk(b"IEND", b"x"),
    "a chunk type that is no word": png(chunk(b"a1b2")),
    "a chunk length beyond 31 bits": with_bytes(png(), 33, b"\x80"),
    "no picture before the trailer": gif(b"!\xfe\0"),
    "junk between blocks": gif(gif_frame(), b"\0", gif_frame()),
    "a chunk that overlaps the end": with_bytes(webp(vp8()), 16, b"\xff"),
    "bytes too few for a chunk": webp(vp8(), b"abc\0"),
    "no picture in the file": webp(vp8x()),
    "a size of nothing": with_bytes(webp(vp8()), 4, b"\0\0\0\0"),
    "no padding behind an odd chunk": webp(riff_chunk(b"VP8 ", b"x")[:-1]),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_broken(data: bytes) -> None:
    """What breaks the rules of its format is neither complete nor merely cut."""
    format = identify(data)
    assert format is not None
    assert (end(data, format), cut(data, format)) == (None, False)


@pytest.mark.parametrize("format", FORMATS)
def test_another_format_has_no_parts(format: Format) -> None:
    """A walk by the wrong format is empty, and the container neither complete nor cut."""
    others = [data for data in (jpeg(), png(), gif(), webp(vp8()), b"") if identify(data) is not format]
    assert [(list(parts(one, format)), end(one, format), cut(one, format)) for one in others] == [([], None, False)] * 4


def test_inner_chunks_of_a_frame() -> None:
    """An animation frame's own chunks are walked behind its header."""
    data = webp(vp8x(2), anmf(40, riff_chunk(b"ALPH", b"x"), vp8()))
    frame = next(part for part in parts(data, Format.WEBP) if part.kind == "ANMF")
    assert [part.kind for part in inner_chunks(data, frame)] == ["ALPH", "VP8 "]


@pytest.mark.parametrize("body", [b"short", bytes(16) + b"VP8 \xff\0\0\0xx", bytes(16) + b"VP8"])
def test_inner_chunks_stop_where_they_break(body: bytes) -> None:
    """A frame whose chunks overlap its end has none."""
    data = webp(vp8x(2), riff_chunk(b"ANMF", body))
    frame = next(part for part in parts(data, Format.WEBP) if part.kind == "ANMF")
    assert list(inner_chunks(data, frame)) == []


@given(damaged() | st.binary(max_size=200), st.sampled_from(FORMATS))
def test_nothing_raises(data: bytes, format: Format) -> None:
    """Whatever the bytes: the walk ends, its parts tile what they cover, and complete agrees with end."""
    walked = list(parts(data, format))
    assert [part.start for part in walked[1:]] == [part.end for part in walked[:-1]]
    assert all(part.start <= part.body <= part.body_end <= part.end <= len(data) for part in walked)
    assert complete(data, format) is (end(data, format) is not None)
    assert not (complete(data, format) and cut(data, format))
    assert all(list(inner_chunks(data, part)) is not None for part in walked)


def test_more_parts_than_any_image_has() -> None:
    """A container of more than 200,000 parts is broken: walking it would take long, and nothing real has as many."""
    data = gif(b"!\xfe\0" * 200_001, gif_frame())
    assert (end(data, Format.GIF), cut(data, Format.GIF)) == (None, False)


@pytest.mark.parametrize(
    "data",
    [
        jpeg(b"\xff" * 3_000_000 + segment(0xE0)),
        jpeg(scan=b"\xff" * 3_000_000 + b"\0"),
        jpeg(scan=b"\xff\xd0" * 1_500_000),
        png(*[chunk(b"teXt")] * 100_000),
        gif(gif_frame()[:-1] + b"\1\1" * 500_000 + b"\0"),
        webp(*[riff_chunk(b"abcd")] * 100_000, vp8()),
    ],
    ids=["fill bytes", "stuffed fill bytes", "restarts", "chunks", "sub-blocks", "RIFF chunks"],
)
def test_repetition_without_end_is_walked(data: bytes) -> None:
    """A file made of what a walker must step over one by one is walked to its end."""
    assert len(data) == finish(data)
