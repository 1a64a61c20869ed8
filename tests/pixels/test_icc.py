"""ICC profiles, by their header."""

from __future__ import annotations

import pytest

from imgshrink.image.metadata import read_metadata
from imgshrink.pixels.color import channels
from places import IMAGES


@pytest.fixture(scope="module")
def profile() -> bytes:
    """A real RGB profile."""
    return read_metadata((IMAGES / "photo.jpg").read_bytes()).icc


def test_colours_of_a_profile(profile: bytes) -> None:
    """The header says for how many channels a profile is made."""
    assert channels(profile) == 3
    assert channels(profile[:16] + b"GRAY" + profile[20:]) == 1
    assert channels(profile[:16] + b"CMYK" + profile[20:]) == 4


def test_other_colours(profile: bytes) -> None:
    """A profile for colours that no image of ours has counts as none."""
    assert channels(profile[:16] + b"Lab " + profile[20:]) == 0


def test_damaged_profile(profile: bytes) -> None:
    """A profile that is cut, of another length than it says, or without its signature counts as none."""
    assert channels(b"") == 0
    assert channels(profile[:60]) == 0
    assert channels(profile + b"\0") == 0
    assert channels(profile[:36] + b"xxxx" + profile[40:]) == 0
