"""The size of an AVIF is read from its boxes; anything that is not a whole still is None."""

from __future__ import annotations

import struct
from functools import cache

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.image.variants.avif import avif_size
from sample_images import cutout, photo, saved


def box(kind: bytes, body: bytes = b"") -> bytes:
    """One box."""
    return struct.pack(">I", 8 + len(body)) + kind + body


def ispe(width: int, height: int) -> bytes:
    """The property that holds an item's size."""
    return box(b"ispe", struct.pack(">III", 0, width, height))


FTYP = box(b"ftyp", b"avif\0\0\0\0avifmif1")
MDAT = box(b"mdat", b"pixels")


def avif(*properties: bytes, brand: bytes = FTYP, behind: bytes = MDAT) -> bytes:
    """An AVIF with these properties; nothing decodes it."""
    return brand + box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", b"".join(properties)))) + behind


@cache
def real() -> bytes:
    """A small AVIF with transparency, as libvips writes it."""
    image = pyvips.Image.new_from_buffer(saved(cutout().resize((61, 43)), "PNG"), "")
    return bytes(image.heifsave_buffer(compression="av1", effort=0, keep="none"))


def test_libvips() -> None:
    """An AVIF of libvips has the size of its image, with and without transparency."""
    plain = pyvips.Image.new_from_buffer(saved(photo(), "PNG"), "")
    assert avif_size(real()) == (61, 43)
    assert avif_size(bytes(plain.heifsave_buffer(compression="av1", effort=0, keep="none"))) == photo().size


def test_pillow() -> None:
    """An AVIF of another encoder has its size too."""
    assert avif_size(saved(photo(), "AVIF")) == photo().size


@pytest.mark.parametrize(
    "data",
    [
        avif(ispe(7, 5)),
        avif(ispe(7, 5), ispe(7, 5), box(b"pixi", b"\0")),
        avif(ispe(7, 5), behind=struct.pack(">I", 0) + b"mdat" + b"to the end"),
        avif(ispe(7, 5), behind=struct.pack(">I4sQ", 1, b"mdat", 20) + b"long"),
    ],
)
def test_whole(data: bytes) -> None:
    """Boxes may have a size of 64 bits or reach to the end, and items share a size."""
    assert avif_size(data) == (7, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        avif(),
        avif(ispe(7, 5), ispe(8, 5)),
        avif(ispe(0, 5)),
        avif(ispe(7, 0)),
        avif(box(b"ispe", b"short")),
        avif(ispe(7, 5), box(b"irot", b"\1")),
        avif(ispe(7, 5), box(b"imir", b"\1")),
        avif(ispe(7, 5), box(b"clap", bytes(32))),
        avif(ispe(7, 5), brand=box(b"ftyp", b"avis\0\0\0\0avif")),
        avif(ispe(7, 5), brand=box(b"free")),
        avif(ispe(7, 5), behind=b""),
        avif(ispe(7, 5), behind=MDAT[:-1]),
        avif(ispe(7, 5), behind=MDAT + b"more"),
        avif(ispe(7, 5), behind=struct.pack(">I", 4) + b"mdat"),
        FTYP + MDAT,
        FTYP + box(b"meta", bytes(4) + box(b"iprp")) + MDAT,
        FTYP + 2 * box(b"meta", bytes(4)) + MDAT,
        FTYP + MDAT + 2000 * box(b"free"),
    ],
)
def test_not_whole(data: bytes) -> None:
    """What is cut, turned, of several sizes or of another brand has no size."""
    assert avif_size(data) is None


@given(st.data())
def test_cut_or_damaged(draw: st.DataObject) -> None:
    """A cut AVIF has no size; whatever the bytes are, nothing is raised."""
    data = real()
    assert avif_size(data[: draw.draw(st.integers(0, len(data) - 1))]) is None
    spoilt = bytearray(data)
    for at in draw.draw(st.lists(st.integers(0, min(400, len(data) - 1)), max_size=4)):
        spoilt[at] = draw.draw(st.integers(0, 255))
    found = avif_size(bytes(spoilt))
    assert found is None or min(found) > 0
