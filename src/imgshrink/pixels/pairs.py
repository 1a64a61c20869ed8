"""Which pictures of two images are held side by side: the two stills, or the frames that stand at one time."""

from __future__ import annotations

from collections.abc import Iterator

import pyvips

from ..model import Format, ImageInfo
from ..timeline import instants, seen
from .apng import has_hidden_default
from .decode import Undecodable, still
from .frames import delays, frames


def pairs(
    original: bytes, candidate: bytes, before: ImageInfo, after: ImageInfo
) -> Iterator[tuple[pyvips.Image, pyvips.Image]]:
    """Yield what is to be compared, as it is stored; each can be read once, and before the next is taken."""
    if before.durations:
        times = instants(_delays(original, before), _delays(candidate, after))
        lefts, rights = zip(*times, strict=True)
        yield from zip(frames(original, before, lefts), frames(candidate, after, rights), strict=True)
    if not before.durations or _hidden(original, before) or _hidden(candidate, after):
        yield still(original, before), still(candidate, after)


def _delays(data: bytes, info: ImageInfo) -> tuple[int, ...]:
    found = delays(data, info)
    if sum(seen(found)) != sum(seen(info.durations)):
        raise Undecodable("frames are damaged")
    return found


def _hidden(data: bytes, info: ImageInfo) -> bool:
    return info.format is Format.PNG and has_hidden_default(data)
