"""Composes the frames of a GIF: what the screen shows after each of them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops

from .reader import Box, Frame

Palette = dict[bytes, int]


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

    def paste(self, marks: Image.Image | int, box: Box, pixels: Image.Image | None = None) -> None:
        """Replace the marks in `box` where `pixels` is set."""
        self._marks.paste(marks, box, pixels)
        self.full = False

    def crop(self, box: Box) -> Image.Image:
        """Return the marks in `box`."""
        return self._marks.crop(box)


class Canvas:
    """The screen: its colours, which pixels are opaque, and the indices of its colours in the shared palette.

    `known` marks the opaque pixels whose colour is in the shared palette; `index` is valid only there. A
    `complete` palette holds every colour, so that both masks are the same object.
    """

    def __init__(self, size: tuple[int, int], *, complete: bool) -> None:
        self.rgb = Image.new("RGB", size)
        self.opaque = Mask(size)
        self.index = Image.new("L", size)
        self.known = self.opaque if complete else Mask(size)

    def copy(self) -> Canvas:
        """Return an equal canvas."""
        other = Canvas(self.rgb.size, complete=self.known is self.opaque)
        other.rgb, other.index, other.opaque = self.rgb.copy(), self.index.copy(), self.opaque.copy()
        other.known = other.opaque if self.known is self.opaque else self.known.copy()
        return other

    def take(self, other: Canvas, box: Box, pixels: Image.Image) -> None:
        """Copy from `other` the pixels of `box` that `pixels` marks, which must be opaque there."""
        self.rgb.paste(other.rgb.crop(box), box, pixels)
        self.index.paste(other.index.crop(box), box, pixels)
        self.opaque.mark(box, pixels)
        if self.known is not self.opaque and not (self.known.full and other.known.full):
            self.known.paste(other.known.crop(box), box, pixels)

    def clear(self, box: Box) -> None:
        """Make the pixels in `box` transparent."""
        for mask in self._masks:
            mask.paste(0, box)

    def draw(self, frame: Frame, palette: Palette) -> None:
        """Draw a stored frame."""
        drawn = frame.drawn
        coloured = frame.index.copy()
        coloured.putpalette(b"".join(frame.colours))
        self.rgb.paste(coloured.convert("RGB"), frame.box, drawn)
        self.opaque.mark(frame.box, drawn)
        places = [palette.get(colour) for colour in frame.colours] + [None] * (256 - len(frame.colours))
        self.index.paste(frame.index.point([place or 0 for place in places]), frame.box, drawn)
        if self.known is not self.opaque:
            held = frame.index.point([0 if place is None else 255 for place in places])
            self.known.paste(held, frame.box, drawn)

    def crops(self, box: Box) -> tuple[Image.Image, ...]:
        """Return copies of the planes in `box`."""
        return tuple(plane.crop(box) for plane in self._planes)

    def restore(self, box: Box, crops: tuple[Image.Image, ...]) -> None:
        """Restore what `crops` returned."""
        for plane, crop in zip(self._planes, crops, strict=True):
            plane.paste(crop, box)

    @property
    def _planes(self) -> tuple[Image.Image | Mask, ...]:
        return (self.rgb, self.index, *self._masks)

    @property
    def _masks(self) -> tuple[Mask, ...]:
        return (self.opaque,) if self.known is self.opaque else (self.opaque, self.known)


class Player:
    """Draws stored frames on a canvas as a browser does, disposal included."""

    def __init__(self, canvas: Canvas, palette: Palette) -> None:
        self.canvas = canvas
        self._palette = palette
        self._last: Frame | None = None
        self._saved: tuple[Image.Image, ...] = ()

    def show(self, frame: Frame) -> Box:
        """Draw the next frame and return the box outside which nothing has changed."""
        touched = self._dispose(frame.box)
        if frame.disposal == 3:
            self._saved = self.canvas.crops(frame.box)
        self.canvas.draw(frame, self._palette)
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
    """Where two canvases differ within `box`: the pixels to draw, and the box of those that must become transparent."""

    box: Box
    drawn: Image.Image
    cleared: Box | None


def compare(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> Change:
    """Return where `shown` differs from `wanted` by more than `threshold` in a channel, or in opacity."""
    red, green, blue = ImageChops.difference(shown.rgb.crop(box), wanted.rgb.crop(box)).split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    differs = largest.point([0 if value <= threshold else 255 for value in range(256)])
    if shown.opaque.full and wanted.opaque.full:
        return Change(box, differs, None)
    before, after = shown.opaque.crop(box), wanted.opaque.crop(box)
    drawn = ImageChops.multiply(after, ImageChops.lighter(differs, ImageChops.invert(before)))
    cleared = ImageChops.subtract(before, after).getbbox()
    return Change(box, drawn, None if cleared is None else placed(cleared, box))


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
