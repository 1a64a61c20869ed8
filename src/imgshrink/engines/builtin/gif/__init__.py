"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ....core.model import ImageInfo, Recipe
from ....pixels.looks import Looks
from ..metadata import carry
from .canvas import UNNUMBERED, Canvas, Player
from .encoding import Encoding, skips
from .faults import looks_well
from .palette import MOST_COLOURS, numbered
from .reader import Frame, Unusual, read_frames, read_screen, stored_pixels
from .writer import header

_WORTH_IT = 0.99

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
    """Return the lossy encoding if it looks well and is worth it, else the exact one."""
    screen = read_screen(data)
    stored = _kept(data)
    colours = numbered(stored())
    shared = b"".join(colours) if len(colours) <= MOST_COLOURS else None
    wanted = Canvas(screen.size, shared)
    player = Player(wanted, {colour: min(number, UNNUMBERED) for number, colour in enumerate(colours)})
    exact = Encoding(Canvas(screen.size, shared), colours, alpha=info.alpha)
    threshold, lossy = _threshold(recipe.quality), None
    for frame in stored():
        box = player.show(frame)
        if lossy is None and threshold and skips(exact.shown, wanted, box, threshold):
            lossy = exact.copy(threshold)
        exact.add(frame, wanted, box)
        if lossy is not None:
            lossy.add(frame, wanted, box)
    blocks = exact.finish()
    if lossy is not None:
        smaller = lossy.finish()
        if len(smaller) < _WORTH_IT * len(blocks) and looks_well(lossy.faults, recipe.quality):
            blocks = smaller
    return header(screen, colours[:MOST_COLOURS]) + blocks + b"\x3b"


def _kept(data: bytes) -> Callable[[], Iterable[Frame]]:
    """Return what reads the frames from the first on; few pixels are decoded only once."""
    if stored_pixels(data) > _KEPT_PIXELS:
        return lambda: read_frames(data)
    frames = list(read_frames(data))
    return lambda: frames


def _threshold(quality: int) -> int:
    """Return by how much a channel may differ from the screen's and still count as unchanged."""
    if quality >= 90:
        return 0
    return 4 if quality >= 80 else 6 if quality >= 65 else 8
