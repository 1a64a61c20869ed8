"""JPEGs whose scans are not all there."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_builder import frame_header, jpeg, segment
from imgshrink.core.model import Format
from imgshrink.image.containers import Part, parts
from imgshrink.image.limits import unsupported
from imgshrink.image.scans import MOST_SCANS, all_coefficients, count_scans
from imgshrink.image.sniff import describe, sniff
from places import IMAGES

Scan = tuple[bytes, int, int, int, int]


def scanned(*scans: Scan, marker: int = 0xC2, components: bytes = b"\1\2\3") -> bytes:
    """A JPEG whose scans are of these components, first and last coefficient, and bits before and after."""
    pieces = [segment(0xFF & marker, frame_header(components=components))]
    for ids, first, last, high, low in scans:
        body = bytes((len(ids),)) + b"".join(bytes((one, 0)) for one in ids) + bytes((first, last, high << 4 | low))
        pieces.append(segment(0xDA, body) + b"\x12\x34")
    return b"\xff\xd8" + b"".join(pieces) + b"\xff\xd9"


def whole(data: bytes) -> bool:
    """Whether all coefficients are there."""
    return all_coefficients(data, tuple(parts(data, Format.JPEG)))


ALL = b"\1\2\3"
SUCCESSIVE: tuple[Scan, ...] = (
    (ALL, 0, 0, 0, 1),
    *((bytes((one,)), 1, 63, 0, 1) for one in ALL),
    (ALL, 0, 0, 1, 0),
    *((bytes((one,)), 1, 63, 1, 0) for one in ALL),
)


def test_all_scans() -> None:
    """Spectral selection and successive approximation that reach the last bit are whole."""
    assert whole(scanned(*SUCCESSIVE))
    assert whole(scanned((ALL, 0, 0, 0, 0), *((bytes((one,)), 1, 63, 0, 0) for one in ALL)))


@pytest.mark.parametrize("left", range(len(SUCCESSIVE)))
def test_scans_cut_off(left: int) -> None:
    """Any number of first scans is not whole."""
    assert not whole(scanned(*SUCCESSIVE[:left]))


@pytest.mark.parametrize("gone", [4, 5, 6, 7])
def test_one_final_scan_missing(gone: int) -> None:
    """Neither is one without any of the scans that carry last bits."""
    assert not whole(scanned(*(scan for number, scan in enumerate(SUCCESSIVE) if number != gone)))


def test_coefficients_in_pieces() -> None:
    """Bands of coefficients add up, in any order; a gap does not."""
    grey = b"\1"
    bands = [(grey, 0, 0, 0, 0), (grey, 6, 63, 0, 0), (grey, 1, 5, 0, 0)]
    assert whole(scanned(*bands, components=grey))
    assert not whole(scanned(bands[0], bands[1], (grey, 1, 4, 0, 0), components=grey))


def test_sequential() -> None:
    """In a sequential JPEG each component needs a scan, whatever its header says of coefficients."""
    assert whole(scanned((ALL, 0, 63, 0, 0), marker=0xC0))
    assert whole(scanned(*((bytes((one,)), 0, 0, 0, 1) for one in ALL), marker=0xC0))
    assert not whole(scanned((b"\1", 0, 63, 0, 0), (b"\2", 0, 63, 0, 0), marker=0xC0))


def test_damaged_headers() -> None:
    """A scan header that is too short carries nothing; neither does a file without a frame."""
    data = jpeg().replace(segment(0xDA, b"\1\1\0\0\x3f\0"), segment(0xDA, b"\3\1\0"))
    assert not whole(data)
    assert not whole(jpeg().replace(segment(0xDA, b"\1\1\0\0\x3f\0"), segment(0xDA)))
    assert not all_coefficients(b"", ())
    assert not all_coefficients(b"\xff", (Part("SOF0", 0, 1, 1, 1),))


def test_real_files() -> None:
    """Real JPEGs are whole; the first scans of a progressive one are not, and the reason says so."""
    assert all(whole(path.read_bytes()) for path in IMAGES.glob("*.jpg"))
    buffer = io.BytesIO()
    Image.open(IMAGES / "photo.jpg").save(buffer, "JPEG", progressive=True, quality=90)
    data = buffer.getvalue()
    starts = [part.start for part in parts(data, Format.JPEG) if part.kind == "SOS"]
    assert len(starts) > 4
    for start in starts[1:]:
        cut = data[:start] + b"\xff\xd9"
        info = sniff(cut)
        assert info is not None
        assert not info.complete
        assert describe(cut) == "scans are missing"


def test_corpus(corpus: list[Path]) -> None:
    """Every real JPEG is whole and below the limit."""
    jpegs = [data for path in corpus if (data := path.read_bytes()).startswith(b"\xff\xd8")]
    assert jpegs
    assert all(whole(data) and count_scans(tuple(parts(data, Format.JPEG))) < MOST_SCANS for data in jpegs)


@pytest.mark.parametrize(("count", "reason"), [(MOST_SCANS, ""), (MOST_SCANS + 1, "201 scans are over 200")])
def test_many_scans(count: int, reason: str) -> None:
    """A JPEG of more scans than any encoder writes is left alone."""
    info = sniff(scanned(*[(ALL, 0, 63, 0, 0)] * count, marker=0xC0))
    assert info is not None
    assert (info.scans, unsupported(info)) == (count, reason)


@given(st.lists(st.tuples(st.binary(max_size=4), *[st.integers(0, 255)] * 2, st.integers(0, 15), st.integers(0, 15))))
def test_any_headers(scans: list[Scan]) -> None:
    """Whatever scan headers say, the answer is that of counting each coefficient by itself."""
    data = scanned(*scans)
    expected = all(
        any(one in ids and first <= number <= last and low == 0 for ids, first, last, _, low in scans)
        for one in ALL
        for number in range(64)
    )
    assert whole(data) is expected


@given(st.binary(max_size=60))
def test_any_bytes(noise: bytes) -> None:
    """Noise as a frame or scan header raises nothing."""
    data = b"\xff\xd8\xff\xc2" + struct.pack(">H", len(noise) + 2) + noise + b"\xff\xda" + noise + b"\xff\xd9"
    assert whole(data) in (True, False)
