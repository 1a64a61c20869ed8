"""A GIF to be encoded, several times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import tee

from .canvas import Canvas, Colours, Player
from .encoding import Encoding, skips
from .inspection import Moved, Worst, first_good
from .merging import counted, merging
from .palette import numbered
from .reader import Frame, read_frames, read_screen
from .writer import header

TRAILER = b"\x3b"

_KEPT_PIXELS = 1 << 24
"""A byte each."""

_CLEARLY = 0.95
"""Of the exact encoding's bytes: what is saved below is worth colours that change for good.

Of 50 GIFs at quality 80, 8 saved less than that, 2 % in the mean; one of them lost as much again the second time.
"""

_SURELY = 0.9
"""Of its bytes in a sample of the frames: the others are not needed then."""


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

    @cached_property
    def exact(self) -> bytes:
        """The smallest exact encoding, as a whole file."""
        return self._exact(sampled=False)[1]

    @cached_property
    def _sample(self) -> Encoding:
        """The exact encoding of a sample of the frames."""
        return self._exact(sampled=True)[0]

    def _exact(self, *, sampled: bool) -> tuple[Encoding, bytes]:
        player, encoding = Player(self.canvas()), Encoding(self.canvas(), alpha=self._alpha)
        if sampled:
            encoding.sample()
        for frame in self.frames():
            box = player.show(frame)
            encoding.add(frame, player.canvas, box)
        return encoding, self._file(encoding)

    def clearly_smaller(self, lossy: Encoding, whole: bytes) -> bool:
        """Tell whether a lossy encoding saves so much that it may change colours for good."""
        if len(whole) > _CLEARLY * len(self._data):
            return False
        if "exact" not in self.__dict__ and lossy.share_of(self._sample) <= _SURELY:
            return True
        return len(whole) <= _CLEARLY * len(self.exact)

    def leave_out(self, threshold: int) -> tuple[Encoding, bytes] | None:
        """Return the encoding that leaves out changes up to a threshold, and the whole file; None if there are none.

        It is exact as far as nothing is left out, and from there on a sample of the exact one is made beside it.
        """
        player = Player(self.canvas())
        exact, lossy = Encoding(self.canvas(), alpha=self._alpha), None
        for frame in self.frames():
            box = player.show(frame)
            if lossy is None and skips(exact.shown, player.canvas, box, threshold):
                lossy = exact.copy(threshold)
                exact.sample()
            for encoding in filter(None, (exact, lossy)):
                encoding.add(frame, player.canvas, box)
        if lossy is None:
            self.exact = self._file(exact)
            return None
        self._sample = exact
        exact.finish()
        return lossy, self._file(lossy)

    def again(self, whole: bytes) -> bytes:
        """Return an encoding of this GIF, encoded once more where that is smaller: its frames tell what is drawn."""
        return min(whole, Source(whole, alpha=self._alpha).exact, key=len)

    def encode_merged(self, moved: Moved, threshold: int, worst: Worst | None = None) -> tuple[Encoding, bytes]:
        """Return a lossy encoding that draws other colours, those of `moved`, and the whole file.

        With a threshold `worst` sees what it shows.
        """
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
                if worst is not None:
                    worst.look(wanted.canvas, encoding.shown)
        return encoding, self._file(encoding)

    def _file(self, encoding: Encoding) -> bytes:
        return header(self._screen, encoding.shown.colours.shared) + encoding.finish() + TRAILER
