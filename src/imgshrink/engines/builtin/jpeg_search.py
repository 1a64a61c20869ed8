"""Finds the smallest JPEG whose SSIMULACRA2 meets the target, over all and at every place, in few encodings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from operator import attrgetter

import pyvips

from ...core.model import Format
from ...pixels.color import displayed
from ...pixels.compare import acceptable
from ...pixels.looks import Looks
from .exact import Exact, ExactScorer
from .places import SIDE, mosaic, worst_score
from .score import chroma_detail
from .targets import JpegTarget, jpeg_target

Encode = Callable[..., bytes]

HIGHEST = 95
"""The highest setting; higher ones take many more bytes for hardly a better look."""

_LOWEST = 40
_BELOW_TARGET = 2
"""Settings below the target's number: where the search begins."""

_TRIALS = 4
_ENOUGH = 1.6
"""Points above the target that end the search."""

_SLOPE, _LEAST_SLOPE, _MOST_SLOPE = 1.0, 0.3, 2.2
"""Points that a setting gains in the median, and the bounds of a secant that is believed."""

_FLAT, _LITTLE = 0.5, 3.5
"""Points that a setting gains where the beginning is above the target by no more than so many points."""

_NARROW, _SAFE = 5, 0.7
"""Settings between two trials that enclose the target: what lies between needs no look where the line through them is
so many points above the target."""

_GROWTH = 0.02
"""By how much a setting makes a JPEG larger."""

_OF_A_POINT = 0.01
"""By how much a point makes a JPEG larger at least: what would be too large even so is not tried."""

_LEAST_DETAIL, _MOST_DETAIL = 2.5, 5.1
"""Detail of colours below which 4:4:4 is not tried, and above which 4:2:0 is not."""

_FAR = 6.0
"""Points below the target from which on 4:4:4 is tried where there is some detail."""

_GENTLER = 2
"""Settings by which full chroma may be lower than half chroma."""

_RAISED = 8
"""Settings, for what verify would refuse."""

_SMALL = 300_000
"""Pixels up to which an image is looked at as a whole each time; of larger ones once, and then at some places."""

_WORST, _APART, _USUAL = 7, 3, 4
"""Places that are looked at then: those farthest below a target, the worst photographs of a page, some others."""


@dataclass(frozen=True)
class Trial:
    """An encoding of all or of some places; `margins` are the points above each target, `size` the bytes of all."""

    setting: int
    full_chroma: bool
    data: bytes
    size: float
    margins: tuple[float, ...]
    found: Exact = field(repr=False)

    @property
    def margin(self) -> float:
        """The points above the target where the encoding is worst."""
        return min(self.margins)

    @property
    def expected_size(self) -> float:
        """The bytes where the target is just met."""
        return self.size * float((1 - _GROWTH) ** (self.margin / _SLOPE))

    @property
    def least_size(self) -> float:
        """The bytes that the target takes at least, where it is missed."""
        return self.size * float((1 + _OF_A_POINT) ** max(0.0, -self.margin))


Attempt = Callable[[int, bool], Trial]
"""Makes the trial of a setting, with or without full chroma."""


class TargetSearch:
    """The search for one image. `profile` is the ICC profile that CMYK is shown with, `encode` makes a JPEG.

    It ends where what meets the target will be `too_large`. `before` are the bytes of the original.
    """

    def __init__(
        self,
        image: pyvips.Image,
        profile: bytes,
        before: int,
        quality: int,
        encode: Encode,
        looks: Looks,
        too_large: Callable[[float], bool],
    ) -> None:
        self._image, self._profile, self._quality = image, profile, quality
        self._encode, self._looks, self._too_large = encode, looks, too_large
        self._before, self._target = before, jpeg_target(quality)
        self._shown_image = self._shown(image)
        self._large = image.width * image.height > _SMALL and min(image.width, image.height) >= SIDE
        self._scorer = ExactScorer(self._shown_image)

    def result(self) -> bytes | None:
        """Return the smallest JPEG that looks as good as the target, None where none of fewer bytes does."""
        best = self._searched()
        if best is None:
            return None
        setting, data = best.setting, best.data
        while acceptable(self._shown_image, self._decoded(data), self._quality, Format.JPEG, self._looks.measure):
            if setting == HIGHEST:
                return None
            setting = min(HIGHEST, setting + _RAISED)
            data = self._encode(self._image, setting, full_chroma=best.full_chroma)
        return data

    def _shown(self, stored: pyvips.Image) -> pyvips.Image:
        return displayed(stored, self._profile, 1).copy_memory() if stored.interpretation == "cmyk" else stored

    def _decoded(self, data: bytes) -> pyvips.Image:
        return self._shown(pyvips.Image.jpegload_buffer(data).copy_memory())

    def _searched(self) -> Trial | None:
        """Return the smallest trial that meets the target, None if none does."""
        first = self._first()
        attempt, seen = (
            self._narrowed(first) if self._large else self._changed(first, first.found, self._scorer, self._image)
        )
        best = refined(attempt, seen, self._too_large)
        if best is None or best.data:
            return best
        return replace(best, data=self._encode(self._image, best.setting, full_chroma=best.full_chroma))

    def _first(self) -> Trial:
        """Return the trial of half or of full chroma that promises fewer bytes."""
        start = max(_LOWEST, round(self._target.whole) - _BELOW_TARGET)
        detail = chroma_detail(self._shown_image) if self._image.bands == 3 else 0.0
        if detail > _MOST_DETAIL:
            return self._trial(start - _GENTLER, True)
        half = self._trial(start, False)
        if detail < _LEAST_DETAIL or half.margin > -_FAR:
            return half
        full = self._trial(start - _GENTLER, True)
        return min(half, full, key=lambda trial: trial.expected_size)

    def _trial(self, setting: int, full_chroma: bool) -> Trial:
        data = self._encode(self._image, setting, full_chroma=full_chroma)
        found = self._scorer.scores(self._decoded(data))
        return Trial(setting, full_chroma, data, len(data), self._margins(found, len(data)), found)

    def _margins(self, found: Exact, size: float) -> tuple[float, ...]:
        """Return by how much a candidate of so many bytes is better than each of its targets."""
        target = self._target.at(size / self._before)
        alone = worst_score(list(found.alone.values())) - target.alone
        return found.whole - target.whole, min(found.places) - target.place, alone

    def _narrowed(self, first: Trial) -> tuple[Attempt, Trial]:
        """Return what tries the places that count most: other trials differ from `first` as they do there."""
        places, scorer = self._scorer.narrowed(_chosen(first.found.places, first.found.alone, self._target))
        stored = mosaic(self._image, places)
        before = self._shown(mosaic(pyvips.Image.jpegload_buffer(first.data).copy_memory(), places))
        return self._changed(first, scorer.scores(before), scorer, stored)

    def _changed(self, first: Trial, found: Exact, scorer: ExactScorer, stored: pyvips.Image) -> tuple[Attempt, Trial]:
        """Return what tries `stored`, of which `found` are the scores of `first`, and `first`.

        Other trials are as much better or worse than `first` as they are there.
        """
        before = self._margins(found, first.size)

        def attempt(setting: int, full_chroma: bool) -> Trial:
            data = self._encode(stored, setting, full_chroma=full_chroma)
            whole = stored is self._image
            size = len(data) if whole else first.size * (1 + _GROWTH) ** (setting - first.setting)
            now = self._margins(scorer.scores(self._decoded(data)), size)
            every = zip(first.margins, now, before, strict=True)
            margins = tuple(margin + here - there for margin, here, there in every)
            return Trial(setting, full_chroma, data if whole else b"", size, margins, first.found)

        return attempt, first


def refined(attempt: Attempt, first: Trial, too_large: Callable[[float], bool]) -> Trial | None:
    """Return the smallest trial that meets the target, beginning with `first`; None if there is none."""
    trials = [first]
    while not 0 <= trials[-1].margin <= _ENOUGH and len(trials) < _TRIALS:
        if between := _between(trials):
            return between
        setting = _next_setting(trials)
        if setting is None or (trials[-1].margin < 0 and too_large(trials[-1].least_size)):
            break
        trials.append(attempt(setting, first.full_chroma))
    met = [trial for trial in trials if trial.margin >= 0]
    if not met and trials[-1].setting < HIGHEST and not too_large(trials[-1].least_size):
        last = attempt(HIGHEST, True)
        met = [last] if last.margin >= 0 else []
    return min(met, key=lambda trial: trial.size, default=None)


def _enclosing(trials: Sequence[Trial]) -> tuple[Trial | None, Trial | None]:
    """Return the highest trial that misses the target, and the lowest one that meets it."""
    below = [trial for trial in trials if trial.margin < 0]
    above = [trial for trial in trials if trial.margin >= 0]
    setting = attrgetter("setting")
    return max(below, key=setting, default=None), min(above, key=setting, default=None)


def _between(trials: Sequence[Trial]) -> Trial | None:
    """Return a trial without bytes between two near ones, None where none is known to be good without a look."""
    below, above = _enclosing(trials)
    if below is None or above is None or not 1 < above.setting - below.setting <= _NARROW:
        return None
    slope = (above.margin - below.margin) / (above.setting - below.setting)
    setting = below.setting + ceil((_SAFE - below.margin) / slope)
    if setting >= above.setting:
        return above
    share = (setting - below.setting) / (above.setting - below.setting)
    size, margin = below.size + share * (above.size - below.size), below.margin + share * (above.margin - below.margin)
    return replace(above, setting=setting, data=b"", size=size, margins=(margin,))


def _next_setting(trials: list[Trial]) -> int | None:
    """Return the setting where the secant meets the target, between the trials that enclose it; None if none is."""
    missed, met = _enclosing(trials)
    below = missed.setting if missed else _LOWEST - 1
    above = met.setting if met else HIGHEST + 1
    step = ceil((_ENOUGH / 3 - trials[-1].margin) / _slope(trials))
    setting = min(max(trials[-1].setting + step, below + 1), above - 1)
    return setting if below < setting < above else None


def _slope(trials: list[Trial]) -> float:
    if len(trials) < 2:
        return _FLAT if 0 < trials[0].margin <= _LITTLE else _SLOPE
    first, second = trials[-2:]
    rise = (second.margin - first.margin) / (second.setting - first.setting)
    return min(max(rise, _LEAST_SLOPE), _MOST_SLOPE)


def _chosen(places: Sequence[float], alone: Mapping[int, float], target: JpegTarget) -> list[int]:
    """Return the numbers of the places farthest below their targets, and of some of all others."""
    margins = [score - target.place for score in places]
    for number, score in alone.items():
        margins[number] = min(margins[number], score - target.alone)
    order = sorted(range(len(margins)), key=margins.__getitem__)
    worst, others = order[:_WORST], order[_WORST:]
    apart = sorted(alone, key=alone.__getitem__)[:_APART]
    usual = others[:: max(1, len(others) // _USUAL)][:_USUAL]
    return list(dict.fromkeys([*worst, *apart, *usual]))
