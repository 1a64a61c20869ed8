"""EXIF: orientation and copyright, read from any TIFF structure however broken, and written back in the smallest."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_builder import dense, oriented, tiff
from imgshrink.image.exif import Density, Exif, comments, number, read, text, write

NOTICE = (0x8298, 2, 12, struct.pack(">I", 26))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_in_both_byte_orders(orientation: int, order: str) -> None:
    """An orientation of 1 to 8 is read, whatever the byte order."""
    assert orientation == read(oriented(orientation, order)).orientation


@pytest.mark.parametrize("nonsense", [0, 9, 256, 65535])
def test_orientation_that_does_not_exist(nonsense: int) -> None:
    """An orientation outside 1 to 8 counts as 1."""
    assert read(oriented(nonsense)).orientation == 1


def test_orientation_as_a_long_number() -> None:
    """Writers that store the orientation as LONG are understood."""
    assert read(tiff((0x0112, 4, 1, struct.pack(">I", 6)))).orientation == 6


def test_orientation_of_another_type() -> None:
    """An orientation stored as text is none."""
    assert read(tiff((0x0112, 2, 2, b"6"))).orientation == 1


def test_jpeg_prefix_is_skipped() -> None:
    """The same structure is read with the prefix that JPEG puts before it."""
    assert read(b"Exif\0\0" + oriented(6)) == read(oriented(6)) == Exif(6)


def test_copyright_behind_the_directory() -> None:
    """A notice of more than four bytes is read from where its entry points."""
    assert read(tiff(NOTICE, behind=b"(c) Ann Doe\0")).copyright == "(c) Ann Doe"


def test_copyright_within_its_entry() -> None:
    """A notice of up to four bytes is read from the entry itself."""
    assert read(tiff((0x8298, 2, 4, b"Ann\0"))).copyright == "Ann"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"II*\0",
        b"MM\0*\0\0\0\x08",
        b"MM\0*\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff\x01\x12",
        b"JUNK" + oriented(6)[4:],
        oriented(6)[:-6],
    ],
)
def test_broken_structure_says_nothing(broken: bytes) -> None:
    """A structure that is cut, points outside itself or is no TIFF says nothing."""
    assert read(broken) == Exif()


def test_more_entries_announced_than_there_are() -> None:
    """The entries that are there are read though the directory claims more."""
    assert read(b"MM\0*\0\0\0\x08\xff\xff" + oriented(6)[10:22]).orientation == 6


def test_entries_beyond_what_a_directory_has() -> None:
    """The first 1,000 entries of a directory are read; what comes later is not there."""
    other, entry = (0x9999, 3, 1, b"\0\1"), (0x0112, 3, 1, b"\0\6")
    assert read(tiff(*[other] * 999, entry)).orientation == 6
    assert read(tiff(*[other] * 1000, entry)).orientation == 1


def test_number_of_a_tag_that_is_missing() -> None:
    """A tag that is not there reads as 0."""
    assert number(oriented(6), 0xB001) == 0


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"Ann\0", "Ann"),
        (b"photographer\0editor\0", "photographer editor"),
        ("© Änn".encode(), "© Änn"),
        ("© Änn".encode("latin-1"), "© Änn"),
        (b"   \0  ", ""),
        (b" a \n\t b ", "a b"),
    ],
)
def test_text(stored: bytes, expected: str) -> None:
    """UTF-8 and Latin-1 are decoded, and white space is made one space."""
    assert expected == text(stored)


def test_text_is_bounded() -> None:
    """What is longer than a notice can be is cut."""
    assert text(b"x" * 5000) == "x" * 2000


def test_nothing_to_say_writes_nothing() -> None:
    """The plain orientation and no notice need no EXIF."""
    assert write(Exif()) == b""


@pytest.mark.parametrize("order", "<>")
def test_density_in_both_byte_orders(order: str) -> None:
    """Dots an inch and the size to show are read from the two directories that hold them."""
    assert read(dense(100, 50, (288, 2), order=order)).density == Density((288, 2), (288, 2), 2, 100, 50)


@pytest.mark.parametrize(
    "incomplete",
    [dense(100, 50, unit=4), dense(100, 50, (0, 1)), dense(100, 50, (1, 0)), dense(100, 50)[:-1], b""],
    ids=["unknown unit", "no dots", "division by zero", "cut", "nothing"],
)
def test_incomplete_density_is_none(incomplete: bytes) -> None:
    """A density needs both fractions and a unit that exists."""
    assert read(incomplete).density is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (dense(100, 50, unit=3), Density((144, 1), (144, 1), 3, 100, 50)),
        (dense(0, 50), Density((144, 1), (144, 1))),
        (dense(100, 0), Density((144, 1), (144, 1))),
    ],
    ids=["centimetres", "no width", "no height"],
)
def test_density_that_corrects_nothing_is_read(data: bytes, expected: Density) -> None:
    """A density in another unit or without a size to show is one for print and for documents."""
    assert read(data).density == expected
    assert not expected.corrects(200, 100)


@pytest.mark.parametrize(
    ("density", "expected"),
    [
        (Density((144, 1), (144, 1), 2, 100, 50), True),
        (Density((288, 2), (1440, 10), 2, 100, 50), True),
        (Density((36, 1), (36, 1), 2, 400, 200), True),
        (Density((145, 1), (144, 1), 2, 99, 50), True),
        (Density((72, 1), (72, 1), 2, 200, 100), False),
        (Density((300, 1), (300, 1), 2, 200, 100), False),
        (Density((144, 1), (144, 1), 2, 100, 51), False),
    ],
)
def test_density_that_corrects(density: Density, expected: bool) -> None:
    """An image of 200x100 is shown at another size exactly where density and written size agree on it."""
    assert density.corrects(200, 100) is expected


FRACTIONS = st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
UNITS, SIDES = st.integers(0, 3), st.integers(1, 2**32 - 1)
DENSITIES = st.builds(Density, FRACTIONS, FRACTIONS, UNITS) | st.builds(
    Density, FRACTIONS, FRACTIONS, UNITS, SIDES, SIDES
)
NOTICES = st.text(max_size=2100).map(lambda said: text(said.encode("utf-8", "replace")))


@given(st.builds(Exif, st.integers(1, 8), NOTICES, st.none() | DENSITIES, NOTICES))
def test_what_is_written_is_read(exif: Exif) -> None:
    """Writing and reading gives orientation, notice, artist and density back."""
    assert exif == read(write(exif))


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda junk: b"II*\0\x08\0\0\0" + junk))
def test_reading_never_raises(junk: bytes) -> None:
    """Whatever the bytes, an orientation between 1 and 8 and six comments come out."""
    assert 1 <= read(junk).orientation <= 8
    assert len(list(comments(junk))) == 6
