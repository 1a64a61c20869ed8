"""Fewer levels in each channel, for photographs in formats without loss: as coarse as does not show."""

from __future__ import annotations

from bisect import bisect_left

import pyvips

from .palette_search import DOUBT, PaletteScorer

_STEPS = (6, 5, 4, 3, 2)
"""Between the values that are left of a channel; even steps, because filters then leave few different differences."""

_GLANCE = 8
"""Every so many pixels of every so many rows are enough to see that an image has not been rounded."""


def coarsest(image: pyvips.Image, scorer: PaletteScorer) -> int | None:
    """Return the largest step at which the image, and then each of its places, looks well; None where none does."""
    floor = scorer.target.floor
    place = bisect_left(_STEPS, floor - DOUBT, key=lambda step: scorer.whole(rounded(image, step)))
    return next((step for step in _STEPS[place:] if scorer.score(rounded(image, step), DOUBT) >= floor), None)


def is_rounded(image: pyvips.Image) -> bool:
    """Whether an image in memory has been rounded before.

    Nothing is left to gain then, and judged by itself it would be rounded further.
    """
    glance = image.subsample(_GLANCE, _GLANCE)
    return all(any(used <= set(table(step)) for step in _STEPS) for used in map(_levels, (glance, image)))


def _levels(image: pyvips.Image) -> set[int]:
    """Return the values that are there in any channel."""
    counts = memoryview(image.hist_find().write_to_memory()).cast("I")
    return {place // image.bands for place, count in enumerate(counts) if count}


def rounded(image: pyvips.Image, step: int) -> pyvips.Image:
    """Return the image with values `step` apart in each channel; rounding again changes nothing."""
    return image.maplut(pyvips.Image.new_from_array([table(step)]).cast("uchar"))


def table(step: int) -> list[int]:
    """Return what becomes of each value: white and black stay, the others move to the nearest step below white."""
    return [0] + [max(0, 255 - step * round((255 - value) / step)) for value in range(1, 256)]
