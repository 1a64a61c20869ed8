"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from collections.abc import Sequence

from ....core.model import ImageInfo, Recipe
from ....pixels.looks import Looks
from ..metadata import carry
from .encoding import Encoding
from .faults import looks_well
from .inspection import Moved, Worst
from .merging import mergeable, merged
from .reader import Unusual
from .source import Source

_WORTH_IT = 0.99

_FEW = 1000
"""Pixels: if less than one in so many would change its colour, there is nothing to gain."""


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, _looks: Looks) -> bytes:
    """Return the GIF in fewer bytes, exact in its timeline; `data` itself where it uses unsupported features.

    Colours change only where that saves clearly: the change cannot be taken back.
    """
    try:
        source = Source(data, alpha=info.alpha)
        result = carry(data, _lossy(source, recipe.quality) or source.exact)
    except Unusual:
        return data
    return result if len(result) < _WORTH_IT * len(data) else data


def _lossy(source: Source, quality: int) -> bytes | None:
    """Return the GIF with near colours merged, or without small changes; None if that saves little or is seen.

    Which sizes are to be had is asked first, as that takes less time. Leaving out alone saves less than both.
    """
    steps = _steps(quality)
    if not steps or not mergeable(source.counts, steps[-1], max(1, source.counts.total() // _FEW)):
        return _left_out(source, quality)
    ways = [merged(source.counts, most) for most in steps]
    worst, threshold = Worst(), next(iter(_thresholds(quality)), 0)
    smallest = source.encode_merged(ways[0], threshold, worst)
    if not source.clearly_smaller(*smallest):
        return None
    if threshold and worst.looks_well(quality):
        return source.again(smallest[1])
    return _with_fewer_colours(source, ways, smallest, quality) or _left_out(source, quality)


def _with_fewer_colours(
    source: Source, ways: Sequence[Moved], smallest: tuple[Encoding, bytes], quality: int
) -> bytes | None:
    """Return the GIF with as few colours as still look well, None if all are needed or little is saved.

    Without small changes too, as `smallest` with the first of the ways is, as long as that looks well.
    """
    moved = source.first_good(ways, quality)
    if moved is None:
        return None
    thresholds = _thresholds(quality)[:1]
    lossy = smallest if moved is ways[0] else source.encode_merged(moved, sum(thresholds))
    if thresholds and not looks_well(lossy[0].faults, quality):
        lossy = source.encode_merged(moved, 0)
    return source.again(lossy[1]) if source.clearly_smaller(*lossy) else None


def _left_out(source: Source, quality: int) -> bytes | None:
    """Return the GIF without small changes: the first that looks well, None if little is saved."""
    for threshold in _thresholds(quality):
        lossy = source.leave_out(threshold)
        if lossy is None or not source.clearly_smaller(*lossy):
            break
        if looks_well(lossy[0].faults, quality):
            return lossy[1]
    return None


def _steps(quality: int) -> tuple[int, ...]:
    """Return by how much a channel may differ for colours to be merged: the levels to try.

    A result has no two colours as near as the last of them, so that merging never begins again.
    """
    if quality >= 98:
        return ()
    return _thresholds(quality) or (2,)


def _thresholds(quality: int) -> tuple[int, ...]:
    """Return by how much a channel may differ from the screen's and still count as unchanged: two levels to try."""
    if quality >= 90:
        return ()
    most = 4 if quality >= 80 else 6 if quality >= 65 else 8
    return most, most // 2
