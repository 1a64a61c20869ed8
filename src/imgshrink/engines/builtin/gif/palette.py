"""The colours of a GIF by number: which of them make up the shared palette, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops

from .canvas import SHARED
from .reader import Frame

_Uses = Sequence[frozenset[bytes]]
"""The colours of each frame."""

_VOTE = 1 << 40
_VOTERS = 64
"""Colours: frames with more have long codes anyway, and counting their votes takes long."""


def numbered(stored: Iterable[Frame]) -> list[bytes]:
    """Return all colours that are drawn, by number: the first 256 make up the shared palette.

    If these are not all, they are those that save most local tables. They are ordered so that frames use low indices.
    """
    uses: list[frozenset[bytes]] = []
    before: Frame | None = None
    for frame in stored:
        used = frame.index.histogram(_changed(before, frame))
        values = (value for value in range(len(frame.colours)) if used[value] and value != frame.transparent)
        uses.append(frozenset(frame.colours[value] for value in values))
        before = frame
    frames = Counter(colour for colours in uses for colour in colours)
    order = sorted(frames, key=lambda colour: (-frames[colour], colour))
    if len(order) <= SHARED:
        return arranged(order, uses)
    shared = arranged(_shared(order, uses), uses)
    held = set(shared)
    return [*shared, *(colour for colour in order if colour not in held)]


def _changed(before: Frame | None, frame: Frame) -> Image.Image | None:
    """Return a mask that is 0 where `frame` repeats the frame before it, None if it repeats nothing."""
    if before is None or (before.box, before.colours) != (frame.box, frame.colours):
        return None
    return ImageChops.difference(before.index, frame.index)


def _shared(order: list[bytes], uses: _Uses) -> list[bytes]:
    """Return the colours of the shared palette, of several choices the one that saves most local tables."""
    first = sorted(order, key=lambda colour: colour not in uses[0])
    choices = order[:SHARED], first[:SHARED], _covering(order, uses)[:SHARED]
    return max(choices, key=lambda palette: _spared(set(palette), uses))


def _spared(palette: set[bytes], uses: _Uses) -> int:
    """Return the bytes of the local tables that `palette` saves."""
    return sum(_table(len(colours)) for colours in uses if colours and colours <= palette)


def _table(colours: int) -> int:
    """Return the bytes of a local table."""
    return 3 << max(1, (colours - 1).bit_length())


def _covering(order: list[bytes], uses: _Uses) -> list[bytes]:
    """Return the colours of `order`, first those of frames whose tables are saved for the fewest more colours each."""
    number = {colour: place for place, colour in enumerate(order)}
    tables: Counter[int] = Counter()
    for colours in uses:
        if len(colours) <= SHARED:
            tables[sum(1 << number[colour] for colour in colours)] += _table(len(colours))
    placed, room = 0, SHARED
    while fitting := {colours for colours in tables if 0 < (colours & ~placed).bit_count() <= room}:
        placed |= min(fitting, key=lambda colours: ((colours & ~placed).bit_count() / tables[colours], colours))
        room = SHARED - placed.bit_count()
    return sorted(order, key=lambda colour: not placed >> number[colour] & 1)


def arranged(palette: list[bytes], uses: _Uses) -> list[bytes]:
    """Return the colours of `palette`, arranged so that many frames use only the first ones: shorter codes.

    Frames vote for the next colour, the more the fewer colours they still lack; those that are equal stay in order.
    """
    held = set(palette)
    lacking = [set(colours) for colours in uses if len(colours) <= _VOTERS and colours <= held]
    users: dict[bytes, list[set[bytes]]] = {colour: [] for colour in palette}
    votes = dict.fromkeys(palette, 0)
    for colours in lacking:
        for colour in colours:
            users[colour].append(colours)
            votes[colour] += _VOTE // len(colours) ** 2
    places = []
    while votes:
        chosen = max(votes, key=votes.__getitem__)
        places.append(chosen)
        del votes[chosen]
        for colours in users[chosen]:
            colours.remove(chosen)
            for colour in colours:
                votes[colour] += _VOTE // len(colours) ** 2 - _VOTE // (len(colours) + 1) ** 2
    return places
