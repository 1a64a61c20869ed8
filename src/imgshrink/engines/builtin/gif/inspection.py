"""Looks at the frames of an animation on which merged colours are seen most, and scores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyvips
from PIL import Image, ImageChops

from ....core.model import Format
from ....pixels.compare import acceptable
from ..exact import ExactScorer
from ..targets import merging_target
from .canvas import Canvas, Player, coloured
from .merging import distance
from .reader import Frame
from .tables import numbers

Moved = Mapping[bytes, bytes]
"""What becomes of the colours that do not stay."""

_EVERY = 3
"""Screens differ little from one to the next."""

_WELL = 4.0
"""Points above its targets: the screen that changes most looks so well that another needs no look."""

_BLOCK, _TILE = 4, 8
"""Pixels of the side of a block, and blocks of a tile's."""

_FAINT, _MOST_LOST = 0.52, 0.5
"""Levels by which the means of blocks deviate, and the share of that which may be lost."""


@dataclass
class _Screen:
    """A copy of the screen, and by how much its colours change: the sum of the squares."""

    weight: int
    canvas: Canvas


def first_good(frames: Iterable[Frame], canvas: Canvas, ways: Sequence[Moved], quality: int) -> Moved | None:
    """Return the first way to merge colours that looks as good as that quality asks for, None if none does.

    The first frame is looked at, and the one that changes most. `canvas` is empty and knows all colours.
    """
    if not canvas.colours.distinct:
        return None
    palettes = [[moved.get(colour, colour) for colour in canvas.colours.every] for moved in ways]
    for moved, every, screens in zip(ways, palettes, _screens(frames, canvas, palettes), strict=True):
        if _all_look_well((_recoloured(screen.canvas, every) for screen in screens if screen.weight), quality):
            return moved
    return None


class Worst:
    """The screen of a lossy encoding that differs most from what it should show, and the first."""

    def __init__(self) -> None:
        self._number = 0
        self._found: list[tuple[int, pyvips.Image, pyvips.Image]] = []

    def look(self, wanted: Canvas, shown: Canvas) -> None:
        """Take in the next screen."""
        self._number += 1
        if self._number % _EVERY != 1:
            return
        pair = [visible(canvas) for canvas in (wanted, shown)]
        weight = _squares(ImageChops.difference(*pair).histogram())
        if not self._found or weight > self._found[0][0]:
            self._found = [(weight, *map(_in_vips, pair)), *self._found[-1:]]

    def looks_well(self, quality: int) -> bool:
        """Tell whether both look as good as that quality asks for."""
        return _all_look_well(((wanted, shown) for weight, wanted, shown in self._found if weight), quality)


def _squares(histogram: list[int]) -> int:
    """Return the sum of squares of samples in several channels."""
    return sum((value & 255) ** 2 * count for value, count in enumerate(histogram) if count)


def _screens(frames: Iterable[Frame], canvas: Canvas, palettes: Sequence[list[bytes]]) -> list[list[_Screen]]:
    """Return for each palette the screen that changes most, and the first."""
    weights = [[distance(*pair) ** 2 for pair in zip(canvas.colours.every, every, strict=True)] for every in palettes]
    player, found = Player(canvas), [list[_Screen]() for _ in palettes]
    for number, frame in enumerate(frames):
        player.show(frame)
        if number % _EVERY:
            continue
        counts = _counts(canvas)
        for place, weight in enumerate(_weight(counts, each) for each in weights):
            if not found[place] or weight > found[place][0].weight:
                found[place] = [_Screen(weight, canvas.copy()), *found[place][-1:]]
    return found


def _counts(canvas: Canvas) -> list[int]:
    """Return how many pixels of the screen have each colour, by number."""
    if canvas.high is not None:
        return memoryview(numbers(canvas.low, canvas.high).hist_find().write_to_memory()).cast("I").tolist()
    return canvas.low.histogram(None if canvas.opaque.full else canvas.opaque.crop((0, 0, *canvas.size)))


def _weight(counts: list[int], weights: list[int]) -> int:
    """Return by how much a screen changes."""
    return sum(weight * pixels for weight, pixels in zip(weights, counts, strict=False) if weight)


def _all_look_well(pairs: Iterable[tuple[pyvips.Image, pyvips.Image]], quality: int) -> bool:
    """Tell whether screens, the one that changes most first, look as good as that quality asks for."""
    for wanted, shown in pairs:
        above = _points_above(wanted, shown, quality)
        if above < 0 or _loses_faint(wanted, shown) or acceptable(wanted, shown, quality, Format.GIF):
            return False
        if above >= _WELL:
            break
    return True


def _points_above(wanted: pyvips.Image, shown: pyvips.Image, quality: int) -> float:
    """Return by how much a screen and each place in it exceed what is asked for."""
    target, scores = merging_target(quality), ExactScorer(wanted).scores(shown)
    return min(scores.whole - target.whole, min([*scores.places, *scores.alone.values()]) - target.place)


def _loses_faint(wanted: pyvips.Image, shown: pyvips.Image) -> bool:
    """Tell whether somewhere most of a faint structure is lost: text or stripes that hardly differ from the ground.

    Noise does not count: it is no more in the means of blocks.
    """
    if min(wanted.width, wanted.height) < _BLOCK * _TILE:
        return bool((wanted - shown).abs().max() > 0)
    lost, before = (_deviation(image.cast("float")) for image in (wanted - shown, wanted))
    return bool(((lost > _FAINT) & (lost > before * _MOST_LOST)).max() > 0)


def _deviation(image: pyvips.Image) -> pyvips.Image:
    """Return for each tile by how much the means of its blocks deviate from each other."""
    blocks = image.shrink(_BLOCK, _BLOCK)
    return ((blocks * blocks).shrink(_TILE, _TILE) - blocks.shrink(_TILE, _TILE) ** 2).copy_memory().abs() ** 0.5


def visible(canvas: Canvas, colours: Image.Image | None = None) -> Image.Image:
    """Return the screen, in its or in other colours, black where it is transparent."""
    screen, whole = Image.new("RGB", canvas.size), (0, 0, *canvas.size)
    screen.paste(colours or canvas.rgb(whole), (0, 0), None if canvas.opaque.full else canvas.opaque.crop(whole))
    return screen


def _in_vips(screen: Image.Image) -> pyvips.Image:
    return pyvips.Image.new_from_memory(screen.tobytes(), *screen.size, 3, "uchar").copy(interpretation="srgb")


def _recoloured(canvas: Canvas, every: list[bytes]) -> tuple[pyvips.Image, pyvips.Image]:
    """Return the screen as it is, and in other colours, by their numbers."""
    if canvas.high is None:
        colours = coloured(canvas.low, b"".join(every))
    else:
        lut = pyvips.Image.new_from_memory(b"".join(every).ljust(3 << 16, b"\0"), 1 << 16, 1, 3, "uchar")
        found = numbers(canvas.low, canvas.high).maplut(lut).write_to_memory()
        colours = Image.frombytes("RGB", canvas.size, found)
    return _in_vips(visible(canvas)), _in_vips(visible(canvas, colours))
