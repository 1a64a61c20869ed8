"""Time in animations: what stands when."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from imgshrink.image.timing import effective_durations, instants, total_duration

durations = st.lists(st.integers(0, 2000), min_size=1, max_size=400)


def test_shortest_durations_last_longer_on_screen() -> None:
    """Browsers show a frame of 10 ms or less for 100 ms."""
    assert effective_durations((0, 10, 11, 20)) == (100, 100, 11, 20)


def test_equal_timelines_pair_frame_by_frame() -> None:
    """Two animations of the same timing are compared once a frame."""
    assert instants((50, 60, 70), (50, 60, 70)) == ((0, 0), (1, 1), (2, 2))


def test_merged_frames_pair_with_each_part() -> None:
    """A frame that took the time of two stands beside both."""
    assert instants((50, 60, 70), (110, 70)) == ((0, 0), (1, 0), (2, 1))


def test_moved_change_is_an_instant_of_its_own() -> None:
    """A frame that changes earlier is compared with what still stands in the other animation."""
    assert instants((100, 100), (50, 150)) == ((0, 0), (0, 1), (1, 1))


def test_one_frame_has_one_instant() -> None:
    """An animation of one frame changes at its start only."""
    assert instants((100,), (100,)) == ((0, 0),)


def test_duration_on_screen() -> None:
    """An animation lasts as long as browsers show its frames; a still does not last."""
    assert total_duration((0, 10, 11)) == 211
    assert total_duration(()) == 0


def test_every_frame_has_an_instant() -> None:
    """Of 1,000 changes none is left out."""
    assert instants((20,) * 1000, (20,) * 1000) == tuple((number, number) for number in range(1000))


@given(durations, durations)
def test_instants_never_go_back(one: list[int], other: list[int]) -> None:
    """Frames can be decoded in order: neither number ever falls, and both lie inside their animation."""
    taken = instants(one, other)
    assert list(taken) == sorted(taken, key=lambda pair: (pair[0], pair[1]))
    assert all(left < len(one) and right < len(other) for left, right in taken)
    assert all(before[1] <= after[1] for before, after in pairwise(taken))
    assert {left for left, _ in taken} == set(range(len(one)))
    shorter = sum(effective_durations(other)) < sum(effective_durations(one))
    assert shorter or {right for _, right in taken} == set(range(len(other)))
