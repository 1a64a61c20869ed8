"""GIF: encodes frame by frame only the pixels that the screen does not show already."""

from __future__ import annotations

from ....core.model import ImageInfo, Recipe
from ....pixels.looks import Looks
from ..metadata import carry
from .encoding import Encoding
from .faults import looks_well
from .merging import mergeable, merged
from .reader import Unusual
from .source import Source

_WORTH_IT = 0.99

_CLEARLY = 0.9
"""Of the exact encoding's bytes in a sample of its frames: the others are not needed then."""

_FEW = 1000
"""Pixels: if less than one in so many would change its colour, there is nothing to gain."""


def optimize(data: bytes, info: ImageInfo, recipe: Recipe, _looks: Looks) -> bytes:
    """Return the GIF in fewer bytes, exact in its timeline; `data` itself where it uses unsupported features."""
    try:
        result = carry(data, _smallest(data, info, recipe))
    except Unusual:
        return data
    return result if len(result) < _WORTH_IT * len(data) else data


def _smallest(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
    """Return the smallest encoding that looks well: with near colours merged, without small changes, or exact."""
    source = Source(data, alpha=info.alpha)
    fewer = _with_fewer_colours(source, recipe.quality)
    if fewer is None:
        return _left_out(source, recipe.quality)
    encoding, whole = fewer
    again = Source(whole, alpha=info.alpha)
    whole = min(whole, _left_out(again, recipe.quality), key=len)
    if encoding.share_of(source.sample()) < _CLEARLY:
        return whole
    exact = source.file(source.encode()[0].finish())
    return whole if len(whole) < _WORTH_IT * len(exact) else _left_out(source, recipe.quality)


def _with_fewer_colours(source: Source, quality: int) -> tuple[Encoding, bytes] | None:
    """Return an encoding with as few colours as still look well, and the file; None if all colours are needed.

    Without small changes too, as long as that looks well.
    """
    steps = _steps(quality)
    if not steps or not mergeable(source.counts, steps[-1], max(1, source.counts.total() // _FEW)):
        return None
    moved = source.first_good([merged(source.counts, most) for most in steps], quality)
    if moved is None:
        return None
    for threshold in _thresholds(quality)[:1]:
        encoding, whole = source.encode_merged(moved, threshold)
        if looks_well(encoding.faults, quality):
            return encoding, whole
    return source.encode_merged(moved, 0)


def _left_out(source: Source, quality: int) -> bytes:
    """Return the first encoding without small changes that looks well if it is worth it, else the exact one."""
    blocks: bytes | None = None
    for threshold in _thresholds(quality):
        sample, lossy = source.encode(threshold)
        if lossy is None:
            return source.file(sample.finish())
        smaller = lossy.finish()
        sample.finish()
        if blocks is None and lossy.share_of(sample) >= _CLEARLY:
            blocks = source.encode()[0].finish()
        if blocks is not None and len(smaller) >= _WORTH_IT * len(blocks):
            break
        if looks_well(lossy.faults, quality):
            return source.file(smaller)
    return source.file(source.encode()[0].finish() if blocks is None else blocks)


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
