"""Animations: the composed frames one after the other, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyvips

from ..core.model import Format, ImageInfo
from ..image.timing import instants, total_duration
from .apng import composed, has_hidden_default
from .decode import Undecodable, stack, still


def delays(data: bytes, info: ImageInfo) -> tuple[int, ...]:
    """Return the duration of each frame in milliseconds, as the decoder reads them."""
    if info.format is Format.PNG:
        return info.durations
    image = stack(data, info)
    return tuple(image.get("delay"))


def frames(data: bytes, info: ImageInfo, wanted: Sequence[int]) -> Iterator[pyvips.Image]:
    """Yield the composed frames with these numbers, which never fall; equal numbers yield the same frame again."""
    every = enumerate(composed(data)) if info.format is Format.PNG else _pages(stack(data, info), wanted)
    number = -1
    frame: pyvips.Image = None
    for wished in wanted:
        while number < wished:
            number, frame = next(every, (wished, None))
        if frame is None:
            raise Undecodable("a frame is missing")
        yield frame


def _pages(image: pyvips.Image, wanted: Sequence[int]) -> Iterator[tuple[int, pyvips.Image]]:
    """Cut pages out of a stack that is read once; copying each keeps the next in order."""
    height = image.get_page_height()
    for number in sorted(set(wanted)):
        yield number, image.crop(0, number * height, image.width, height).copy_memory()


def pairs(
    original: bytes, candidate: bytes, before: ImageInfo, after: ImageInfo
) -> Iterator[tuple[pyvips.Image, pyvips.Image]]:
    """Yield what is to be compared, as it is stored; each can be read once, and before the next is taken.

    Of animations this is every frame of both, each beside what the other shows at that time, one pair in memory at a
    time; of a still, and of an APNG whose default image is no frame, that image.
    """
    if before.durations:
        times = instants(_delays(original, before), _delays(candidate, after))
        lefts, rights = zip(*times, strict=True)
        yield from zip(frames(original, before, lefts), frames(candidate, after, rights), strict=True)
    if not before.durations or _hidden(original, before) or _hidden(candidate, after):
        yield still(original, before), still(candidate, after)


def _delays(data: bytes, info: ImageInfo) -> tuple[int, ...]:
    found = delays(data, info)
    if total_duration(found) != total_duration(info.durations):
        raise Undecodable("frames are damaged")
    return found


def _hidden(data: bytes, info: ImageInfo) -> bool:
    return info.format is Format.PNG and has_hidden_default(data)
