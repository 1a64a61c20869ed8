"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from PIL import Image, ImageChops

from ....core.model import ImageInfo, Recipe
from ..metadata import carry
from .canvas import Canvas, Change, Player, compare, placed, union
from .reader import Frame, Unusual, read_frames, read_screen
from .writer import Pending, header, write

_MOST_COLOURS = 256
_WORTH_IT = 0.99
_SHORTEST_MERGED = 2
"""1/100 s: browsers show shorter frames for 1/10 s, so merging those would change the timing."""

_LONGEST = 0xFFFF


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the GIF in fewer bytes, exact in its timeline; `data` itself where it does something unusual."""
    screen = read_screen(data)
    try:
        palette, complete = _shared_palette(data)
        screens = Canvas(screen.size, complete=complete), Canvas(screen.size, complete=complete)
        blocks = list(_written(data, palette, screens, _threshold(recipe.quality), alpha=info.alpha))
    except Unusual:
        return data
    result = carry(data, header(screen, palette) + b"".join(blocks) + b"\x3b")
    return result if len(result) < _WORTH_IT * len(data) else data


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


def _written(
    data: bytes, palette: list[bytes], screens: tuple[Canvas, Canvas], threshold: int, *, alpha: bool
) -> Iterator[bytes]:
    """Yield the blocks of each frame, one frame late: the next frame decides how much must be cleared."""
    shown, wanted = screens
    player = Player(wanted, {colour: place for place, colour in enumerate(palette)})
    pending: Pending | None = None
    for frame in read_frames(data):
        change = compare(shown, wanted, player.show(frame), threshold)
        if pending is not None:
            if _same(change) and _mergeable(pending, frame):
                pending = _longer(pending, frame.delay)
                continue
            if change.cleared is not None:
                pending = pending.grown(change.cleared)
            yield write(pending, shown, palette, alpha=alpha)
            if pending.disposal == 2:
                shown.clear(pending.box)
                change = compare(shown, wanted, union(change.box, pending.box), threshold)
        pending = _pending(change, frame)
        shown.take(wanted, pending.box, pending.drawn)
    if pending is not None:
        yield write(pending, shown, palette, alpha=alpha)


def _same(change: Change) -> bool:
    return change.drawn.getbbox() is None and change.cleared is None


def _mergeable(pending: Pending, frame: Frame) -> bool:
    return min(pending.delay, frame.delay) >= _SHORTEST_MERGED and pending.delay + frame.delay <= _LONGEST


def _longer(pending: Pending, delay: int) -> Pending:
    return Pending(pending.box, pending.drawn, pending.source, pending.delay + delay, pending.disposal)


def _pending(change: Change, frame: Frame) -> Pending:
    """Return the frame cut down to what changed; one pixel where nothing did, because its time must pass."""
    box = change.drawn.getbbox()
    if box is None:
        return Pending((0, 0, 1, 1), Image.new("L", (1, 1)), frame, frame.delay)
    return Pending(placed(box, change.box), change.drawn.crop(box), frame, frame.delay)
