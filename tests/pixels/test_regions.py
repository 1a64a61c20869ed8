"""Boxes lie around all that is marked, far apart, and leave out what is far from every mark."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from imgshrink.pixels.regions import APART, Marks
from imgshrink.pixels.structure import ALIGNED, Box

SIDE = 80
CELL = 4
SPOTS = st.lists(st.tuples(st.integers(0, SIDE * 4), st.integers(0, SIDE * 4)), max_size=6)


def boxes_of(spots: list[tuple[int, int]], cell: int = CELL) -> list[Box]:
    """Return the boxes around some windows."""
    width = SIDE * ALIGNED // cell + 1
    windows = bytearray(width * width)
    for x, y in spots:
        windows[y * width + x] = 255
    marks = Marks(SIDE)
    marks.add_windows(bytes(windows), width, cell)
    return list(marks.boxes())


@settings(deadline=None)
@given(spots=SPOTS)
def test_all_marks_lie_in_boxes(spots: list[tuple[int, int]]) -> None:
    """Every pixel that a marked window reaches lies in one box; no two boxes share a window."""
    boxes = boxes_of(spots)
    for x, y in spots:
        left, right = max(0, (x - 1) * CELL), (x + 1) * CELL
        top, bottom = max(0, (y - 1) * CELL), min(SIDE * ALIGNED, (y + 1) * CELL)
        assert [box for box in boxes if box.top <= top < bottom <= box.bottom and box.left <= left < right <= box.right]
    for one, other in combinations(boxes, 2):
        down = max(one.top, other.top) - min(one.bottom, other.bottom)
        across = max(one.left, other.left) - min(one.right, other.right)
        assert max(down, across) >= APART * ALIGNED
    assert bool(boxes) == bool(spots)


def test_a_cross_of_gaps_is_cut() -> None:
    """Marks at the corners are boxes of their own where the gaps between them are wide, one box where they are not."""
    far = SIDE * 4 - 8
    wide = [(8, 8), (8, far), (far, 8), (far, far)]
    blobs = [(x + across, y + down) for x, y in wide for across in range(0, 81, 4) for down in range(0, 81, 4)]
    assert len(boxes_of([(x if x < 160 else x - 80, y if y < 160 else y - 80) for x, y in blobs])) == 4
    assert len(boxes_of(wide)) == 2
    assert len(boxes_of([(8, 8), (60, 60)])) == 1


def test_near_marks_are_one_box() -> None:
    """Windows of larger cells reach further; marks that are near each other are one box."""
    assert boxes_of([(4, 4), (10, 4)], cell=8) == [Box(16, 48, 16, 96)]
    assert boxes_of([]) == []
