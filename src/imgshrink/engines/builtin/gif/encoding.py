"""Encodes composed frames one after the other, exactly or leaving out small changes of colours."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from .canvas import SHARED, Canvas, Change, compare, differing, placed, union
from .faults import Faults
from .reader import Box, Frame
from .writer import Habits, Pending, write

_SHORTEST_MERGED = 2
"""1/100 s: browsers show shorter frames for 1/10 s, so merging those would change the timing."""

_LONGEST = 0xFFFF

_EVERY = 4
_ENOUGH = 8
"""Frames of a sample."""


class Encoding:
    """The blocks of an animation, one frame late: the next frame decides how much of a frame must be cleared.

    Colours within `threshold` of what the screen shows already are not drawn; `faults` collects how that looks. Once it
    is sampled, only one frame in four is written, which tells how its size compares with another's.
    """

    def __init__(self, shown: Canvas, *, alpha: bool, threshold: int = 0) -> None:
        self.shown = shown
        self.faults = Faults()
        self._alpha = alpha
        self._threshold = threshold
        self._habits = Habits()
        self._pending: Pending | None = None
        self.sampled_from: int | None = None
        self._number = 0
        self._blocks: dict[int, bytes] = {}

    def copy(self, threshold: int) -> Encoding:
        """Return an encoding that goes on from here with another threshold."""
        other = Encoding(self.shown.copy(), alpha=self._alpha, threshold=threshold)
        other._pending, other._number, other._blocks = self._pending, self._number, self._blocks.copy()
        return other

    def sample(self) -> None:
        """Write only a sample of the frames from here on."""
        self.sampled_from = self._number

    def add(self, frame: Frame, wanted: Canvas, box: Box, drawn: Canvas | None = None) -> None:
        """Encode the next frame: `wanted` is the screen after it, which has changed within `box` only.

        Where a pixel must be drawn, its colour is that of the screen `drawn`, if there is one, and of `frame`.
        """
        self._number += 1
        if self.sampled_from is not None and not self._in_sample(drawn or wanted):
            return
        if drawn is None or _is_full(frame):
            change = compare(self.shown, drawn or wanted, box, 0 if _is_full(frame) else self._threshold)
        else:
            if self.shown.opaque.full and drawn.opaque.full:
                box = differing(self.shown, drawn, box)
            change = compare(self.shown, wanted, box, self._threshold)
        if self._pending is not None and _same(change) and _mergeable(self._pending, frame):
            self._pending = _longer(self._pending, frame.delay)
            self.faults.look(self.shown, wanted, change.left)
            return
        if self._pending is not None:
            change = self._written(self._pending, change, wanted)
        self._pending = _pending(change, frame, self._number)
        self.shown.take(drawn or wanted, self._pending.box, self._pending.drawn)
        self.faults.look(self.shown, wanted, change.left)
        if self.sampled_from is not None and self._number % _EVERY:
            self._pending = None

    def _in_sample(self, drawn: Canvas) -> bool:
        """Tell whether the next frame is part of the sample, or tells how one that is must end."""
        if self._pending is not None or self._number % _EVERY == 0:
            return True
        if self._number % _EVERY == _EVERY - 1:
            self.shown = drawn.copy()
        return False

    def _written(self, pending: Pending, change: Change, wanted: Canvas) -> Change:
        """Write the pending frame and return what is left to change after it."""
        if change.cleared is not None:
            pending = pending.grown(change.cleared)
        self._write(pending)
        if pending.disposal != 2:
            return change
        self.shown.clear(pending.box)
        return compare(self.shown, wanted, union(change.box, pending.box), self._threshold)

    def _write(self, pending: Pending) -> None:
        if self.sampled_from is None or pending.number % _EVERY == 0:
            self._blocks[pending.number] = write(pending, self.shown, self._habits, alpha=self._alpha)

    def finish(self) -> bytes:
        """Return all blocks that are written."""
        if self._pending is not None:
            self._write(self._pending)
            self._pending = None
        return b"".join(self._blocks.values())

    def share_of(self, other: Encoding) -> float:
        """Return the size beside that of the frames that are written of another encoding; 1 where those are few."""
        since = other.sampled_from or 0
        frames = [number for number in other._blocks if number > since]
        theirs = sum(len(other._blocks[number]) for number in frames)
        mine = sum(len(self._blocks.get(number, b"")) for number in frames)
        return mine / theirs if len(frames) >= _ENOUGH else 1.0


def skips(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> bool:
    """Tell whether a threshold leaves out anything of a frame."""
    return compare(shown, wanted, box, threshold).left > 0


def _is_full(frame: Frame) -> bool:
    """Tell whether a frame uses all of a table of 256 colours: none is left to leave pixels as they are."""
    return frame.transparent is None and len(frame.colours) == SHARED and all(frame.index.histogram())


def _same(change: Change) -> bool:
    return change.drawn.getbbox() is None and change.cleared is None


def _mergeable(pending: Pending, frame: Frame) -> bool:
    return min(pending.delay, frame.delay) >= _SHORTEST_MERGED and pending.delay + frame.delay <= _LONGEST


def _longer(pending: Pending, delay: int) -> Pending:
    return replace(pending, delay=pending.delay + delay)


def _pending(change: Change, frame: Frame, number: int) -> Pending:
    """Return the frame cut down to what changed; one pixel where nothing did, because its time must pass."""
    box = change.drawn.getbbox()
    if box is None:
        return Pending((0, 0, 1, 1), Image.new("L", (1, 1)), frame, frame.delay, number)
    return Pending(placed(box, change.box), change.drawn.crop(box), frame, frame.delay, number)
