"""Target scores for each quality from 1 to 99, on the scale of SSIMULACRA2: the same to the eye for every image.

70 is high quality, where faults are hard to notice without the original beside it; 80 cannot be told apart side by
side; 90 cannot be told apart in a flicker test. Between the qualities named here scores are interpolated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

_LOSSY = ((1, 20.0), (30, 45.0), (60, 62.0), (70, 70.0), (80, 74.0), (85, 79.5), (90, 84.0), (99, 92.0))
_PALETTE = ((1, 40.0), (30, 62.0), (60, 80.0), (70, 84.0), (80, 88.0), (90, 94.0), (99, 98.0))
_PALETTE_FLOOR = ((1, 30.0), (30, 58.0), (60, 77.0), (70, 81.0), (80, 86.0), (90, 91.0), (99, 96.0))
_PALETTE_SETTING = ((1, 30.0), (30, 50.0), (60, 78.0), (70, 83.0), (80, 88.0), (90, 90.0), (99, 100.0))

_ANIMATION = ((1, 20.0), (30, 45.0), (60, 64.0), (70, 74.0), (80, 84.0), (90, 91.0), (99, 96.0))

_LOSSY_PLACE = ((1, 5.0), (30, 30.0), (60, 52.0), (70, 60.0), (80, 68.0), (90, 78.0), (95, 83.0), (99, 87.0))
_PALETTE_PLACE = ((1, 5.0), (30, 30.0), (60, 55.0), (70, 63.0), (80, 70.0), (90, 81.0), (95, 86.0), (99, 91.0))
"""For each place of 128 x 128 pixels on its own; their scores vary more than those of whole images."""


@dataclass(frozen=True)
class PaletteTarget:
    """The quantizer's first setting, the score that ends the trials, and the lowest scores
    that are accepted, of the whole image and of each place."""

    setting: int
    score: float
    floor: float
    place: float


def lossy_target(quality: int) -> float:
    """Return the score that a lossy JPEG or WebP must reach."""
    return _between(_LOSSY, quality)


def lossy_place_target(quality: int) -> float:
    """Return the score that each place of a lossy JPEG or WebP must reach."""
    return _between(_LOSSY_PLACE, quality)


def palette_target(quality: int) -> PaletteTarget:
    """Return the settings and scores for the palette of a PNG."""
    return PaletteTarget(
        round(_between(_PALETTE_SETTING, quality)),
        _between(_PALETTE, quality),
        _between(_PALETTE_FLOOR, quality),
        _between(_PALETTE_PLACE, quality),
    )


def animation_target(quality: int) -> float:
    """Return the score that the worst frames of a lossy GIF must reach."""
    return _between(_ANIMATION, quality)


def _between(points: Sequence[tuple[int, float]], quality: int) -> float:
    place = min(max(bisect_left([known for known, _ in points], quality), 1), len(points) - 1)
    (left, low), (right, high) = points[place - 1], points[place]
    return low + (high - low) * (quality - left) / (right - left)


HUGE = 30_000_000
"""Pixels of all frames: larger images would take more than half of a worker's time at full effort, so get the least."""
