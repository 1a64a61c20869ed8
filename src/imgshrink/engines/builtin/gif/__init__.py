"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from collections.abc import Iterable

from ....core.model import ImageInfo, Recipe
from ....pixels.looks import Looks
from ..metadata import carry
from .canvas import Canvas, Colours, Player
from .encoding import Encoding, skips
from .faults import looks_well
from .palette import numbered
from .reader import Frame, Unusual, read_frames, read_screen
from .writer import header

_WORTH_IT = 0.99

_CLEARLY = 0.9
"""Of the exact encoding's bytes in a sample of its frames: the others are not needed then."""

_KEPT_PIXELS = 1 << 24
"""A byte each."""


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, _looks: Looks) -> bytes:
    """Return the GIF in fewer bytes, exact in its timeline; `data` itself where it uses unsupported features."""
    try:
        result = carry(data, _smallest(data, info, recipe))
    except Unusual:
        return data
    return result if len(result) < _WORTH_IT * len(data) else data


def _smallest(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the first lossy encoding that looks well if it is worth it, else the exact one."""
    source = _Source(data, alpha=info.alpha)
    blocks: bytes | None = None
    for threshold in _thresholds(recipe.quality):
        sample, lossy = source.encode(threshold)
        if lossy is None:
            return source.file(sample.finish())
        smaller = lossy.finish()
        sample.finish()
        if blocks is None and lossy.share_of(sample) >= _CLEARLY:
            blocks = source.encode()[0].finish()
        if blocks is not None and len(smaller) >= _WORTH_IT * len(blocks):
            break
        if looks_well(lossy.faults, recipe.quality):
            return source.file(smaller)
    return source.file(source.encode()[0].finish() if blocks is None else blocks)


def _thresholds(quality: int) -> tuple[int, ...]:
    """Return by how much a channel may differ from the screen's and still count as unchanged: two levels to try."""
    if quality >= 90:
        return ()
    most = 4 if quality >= 80 else 6 if quality >= 65 else 8
    return most, most // 2


class _Source:
    """A GIF to be encoded, several times."""

    def __init__(self, data: bytes, *, alpha: bool) -> None:
        self._data = data
        self._alpha = alpha
        self._screen = read_screen(data)
        self._kept = list(read_frames(data)) if self._screen.pixels <= _KEPT_PIXELS else None
        self._colours = Colours(numbered(self._frames()))

    def _frames(self) -> Iterable[Frame]:
        return read_frames(self._data) if self._kept is None else self._kept

    def encode(self, threshold: int = 0) -> tuple[Encoding, Encoding | None]:
        """Return the exact encoding, and the lossy one if there is anything to leave out.

        From there on the exact one is only a sample.
        """
        player = Player(Canvas(self._screen.size, self._colours))
        exact, lossy = Encoding(Canvas(self._screen.size, self._colours), alpha=self._alpha), None
        for frame in self._frames():
            box = player.show(frame)
            if lossy is None and threshold and skips(exact.shown, player.canvas, box, threshold):
                lossy = exact.copy(threshold)
                exact.sample()
            for encoding in filter(None, (exact, lossy)):
                encoding.add(frame, player.canvas, box)
        return exact, lossy

    def file(self, blocks: bytes) -> bytes:
        """Return the whole file."""
        return header(self._screen, self._colours.shared) + blocks + b"\x3b"
