"""What is to be tested again lies in the boxes, and little else does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.pixels.changes import boxes_to_test
from imgshrink.pixels.structure import ALIGNED, MARGIN, Box

WIDTH, HEIGHT, BANDS = 200, 150, 3
Spots = list[tuple[int, int]]
SPOTS = st.lists(st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)), max_size=5)


def spotted(spots: Spots, value: int) -> bytes:
    """Return a black image with some samples set."""
    samples = bytearray(WIDTH * HEIGHT * BANDS)
    for x, y in spots:
        samples[(y * WIDTH + x) * BANDS + 1] = value
    return bytes(samples)


def inside(box: Box, x: int, y: int) -> bool:
    """Tell whether a pixel lies in a box."""
    return box.left <= x < box.right and box.top <= y < box.bottom


@settings(deadline=None)
@given(before=SPOTS, now=SPOTS)
def test_all_that_differs_anew_is_tested(before: Spots, now: Spots) -> None:
    """Every pixel that differs now and did not differ so before lies in a box; boxes lie on the grid and far apart."""
    black = spotted([], 0)
    old, new = (black, spotted(before, 9)), (black, spotted(now, 9))
    boxes = boxes_to_test(new, old, WIDTH, HEIGHT)
    for x, y in set(now) - set(before):
        assert any(inside(box, x, y) for box in boxes)
    for box in boxes:
        assert (box.top % ALIGNED, box.left % ALIGNED) == (0, 0)
        assert box.bottom <= HEIGHT
        assert box.right <= WIDTH
    assert all(one.bottom + 2 * MARGIN < other.top for one, other in pairwise(boxes))
    if set(before) == set(now) or not now:
        assert boxes == []


def test_a_first_pair_is_tested_across() -> None:
    """Without a pair before, whole rows are tested, from the first that differs to the last."""
    black, other = spotted([], 0), spotted([(70, 20), (90, 100)], 1)
    assert boxes_to_test((black, other), None, WIDTH, HEIGHT) == [Box(16, 112, 0, WIDTH)]
    assert boxes_to_test((black, black), None, WIDTH, HEIGHT) == []


def test_a_small_change_is_a_small_box() -> None:
    """A spot that appears is tested in its own columns."""
    black = spotted([], 0)
    old, new = (black, spotted([(10, 40)], 3)), (black, spotted([(10, 40), (150, 130)], 3))
    assert boxes_to_test(new, old, WIDTH, HEIGHT) == [Box(128, 144, 128, 192)]
