"""GIF, composed: what the screen shows after each frame."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops

from .gif_source import Box, Frame

Palette = dict[bytes, int]


class Canvas:
    """The screen: colours, what of it is opaque, and the indices in the shared palette of the colours that it holds.

    `known` marks the opaque pixels whose colour is in the shared palette; `index` means something there only.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.rgb = Image.new("RGB", size)
        self.opaque = Image.new("L", size)
        self.index = Image.new("L", size)
        self.known = Image.new("L", size)

    def take(self, other: Canvas, box: Box, mask: Image.Image) -> None:
        """Copy the pixels of `other` in `box` that `mask` marks."""
        for mine, theirs in zip(self._planes, other._planes, strict=True):
            mine.paste(theirs.crop(box), box, mask)

    def clear(self, box: Box) -> None:
        """Make the pixels in `box` transparent."""
        self.opaque.paste(0, box)
        self.known.paste(0, box)

    @property
    def _planes(self) -> tuple[Image.Image, ...]:
        return self.rgb, self.opaque, self.index, self.known

    def draw(self, frame: Frame, palette: Palette) -> None:
        """Draw a stored frame."""
        drawn = frame.drawn
        coloured = frame.index.copy()
        coloured.putpalette(b"".join(frame.colours))
        self.rgb.paste(coloured.convert("RGB"), frame.box, drawn)
        self.opaque.paste(255, frame.box, drawn)
        places = [palette.get(colour) for colour in frame.colours] + [None] * (256 - len(frame.colours))
        self.index.paste(frame.index.point([place or 0 for place in places]), frame.box, drawn)
        self.known.paste(frame.index.point([0 if place is None else 255 for place in places]), frame.box, drawn)

    def crops(self, box: Box) -> tuple[Image.Image, ...]:
        """Return copies of the planes in `box`."""
        return tuple(plane.crop(box) for plane in self._planes)

    def restore(self, box: Box, crops: tuple[Image.Image, ...]) -> None:
        """Put back what `crops` returned."""
        for plane, crop in zip(self._planes, crops, strict=True):
            plane.paste(crop, box)


class Player:
    """Draws stored frames on a canvas as a browser does, disposal included."""

    def __init__(self, canvas: Canvas, palette: Palette) -> None:
        self.canvas = canvas
        self._palette = palette
        self._last: Frame | None = None
        self._saved: tuple[Image.Image, ...] = ()

    def show(self, frame: Frame) -> Box:
        """Draw the next frame and return the box in which anything may have changed."""
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
    """Where two canvases differ within `box`: pixels to draw, and pixels that must turn transparent."""

    box: Box
    drawn: Image.Image
    cleared: Image.Image


def compare(shown: Canvas, wanted: Canvas, box: Box, threshold: int) -> Change:
    """Return what separates `shown` from `wanted`; colours within `threshold` in every channel count as equal."""
    before, after = shown.opaque.crop(box), wanted.opaque.crop(box)
    red, green, blue = ImageChops.difference(shown.rgb.crop(box), wanted.rgb.crop(box)).split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    differs = largest.point([0 if value <= threshold else 255 for value in range(256)])
    drawn = ImageChops.multiply(after, ImageChops.lighter(differs, ImageChops.invert(before)))
    return Change(box, drawn, ImageChops.subtract(before, after))


def union(first: Box, second: Box) -> Box:
    """Return the smallest box around both."""
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def moved(box: Box, by: Box) -> Box:
    """Return `box` in the coordinates whose origin is the corner of `by`."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]
