"""Composes the frames of a GIF: what the screen shows after each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, reduce

from PIL import Image, ImageChops

from .reader import Box, Frame

SHARED = 256
"""Colours that the shared palette holds at most."""

UNNUMBERED = 255 << 8
"""The number that all colours share that are left when the others have theirs."""


class Colours:
    """All colours of a GIF by number: the first 256 make up the shared palette."""

    def __init__(self, every: list[bytes]) -> None:
        self.every = every
        self.number = {colour: min(number, UNNUMBERED) for number, colour in enumerate(every)}
        self.distinct = len(every) <= UNNUMBERED
        """Whether no two colours share a number."""
        self.shared = every[:SHARED]
        self.palette = b"".join(every) if len(every) <= SHARED else None
        """The bytes of the shared palette if it holds every colour."""
        self._last: tuple[list[bytes], bytes, bytes] = [], b"", b""

    def bytes_of(self, table: list[bytes]) -> tuple[bytes, bytes]:
        """Return the low and the high bytes of the numbers of a table's colours, 256 of each."""
        if self._last[0] is not table:
            numbers = [self.number.get(colour, 0) for colour in table]
            low, high = (bytes(number >> shift & 255 for number in numbers).ljust(256) for shift in (0, 8))
            self._last = table, low, high
        return self._last[1:]


class Mask:
    """A set of pixels of the screen. Once all are marked, `full` is true and marking costs nothing."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.full = False
        self._marks = Image.new("L", size)

    def copy(self) -> Mask:
        """Return an equal mask."""
        other = Mask(self._marks.size)
        other.full, other._marks = self.full, self._marks.copy()
        return other

    def mark(self, box: Box, pixels: Image.Image) -> None:
        """Add the pixels of `box` that `pixels` marks."""
        if not self.full:
            self._marks.paste(255, box, pixels)
            self.full = self._marks.getextrema() == (255, 255)

    def paste(self, marks: Image.Image | int, box: Box) -> None:
        """Replace the marks in `box`."""
        self._marks.paste(marks, box)
        self.full = False

    def crop(self, box: Box) -> Image.Image:
        """Return the marks in `box`."""
        return self._marks.crop(box)


class Canvas:
    """The screen: which pixels are opaque, and the numbers of their colours.

    `low` and `high` hold the low and the high byte of each number; they are valid only where the screen is opaque.
    Where the shared palette holds every colour there is no `high`, and colours are told from the numbers.
    """

    def __init__(self, size: tuple[int, int], colours: Colours) -> None:
        self.size = size
        self.colours = colours
        self.opaque = Mask(size)
        self.low = Image.new("L", size)
        self.high = Image.new("L", size) if colours.palette is None else None
        self._rgb = Image.new("RGB", size) if colours.palette is None else None

    def copy(self) -> Canvas:
        """Return an equal canvas."""
        other = Canvas(self.size, self.colours)
        other.opaque, other.low = self.opaque.copy(), self.low.copy()
        other.high, other._rgb = (plane and plane.copy() for plane in (self.high, self._rgb))
        return other

    def rgb(self, box: Box) -> Image.Image:
        """Return the colours in `box`."""
        if self._rgb is not None:
            return self._rgb.crop(box)
        return coloured(self.low.crop(box), self.colours.palette or b"")

    def distinct(self, box: Box) -> tuple[Image.Image, ...]:
        """Return planes of `box` that are all equal where colours are."""
        if self.colours.distinct:
            return tuple(plane.crop(box) for plane in (self.low, self.high) if plane is not None)
        return self.rgb(box).split()

    def known(self, box: Box) -> Image.Image | None:
        """Return a mask of the pixels in `box` whose colour is in the shared palette, None if that of all is."""
        opaque = None if self.opaque.full else self.opaque.crop(box)
        if self.high is None:
            return opaque
        high = self.high.crop(box)
        if high.getextrema() == (0, 0):
            return opaque
        shared = mapped(high, _ZERO)
        return shared if opaque is None else ImageChops.darker(shared, opaque)

    def take(self, other: Canvas, box: Box, pixels: Image.Image) -> None:
        """Copy from `other` the pixels of `box` that `pixels` marks, which must be opaque there."""
        mask = _mask(pixels)
        for own, theirs in zip(self._colours, other._colours, strict=True):
            own.paste(theirs.crop(box), box, mask)
        self.opaque.mark(box, pixels)

    def clear(self, box: Box) -> None:
        """Make the pixels in `box` transparent."""
        self.opaque.paste(0, box)

    def draw(self, frame: Frame) -> None:
        """Draw a stored frame."""
        drawn = frame.drawn
        mask = _mask(drawn)
        low, high = self.colours.bytes_of(frame.colours)
        self.low.paste(mapped(frame.index, low), frame.box, mask)
        if self.high is not None and self._rgb is not None:
            self.high.paste(mapped(frame.index, high), frame.box, mask)
            self._rgb.paste(coloured(frame.index, b"".join(frame.colours)), frame.box, mask)
        self.opaque.mark(frame.box, drawn)

    def crops(self, box: Box) -> tuple[Image.Image, ...]:
        """Return copies of the planes in `box`."""
        return self.opaque.crop(box), *(plane.crop(box) for plane in self._colours)

    def restore(self, box: Box, crops: tuple[Image.Image, ...]) -> None:
        """Restore what `crops` returned."""
        opaque, *colours = crops
        self.opaque.paste(opaque, box)
        for plane, crop in zip(self._colours, colours, strict=True):
            plane.paste(crop, box)

    @property
    def _colours(self) -> tuple[Image.Image, ...]:
        return tuple(plane for plane in (self.low, self.high, self._rgb) if plane is not None)


class Player:
    """Draws stored frames on a canvas as a browser does, disposal included."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self._last: Frame | None = None
        self._saved: tuple[Image.Image, ...] = ()

    def show(self, frame: Frame) -> Box:
        """Draw the next frame and return the box outside which nothing has changed."""
        touched = self._dispose(frame.box)
        if frame.disposal == 3:
            self._saved = self.canvas.crops(frame.box)
        self.canvas.draw(frame)
        self._last = frame
        return touched

    def _dispose(self, box: Box) -> Box:
        last = self._last
        if last is None or last.disposal not in (2, 3):
            return box
        if last.disposal == 2:
            self.canvas.clear(last.box)
        else:
            self.canvas.restore(last.box, self._saved)
        return union(last.box, box)


@dataclass(frozen=True)
class Change:
    """Where two canvases differ within `box`: the pixels to draw, and the box of those that must become transparent.

    `left` counts the pixels that differ and are not to be drawn.
    """

    box: Box
    drawn: Image.Image
    cleared: Box | None
    left: int


def compare(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> Change:
    """Return where `shown` differs from `wanted` by more than `threshold` in a channel, or in opacity."""
    if shown.opaque.full and wanted.opaque.full:
        box = differing(shown, wanted, box)
        largest = _differences(shown, wanted, box, threshold)
        return Change(box, mapped(largest, _above(threshold)), None, _slight(largest, threshold))
    before, after = shown.opaque.crop(box), wanted.opaque.crop(box)
    largest = _differences(shown, wanted, box, threshold)
    changed = ImageChops.lighter(mapped(largest, _above(threshold)), ImageChops.invert(before))
    cleared = ImageChops.subtract(before, after).getbbox()
    left = _slight(largest, threshold, ImageChops.darker(before, after))
    return Change(box, ImageChops.darker(after, changed), None if cleared is None else placed(cleared, box), left)


def differing(shown: Canvas, wanted: Canvas, box: Box) -> Box:
    """Return the part of `box` in which two opaque screens differ, one pixel of it if they do not."""
    boxes = [found for pair in _planes(shown, wanted, box) if (found := ImageChops.difference(*pair).getbbox())]
    return placed(reduce(union, boxes) if boxes else (0, 0, 1, 1), box)


def _planes(shown: Canvas, wanted: Canvas, box: Box) -> Iterable[tuple[Image.Image, Image.Image]]:
    """Return pairs of planes that are all equal where colours are."""
    if shown.colours is wanted.colours:
        return zip(shown.distinct(box), wanted.distinct(box), strict=True)
    return zip(shown.rgb(box).split(), wanted.rgb(box).split(), strict=True)


def _differences(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> Image.Image:
    """Return the largest difference of a channel, pixel by pixel; without a threshold it is any number above 0."""
    if threshold:
        channels = ImageChops.difference(shown.rgb(box), wanted.rgb(box)).split()
        return reduce(ImageChops.lighter, channels)
    return reduce(ImageChops.lighter, (ImageChops.difference(*pair) for pair in _planes(shown, wanted, box)))


def _slight(largest: Image.Image, threshold: int, mask: Image.Image | None = None) -> int:
    return sum(largest.histogram(mask)[1 : threshold + 1]) if threshold else 0


@cache
def _above(threshold: int) -> bytes:
    return bytes(255 * (value > threshold) for value in range(256))


_ZERO = bytes(255 * (value == 0) for value in range(256))


def mapped(image: Image.Image, table: bytes) -> Image.Image:
    """Return the image with each value replaced: what `Image.point` does, which takes long to read a table."""
    return Image.frombytes("L", image.size, image.tobytes().translate(table))


def coloured(index: Image.Image, palette: bytes) -> Image.Image:
    """Return the colours of indices."""
    shown = index.copy()
    shown.putpalette(palette)
    return shown.convert("RGB")


def _mask(pixels: Image.Image) -> Image.Image | None:
    """Return the mask that pastes the same pixels the soonest: of two values there is nothing to blend."""
    return None if pixels.getextrema() == (255, 255) else pixels.convert("1", dither=Image.Dither.NONE)


def union(first: Box, second: Box) -> Box:
    """Return the smallest box around both."""
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def placed(box: Box, within: Box) -> Box:
    """Return `box`, relative to the corner of `within`, in coordinates of the screen."""
    return box[0] + within[0], box[1] + within[1], box[2] + within[0], box[3] + within[1]
