"""Animations: the composed frames one after the other, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class _Kind:
    """What all frames of a stack share; asking libvips for each frame again takes longer than a small frame does."""

    width: int
    height: int
    bands: int
    format: str
    interpretation: str


@dataclass(frozen=True)
class _Frame:
    """One composed frame as it is stored."""

    kind: _Kind
    pixels: bytes

    @property
    def image(self) -> pyvips.Image:
        kind = self.kind
        image = pyvips.Image.new_from_memory(self.pixels, kind.width, kind.height, kind.bands, kind.format)
        return image.copy(interpretation=kind.interpretation)

    def shows(self, other: _Frame) -> bool:
        """Tell whether both hold the same samples, an alpha channel that is opaque everywhere apart."""
        if self == other:
            return True
        most, least = sorted((self, other), key=lambda frame: frame.kind.bands, reverse=True)
        bands = least.kind.bands
        if replace(most.kind, bands=bands) != least.kind or (most.kind.bands, least.kind.format) != (
            bands + 1,
            "uchar",
        ):
            return False
        opaque = most.pixels[bands :: bands + 1].count(255) == most.kind.width * most.kind.height
        return opaque and all(most.pixels[band :: bands + 1] == least.pixels[band::bands] for band in range(bands))


def frames(data: bytes, info: ImageInfo, wanted: Sequence[int]) -> Iterator[pyvips.Image]:
    """Yield the composed frames with these numbers, which never fall; equal numbers yield the same frame again."""
    return (frame.image for frame in _frames(data, info, wanted))


def _frames(data: bytes, info: ImageInfo, wanted: Sequence[int]) -> Iterator[_Frame]:
    every = enumerate(_composed(data) if info.format is Format.PNG else _pages(stack(data, info)))
    number = -1
    frame: _Frame | None = None
    for wished in wanted:
        while number < wished:
            number, frame = next(every, (wished, None))
        if frame is None:
            raise Undecodable("a frame is missing")
        yield frame


def _kind(image: pyvips.Image, height: int) -> _Kind:
    return _Kind(image.width, height, image.bands, image.format, image.interpretation)


def _composed(data: bytes) -> Iterator[_Frame]:
    for image in composed(data):
        yield _Frame(_kind(image, image.height), image.write_to_memory())


def _pages(image: pyvips.Image) -> Iterator[_Frame]:
    """Cut the pages out of a stack that is read once, from top to bottom."""
    region, kind = pyvips.Region.new(image), _kind(image, image.get_page_height())
    for top in range(0, image.height, kind.height):
        yield _Frame(kind, bytes(region.fetch(0, top, kind.width, kind.height)))


def pairs(
    original: bytes, candidate: bytes, before: ImageInfo, after: ImageInfo, *, equal: bool = True
) -> Iterator[tuple[pyvips.Image, pyvips.Image]]:
    """Yield what is to be compared, as it is stored; each can be read once, and before the next is taken.

    Of animations this is every frame of both, each beside what the other shows at that time, one pair in memory at a
    time; without `equal` those are left out whose samples are the same. Of a still, and of an APNG whose default image
    is no frame, that image.
    """
    if before.durations:
        times = instants(_delays(original, before), _delays(candidate, after))
        lefts, rights = zip(*times, strict=True)
        both = zip(_frames(original, before, lefts), _frames(candidate, after, rights), strict=True)
        yield from ((left.image, right.image) for left, right in both if equal or not left.shows(right))
    if not before.durations or _hidden(original, before) or _hidden(candidate, after):
        yield still(original, before), still(candidate, after)


def _delays(data: bytes, info: ImageInfo) -> tuple[int, ...]:
    found = delays(data, info)
    if total_duration(found) != total_duration(info.durations):
        raise Undecodable("frames are damaged")
    return found


def _hidden(data: bytes, info: ImageInfo) -> bool:
    return info.format is Format.PNG and has_hidden_default(data)
