"""How verify chooses between interpretations, when it stops looking, and what it does with what it knows already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import pyvips

from imgshrink.core.model import Accept, Format, NotSmaller, Recipe, Refuse
from imgshrink.image.carried import Carried, read_carried
from imgshrink.image.metadata import Metadata, read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.difference import Difference
from imgshrink.pixels.interpretations import Interpretation, interpretations
from imgshrink.pixels.tolerance import structure_limits, tolerance
from imgshrink.pixels.verify import _finish, _look, _nearest, verify
from sample_images import animated, clip, photo, saved, wide_profile

LOSSY, LOSSLESS = Recipe(80), Recipe(100)
CAME, WITH_PROFILE = Interpretation(b"", 1, {}), Interpretation(wide_profile(), 1, {})

MOST = tolerance(80)[0]


def chosen(came: Difference, profile: Difference) -> Interpretation:
    """Which of two interpretations is taken."""
    interpretation, look = _nearest([CAME, WITH_PROFILE], [came, profile], LOSSY, Format.JPEG)
    assert look == (came if interpretation is CAME else profile)
    return interpretation


@pytest.mark.parametrize(
    ("came", "profile", "expected"),
    [
        (Difference(2, 1), Difference(2, 1), CAME),
        (Difference(2.4, 1.05), Difference(2, 1), CAME),
        (Difference(2.5, 0.5), Difference(2, 0.5), WITH_PROFILE),
        (Difference(2.4, 1.1), Difference(2, 1), WITH_PROFILE),
        (Difference(2, 1), Difference(9, 5), CAME),
        (Difference(9, 1), Difference(2, 1), WITH_PROFILE),
        # what no eye tells apart, but only one of them is allowed
        (Difference(MOST + 0.1, 1), Difference(MOST - 0.1, 1), WITH_PROFILE),
        (Difference(MOST, 1), Difference(MOST - 0.4, 1), CAME),
        # neither is allowed: the nearest, for the reason's sake
        (Difference(MOST + 5.2, 1), Difference(MOST + 5, 1), WITH_PROFILE),
        (Difference(MOST + 5, 1), Difference(MOST + 5.2, 1), CAME),
    ],
)
def test_which_interpretation(came: Difference, profile: Difference, expected: Interpretation) -> None:
    """The nearest is taken, or as it came where no eye could tell the two apart and it is allowed."""
    assert chosen(came, profile) is expected


def images(*levels: int) -> Iterator[tuple[pyvips.Image, pyvips.Image]]:
    """Frames that are brighter than they should be by some levels."""
    for level in levels:
        left = (pyvips.Image.black(64, 64, bands=3) + 100).cast("uchar").copy(interpretation="srgb")
        yield left, (left + level).cast("uchar").copy(interpretation="srgb")


@pytest.mark.parametrize("recipe", [LOSSY, LOSSLESS], ids=["lossy", "lossless"])
def test_stops_when_no_frame_can_help(recipe: Recipe) -> None:
    """After the first frame that is refused no other is drawn; before that every one is."""
    frames = images(0, 90, 0, 0)
    (look,) = _look(frames, Metadata(), [CAME], recipe, Format.GIF)
    assert look.excess(recipe.quality, Format.GIF) > 1
    assert len(list(frames)) == 2
    frames = images(0, 0, 0, 0)
    assert _look(frames, Metadata(), [CAME, CAME], recipe, Format.GIF) == [Difference(), Difference()]
    assert list(frames) == []


class Known:
    """Looks that say of every pair that it is as different as they were told."""

    def __init__(self, look: Difference | None) -> None:
        self._look = look
        self.asked = 0

    def recall(
        self, reference: pyvips.Image, candidate: pyvips.Image, limits: Mapping[str, float]
    ) -> Difference | None:
        """Count."""
        assert limits == structure_limits(80, Format.PNG)
        assert (reference.width, reference.height) == (candidate.width, candidate.height)
        self.asked += 1
        return self._look


ORIGINAL, SMALLER = saved(photo(), "PNG", compress_level=0), saved(photo(), "PNG", optimize=True)
WRONG = Difference(worst=MOST * 1.01)


@pytest.mark.parametrize(
    ("known", "expected"), [(WRONG, Refuse), (Difference(MOST), Accept), (Difference(), Accept), (None, Accept)]
)
def test_what_is_known_is_not_compared_again(known: Difference | None, expected: type) -> None:
    """A still that was compared before is judged by that; where it was not, it is compared."""
    looks = Known(known)
    assert isinstance(verify(ORIGINAL, SMALLER, LOSSY, looks), expected)  # type: ignore[arg-type]
    assert looks.asked == 1


def test_what_known_looks_say_nothing_of() -> None:
    """A lossless result, an animation, and one that may be interpreted in several ways are compared all the same."""
    looks = Known(WRONG)
    profiled = saved(photo(), "PNG", compress_level=0, icc_profile=wide_profile())
    assert isinstance(verify(ORIGINAL, SMALLER, LOSSLESS, looks), Accept)  # type: ignore[arg-type]
    assert isinstance(verify(profiled, SMALLER, LOSSY, looks), Accept | Refuse)  # type: ignore[arg-type]
    moving, less = (animated(clip(3), "WEBP", 100, quality=quality) for quality in (100, 80))
    assert isinstance(verify(moving, less, LOSSY, looks), Accept)  # type: ignore[arg-type]
    assert looks.asked == 0


@pytest.mark.parametrize("error", [MemoryError(), ValueError("vips_tracked: out of memory --- size == 3GB")])
def test_no_memory_is_no_judgement(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Lack of memory, by Python or by libvips, is raised: it says nothing of the image."""

    def fail(data: bytes) -> None:
        raise error

    monkeypatch.setattr("imgshrink.pixels.verify.sniff", fail)
    with pytest.raises(MemoryError):
        verify(b"", b"", LOSSY)


def test_an_error_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that says nothing is named by its kind."""

    def fail(data: bytes) -> None:
        raise KeyError

    monkeypatch.setattr("imgshrink.pixels.verify.sniff", fail)
    assert verify(b"", b"", LOSSY) == Refuse("can't be compared: KeyError")


@pytest.mark.parametrize(("more", "expected"), [(1, Accept(SMALLER)), (0, NotSmaller())])
def test_smaller_by_a_byte(more: int, expected: object) -> None:
    """What is accepted is smaller than the original when all is grafted."""
    (came,) = interpretations(read_metadata(SMALLER), read_metadata(SMALLER), exact=False)
    assert sniff(SMALLER) is not None
    assert _finish(bytes(len(SMALLER) + more), SMALLER, came, None) == expected


def test_no_smaller_is_not_looked_at() -> None:
    """A candidate as large as the original is not smaller, whatever it shows: nothing is drawn for it."""
    other = saved(photo().rotate(180), "PNG", compress_level=0)
    assert len(other) == len(ORIGINAL)
    assert verify(ORIGINAL, other, LOSSY) == NotSmaller()


def test_what_is_carried_must_be_there() -> None:
    """A result that lacks what the original carries for other programs is refused, however small it is."""
    (came,) = interpretations(read_metadata(SMALLER), read_metadata(SMALLER), exact=False)
    for carried in (Carried(trailing=b"a diagram"), Carried(leading=b"an index")):
        reason = "what the original carries for other programs can't be carried over"
        assert _finish(ORIGINAL, SMALLER, came, carried) == Refuse(reason)
    assert _finish(ORIGINAL, SMALLER, came, read_carried(ORIGINAL)) == Accept(SMALLER)
