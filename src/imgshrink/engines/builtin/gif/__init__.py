"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from PIL import Image, ImageChops

from ....core.model import ImageInfo, Recipe
from ....pixels.looks import Looks
from ..metadata import carry
from .canvas import Canvas, Player
from .encoding import Encoding, skips
from .faults import looks_well
from .reader import Frame, Unusual, read_frames, read_screen
from .writer import header

_MOST_COLOURS = 256
_WORTH_IT = 0.99


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
    palette, complete = _shared_palette(data)
    wanted = Canvas(screen.size, complete=complete)
    player = Player(wanted, {colour: place for place, colour in enumerate(palette)})
    exact = Encoding(Canvas(screen.size, complete=complete), palette, alpha=info.alpha)
    threshold, lossy = _threshold(recipe.quality), None
    for frame in read_frames(data):
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
    return header(screen, palette) + blocks + b"\x3b"


def _threshold(quality: int) -> int:
    """Return by how much a channel may differ from the screen's and still count as unchanged."""
    if quality >= 90:
        return 0
    return 4 if quality >= 80 else 6 if quality >= 65 else 8


def _shared_palette(data: bytes) -> tuple[list[bytes], bool]:
    """Return at most 256 colours, and whether they are all the colours that are drawn.

    If they are, they are ordered so that frames use low indices; if not, they are those that save most local tables.
    """
    frames: Counter[bytes] = Counter()
    uses: list[bytes] = []
    before: Frame | None = None
    for frame in read_frames(data):
        used = frame.index.histogram(_changed(before, frame))
        values = (value for value in range(len(frame.colours)) if used[value] and value != frame.transparent)
        drawn = {frame.colours[value] for value in values}
        frames.update(drawn)
        uses.append(b"".join(drawn))
        before = frame
    order = sorted(frames, key=lambda colour: (-frames[colour], colour))
    if len(order) <= _MOST_COLOURS:
        return _nested(order, uses), True
    opening = _colours(uses[0])
    first = sorted(order, key=lambda colour: colour not in opening)
    return max(order[:_MOST_COLOURS], first[:_MOST_COLOURS], key=lambda palette: _spared(set(palette), uses)), False


def _colours(table: bytes) -> set[bytes]:
    return {table[at : at + 3] for at in range(0, len(table), 3)}


def _spared(palette: set[bytes], uses: Sequence[bytes]) -> int:
    """Return the bytes of the local tables that `palette` saves; `uses` are the colours of each frame."""
    return sum(3 << (len(table) // 3 - 1).bit_length() for table in uses if table and _colours(table) <= palette)


def _changed(before: Frame | None, frame: Frame) -> Image.Image | None:
    """Return a mask that is 0 where `frame` repeats the frame before it, None if it repeats nothing."""
    if before is None or (before.box, before.colours) != (frame.box, frame.colours):
        return None
    return ImageChops.difference(before.index, frame.index)


def _nested(order: list[bytes], uses: Sequence[bytes]) -> list[bytes]:
    """Return the colours of `order`, arranged so that many frames use only the first ones: shorter codes.

    `uses` are the colours of each frame. The frame that lacks the fewest comes next, one after the other.
    """
    number = {colour: place for place, colour in enumerate(order)}
    waiting = {sum(1 << number[colour] for colour in _colours(table)) for table in uses}
    placed = 0
    nested: list[bytes] = []
    while waiting := {colours for colours in waiting if colours & ~placed}:
        lacking = min((colours & ~placed for colours in waiting), key=lambda colours: (colours.bit_count(), colours))
        nested += [colour for place, colour in enumerate(order) if lacking >> place & 1]
        placed |= lacking
    return nested
