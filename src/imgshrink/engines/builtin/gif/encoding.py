"""Encodes composed frames one after the other, exactly or leaving out small changes of colours."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageChops

from .canvas import Canvas, Change, compare, placed, union
from .faults import Faults
from .reader import Box, Frame
from .writer import Pending, write

_SHORTEST_MERGED = 2
"""1/100 s: browsers show shorter frames for 1/10 s, so merging those would change the timing."""

_LONGEST = 0xFFFF


class Encoding:
    """The blocks of an animation, one frame late: the next frame decides how much of a frame must be cleared.

    Colours within `threshold` of what the screen shows already are not drawn; `faults` collects how that looks.
    """

    def __init__(self, shown: Canvas, colours: list[bytes], *, alpha: bool, threshold: int = 0) -> None:
        self.shown = shown
        self.faults = Faults()
        self._colours = colours
        self._alpha = alpha
        self._threshold = threshold
        self._pending: Pending | None = None
        self._blocks: list[bytes] = []

    def copy(self, threshold: int) -> Encoding:
        """Return an encoding that goes on from here with another threshold."""
        other = Encoding(self.shown.copy(), self._colours, alpha=self._alpha, threshold=threshold)
        other._pending, other._blocks = self._pending, self._blocks.copy()
        return other

    def add(self, frame: Frame, wanted: Canvas, box: Box) -> None:
        """Encode the next frame: `wanted` is the screen after it, which has changed within `box` only."""
        change = compare(self.shown, wanted, box, self._threshold)
        if self._pending is not None:
            if _same(change) and _mergeable(self._pending, frame):
                self._pending = _longer(self._pending, frame.delay)
                return
            change = self._written(self._pending, change, wanted)
        self._pending = _pending(change, frame)
        self.shown.take(wanted, self._pending.box, self._pending.drawn)
        if self._threshold:
            self.faults.look(self.shown, wanted, box)

    def _written(self, pending: Pending, change: Change, wanted: Canvas) -> Change:
        """Write the pending frame and return what is left to change after it."""
        if change.cleared is not None:
            pending = pending.grown(change.cleared)
        self._blocks.append(write(pending, self.shown, self._colours, alpha=self._alpha))
        if pending.disposal != 2:
            return change
        self.shown.clear(pending.box)
        return compare(self.shown, wanted, union(change.box, pending.box), self._threshold)

    def finish(self) -> bytes:
        """Return all blocks."""
        if self._pending is not None:
            self._blocks.append(write(self._pending, self.shown, self._colours, alpha=self._alpha))
            self._pending = None
        return b"".join(self._blocks)


def skips(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> bool:
    """Tell whether a threshold leaves out anything of a frame."""
    exact, lossy = (compare(shown, wanted, box, level).drawn for level in (0, threshold))
    return ImageChops.difference(exact, lossy).getbbox() is not None


def _same(change: Change) -> bool:
    return change.drawn.getbbox() is None and change.cleared is None


def _mergeable(pending: Pending, frame: Frame) -> bool:
    return min(pending.delay, frame.delay) >= _SHORTEST_MERGED and pending.delay + frame.delay <= _LONGEST


def _longer(pending: Pending, delay: int) -> Pending:
    return replace(pending, delay=pending.delay + delay)


def _pending(change: Change, frame: Frame) -> Pending:
    """Return the frame cut down to what changed; one pixel where nothing did, because its time must pass."""
    box = change.drawn.getbbox()
    if box is None:
        return Pending((0, 0, 1, 1), Image.new("L", (1, 1)), frame.delay)
    return Pending(placed(box, change.box), change.drawn.crop(box), frame.delay)
