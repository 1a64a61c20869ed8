"""Target scores for each quality from 1 to 99, on the scale of SSIMULACRA2: the same to the eye for every image.

70 is high quality, where faults are hard to notice without the original beside it; 80 cannot be told apart side by
side; 90 cannot be told apart in a flicker test. Between the qualities named here scores are interpolated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

_LOSSY = ((1, 20.0), (30, 45.0), (60, 62.0), (70, 70.0), (80, 74.0), (85, 79.5), (90, 84.0), (99, 92.0))
_PALETTE = ((1, 40.0), (30, 62.0), (60, 80.0), (70, 84.0), (80, 88.0), (90, 94.0), (99, 98.0))
_PALETTE_FLOOR = ((1, 30.0), (30, 58.0), (60, 77.0), (70, 81.0), (80, 86.0), (90, 91.0), (99, 96.0))
_PALETTE_SETTING = ((1, 30.0), (30, 50.0), (60, 78.0), (70, 94.0), (80, 99.0), (90, 99.0), (99, 100.0))

_PALETTE_EXACT = ((1, 25.0), (30, 52.0), (60, 71.0), (70, 76.5), (80, 82.0), (90, 89.0), (95, 93.0), (99, 95.5))
_PALETTE_EXACT_PLACE = ((1, 10.0), (30, 38.0), (60, 54.0), (70, 62.0), (80, 68.0), (90, 84.0), (95, 91.5), (99, 95.0))
"""SSIMULACRA2 itself, of the whole image and of each place, where the estimate is in doubt."""

_ANIMATION = ((1, 20.0), (30, 45.0), (60, 64.0), (70, 74.0), (80, 84.0), (90, 91.0), (99, 96.0))

_MERGING = ((1, 30.0), (30, 56.0), (60, 78.0), (70, 83.5), (80, 88.0), (90, 93.0), (99, 98.0))
_MERGING_PLACE = ((1, 10.0), (30, 38.0), (60, 60.0), (70, 68.0), (80, 75.0), (90, 86.0), (95, 91.5), (99, 95.0))
"""SSIMULACRA2 itself, of the frames of a GIF whose near colours are merged, and of each place in them."""

_JPEG = ((1, 20.0), (30, 45.0), (60, 60.0), (70, 67.0), (80, 72.0), (90, 82.5), (95, 87.5), (99, 91.0))
_PLACE = ((1, 10.0), (30, 38.0), (60, 54.0), (70, 62.0), (80, 68.0), (90, 79.0), (95, 84.5), (99, 89.0))
_JPEG_ALONE = ((1, 0.0), (30, 25.0), (60, 46.0), (70, 56.0), (80, 64.0), (90, 74.0), (95, 80.5), (99, 86.0))
"""SSIMULACRA2 itself: of the whole image, of each place in it, and of each place of a page on its own."""

_SPARED = ((0.28, 5.0), (0.36, 0.0))
"""Points more for the whole image, by the share of the bytes that is left."""

_WEBP_PLACE = ((1, 1.0), (30, 26.0), (60, 48.0), (70, 56.0), (80, 64.0), (90, 74.0), (95, 79.0), (99, 83.0))
_PALETTE_PLACE = ((1, 5.0), (30, 30.0), (60, 55.0), (70, 63.0), (80, 70.0), (90, 82.0), (95, 93.5), (99, 96.0))
"""For each place of 128 x 128 pixels on its own; their scores vary more than those of whole images."""


@dataclass(frozen=True)
class PaletteTarget:
    """The quantizer's first setting, the estimate that ends the trials, and the lowest estimates that are accepted, of
    the whole image and of each place; then the same two for SSIMULACRA2 itself, where the estimate is in doubt."""

    setting: int
    score: float
    floor: float
    place: float
    exact: float
    exact_place: float


@dataclass(frozen=True)
class MergingTarget:
    """What SSIMULACRA2 of a frame with merged colours must be: as a whole, and of each place in it."""

    whole: float
    place: float


@dataclass(frozen=True)
class JpegTarget:
    """What SSIMULACRA2 must be: of the whole image, of each place in it, and of each place of a page on its own."""

    whole: float
    place: float
    alone: float

    def at(self, share: float) -> JpegTarget:
        """Return the target of a result that takes this share of the original's bytes.

        Where little is left of the bytes, a better look of the whole costs little: it is asked for.
        """
        return replace(self, whole=self.whole + between(_SPARED, min(max(share, _SPARED[0][0]), _SPARED[-1][0])))


def lossy_target(quality: int) -> float:
    """Return the score that a lossy JPEG or WebP must reach."""
    return between(_LOSSY, quality)


def jpeg_target(quality: int) -> JpegTarget:
    """Return the scores that a lossy JPEG must reach."""
    return JpegTarget(between(_JPEG, quality), between(_PLACE, quality), between(_JPEG_ALONE, quality))


def webp_place_target(quality: int) -> float:
    """Return the score that each place of a lossy WebP must reach; it looks 4 points better than a JPEG's truly."""
    return between(_WEBP_PLACE, quality)


def palette_target(quality: int) -> PaletteTarget:
    """Return the settings and scores for the palette of a PNG."""
    return PaletteTarget(
        round(between(_PALETTE_SETTING, quality)),
        between(_PALETTE, quality),
        between(_PALETTE_FLOOR, quality),
        between(_PALETTE_PLACE, quality),
        between(_PALETTE_EXACT, quality),
        between(_PALETTE_EXACT_PLACE, quality),
    )


def animation_target(quality: int) -> float:
    """Return the score that the worst frames of a lossy GIF must reach."""
    return between(_ANIMATION, quality)


def merging_target(quality: int) -> MergingTarget:
    """Return the scores that the worst frames of a GIF with merged colours must reach."""
    return MergingTarget(between(_MERGING, quality), between(_MERGING_PLACE, quality))


def between(points: Sequence[tuple[float, float]], quality: float) -> float:
    """Return the value on straight lines through the points, beyond the last on the last line."""
    place = min(max(bisect_left([known for known, _ in points], quality), 1), len(points) - 1)
    (left, low), (right, high) = points[place - 1], points[place]
    return low + (high - low) * (quality - left) / (right - left)


HUGE = 30_000_000
"""Pixels of all frames: larger images would take more than half of a worker's time at full effort, so get the least."""
