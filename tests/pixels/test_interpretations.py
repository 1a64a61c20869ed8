"""Which ways a candidate may be read."""

from __future__ import annotations

import pytest

from imgshrink.image.metadata import Metadata, read_metadata
from imgshrink.pixels.interpretations import Interpretation, interpretations
from places import IMAGES

SRGB = {"sRGB": b"\0"}
GAMMA = {"gAMA": (45455).to_bytes(4, "big")}


@pytest.fixture(scope="module")
def profile() -> bytes:
    """A real RGB profile."""
    return read_metadata((IMAGES / "photo.jpg").read_bytes()).icc


def test_nothing_lost_leaves_one_reading(profile: bytes) -> None:
    """A candidate with everything that the original has is read as it came."""
    original = Metadata(icc=profile, orientation=6)
    assert interpretations(original, original) == (Interpretation(profile, 6, {}),)


def test_lost_profile_and_orientation_leave_four(profile: bytes) -> None:
    """As it came is first; then with the profile, with the orientation, with both."""
    expected = (
        Interpretation(b"", 1, {}),
        Interpretation(profile, 1, {}),
        Interpretation(b"", 6, {}),
        Interpretation(profile, 6, {}),
    )
    assert interpretations(Metadata(icc=profile, orientation=6), Metadata()) == expected


def test_lossless_colours_are_the_originals(profile: bytes) -> None:
    """Equal samples mean equal colours only under equal definitions: as it came is left out without the profile."""
    assert interpretations(Metadata(icc=profile), Metadata(), exact=True) == (Interpretation(profile, 1, {}),)


@pytest.mark.parametrize("chunks", [GAMMA, {"cICP": b"\t\x10\0\1"}, {"sRGB": b"\0", "cLLI": bytes(8)}])
def test_colours_that_can_not_be_judged_are_the_originals(chunks: dict[str, bytes]) -> None:
    """What libvips does not show must stay as it is defined: gAMA alone, coded primaries, HDR."""
    assert interpretations(Metadata(colour=chunks), Metadata()) == (Interpretation(b"", 1, chunks),)
    assert interpretations(Metadata(), Metadata(colour=chunks)) == (Interpretation(b"", 1, {}),)


def test_sRGB_says_what_is_assumed_anyway() -> None:  # noqa: N802 - the chunk's name
    """A lost sRGB chunk is put back without a second look."""
    assert interpretations(Metadata(colour=SRGB), Metadata()) == (Interpretation(b"", 1, SRGB),)


def test_gamma_beside_a_profile_is_no_obstacle(profile: bytes) -> None:
    """A profile overrides gAMA, so a candidate converted to sRGB may come without both."""
    original = Metadata(icc=profile, colour=GAMMA)
    assert interpretations(original, Metadata()) == (Interpretation(b"", 1, {}), Interpretation(profile, 1, GAMMA))


def test_damaged_profile_stays_with_its_samples(profile: bytes) -> None:
    """Nobody can tell how a damaged profile is shown: the candidate is read under the same one."""
    assert interpretations(Metadata(icc=profile[:60]), Metadata()) == (Interpretation(profile[:60], 1, {}),)


def test_reading_that_is_applied_holds(profile: bytes) -> None:
    """Grafting what a interpretation says makes it true of the bytes."""
    plain = (IMAGES / "camera.jpg").read_bytes()
    interpretation = Interpretation(profile, 6, {})
    assert not interpretation.holds(plain)
    assert interpretation.holds(interpretation.apply(plain))


def test_reading_that_a_format_can_not_carry_does_not_hold(profile: bytes) -> None:
    """A GIF has no place for a profile."""
    interpretation = Interpretation(profile, 1, {})
    assert not interpretation.holds(interpretation.apply((IMAGES / "animated.gif").read_bytes()))
