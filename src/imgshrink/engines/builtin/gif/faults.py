"""Collects the frames of a lossy animation that differ most from what they should show, and scores them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import pyvips
from PIL import Image

from ..places import PlaceScorer
from ..score import Reference
from ..targets import animation_target, palette_target
from ..weights import PALETTE
from .canvas import Canvas

_KEPT = 3


@dataclass(order=True)
class _Fault:
    """One frame: how many pixels differ where it has changed, its number, and both screens."""

    count: int
    number: int
    wanted: Image.Image = field(compare=False)
    shown: Image.Image = field(compare=False)


class Faults:
    """The frames that differ most, at most three; few are kept, so that memory does not grow with the animation."""

    def __init__(self) -> None:
        self._worst: list[_Fault] = []
        self._number = 0

    def look(self, shown: Canvas, wanted: Canvas, count: int) -> None:
        """Take in a frame of which `count` pixels differ."""
        self._number += 1
        if count and (len(self._worst) < _KEPT or count > self._worst[0].count):
            fault = _Fault(count, self._number, _visible(wanted), _visible(shown))
            (heapq.heappush if len(self._worst) < _KEPT else heapq.heapreplace)(self._worst, fault)

    def pairs(self) -> list[tuple[Image.Image, Image.Image]]:
        """Return of each frame the screen as it should be, and as it is."""
        return [(fault.wanted, fault.shown) for fault in self._worst]


def _visible(canvas: Canvas) -> Image.Image:
    """Return the screen, black where it is transparent."""
    screen, whole = Image.new("RGB", canvas.size), (0, 0, *canvas.size)
    screen.paste(canvas.rgb(whole), (0, 0), None if canvas.opaque.full else canvas.opaque.crop(whole))
    return screen


def looks_well(faults: Faults, quality: int) -> bool:
    """Tell whether the worst frames look as good as that quality asks for, as a whole and at each place."""
    target = palette_target(quality)
    for pair in faults.pairs():
        wanted, shown = (
            pyvips.Image.new_from_memory(image.tobytes(), *image.size, 3, "uchar").copy(interpretation="srgb")
            for image in pair
        )
        if Reference(wanted).score(shown, PALETTE) < animation_target(quality):
            return False
        if PlaceScorer(wanted).scores(shown, PALETTE).worst < target.place:
            return False
    return True
