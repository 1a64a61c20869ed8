"""A GIF to be encoded, several times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import tee

from .canvas import Canvas, Colours, Player
from .encoding import Encoding, skips
from .inspection import Moved, first_good
from .merging import counted, merging
from .palette import numbered
from .reader import Frame, read_frames, read_screen
from .writer import header

TRAILER = b"\x3b"

_KEPT_PIXELS = 1 << 24
"""A byte each."""


class Source:
    """The frames of a GIF, and its exact and lossy encodings."""

    def __init__(self, data: bytes, *, alpha: bool) -> None:
        self._data = data
        self._alpha = alpha
        self._screen = read_screen(data)
        self._kept = list(read_frames(data)) if self._screen.pixels <= _KEPT_PIXELS else None

    def frames(self) -> Iterable[Frame]:
        """Return the frames; those of a large GIF are decoded each time."""
        return read_frames(self._data) if self._kept is None else self._kept

    @cached_property
    def _colours(self) -> Colours:
        return Colours(numbered(self.frames()))

    @cached_property
    def counts(self) -> Counter[bytes]:
        """How many pixels have each colour."""
        return counted(self.frames())

    @cached_property
    def _unordered(self) -> Colours:
        return Colours(sorted(self.counts))

    def first_good(self, ways: Sequence[Moved], quality: int) -> Moved | None:
        """Return the first way to merge colours that looks as good as that quality asks for, None if none does."""
        return first_good(self.frames(), self.canvas(self._unordered), ways, quality)

    def canvas(self, colours: Colours | None = None) -> Canvas:
        """Return an empty screen."""
        return Canvas(self._screen.size, colours or self._colours)

    def sample(self) -> Encoding:
        """Return the exact encoding of a sample of the frames."""
        player, exact = Player(self.canvas()), Encoding(self.canvas(), alpha=self._alpha)
        exact.sample()
        for frame in self.frames():
            box = player.show(frame)
            exact.add(frame, player.canvas, box)
        exact.finish()
        return exact

    def encode(self, threshold: int = 0) -> tuple[Encoding, Encoding | None]:
        """Return the exact encoding, and the lossy one if there is anything to leave out.

        From there on the exact one is only a sample.
        """
        player = Player(self.canvas())
        exact, lossy = Encoding(self.canvas(), alpha=self._alpha), None
        for frame in self.frames():
            box = player.show(frame)
            if lossy is None and threshold and skips(exact.shown, player.canvas, box, threshold):
                lossy = exact.copy(threshold)
                exact.sample()
            for encoding in filter(None, (exact, lossy)):
                encoding.add(frame, player.canvas, box)
        return exact, lossy

    def encode_merged(self, moved: Moved, threshold: int) -> tuple[Encoding, bytes]:
        """Return a lossy encoding that draws other colours, those of `moved`, and the whole file."""
        colours = Colours(numbered(merging(self.frames(), moved)))
        drawn, wanted = Player(self.canvas(colours)), Player(self.canvas(self._unordered)) if threshold else None
        encoding = Encoding(self.canvas(colours), alpha=self._alpha, threshold=threshold)
        every, others = tee(self.frames())
        for stored, frame in zip(every, merging(others, moved), strict=True):
            box = drawn.show(frame)
            if wanted is None:
                encoding.add(frame, drawn.canvas, box)
            else:
                wanted.show(stored)
                encoding.add(frame, wanted.canvas, box, drawn.canvas)
        return encoding, header(self._screen, colours.shared) + encoding.finish() + TRAILER

    def file(self, blocks: bytes) -> bytes:
        """Return the whole file."""
        return header(self._screen, self._colours.shared) + blocks + TRAILER
