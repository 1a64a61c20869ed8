"""Finds the smallest JPEG that meets a target: the search looks at strips, the result is scored everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyvips

from ...core.model import Format
from ...pixels.color import displayed
from ...pixels.compare import acceptable
from ...pixels.looks import Looks
from .places import MosaicScorer, PlaceScorer, PlaceScores, chroma_penalty, mosaic
from .score import Reference, sample
from .search import Trial, best_trial, search
from .targets import jpeg_place_target, lossy_target
from .weights import LOSSY

Encode = Callable[..., bytes]

HIGHEST = 95
"""The highest setting; higher ones take many more bytes for hardly a better look."""

_BELOW_USUALLY, _BELOW_TARGET = 6, 10
"""Settings of the encoder, counted from the target: where the search begins, and where it ends."""

_LEAST_PENALTY, _MOST_PENALTY, _MOST_OF_PLACES = 1.5, 6.0, 12.0
"""Points: below the first 4:4:4 is not tried, above the others 4:2:0 is not."""

_FULL_CHROMA_GENTLER = 15
"""How much less of the chroma penalty 4:4:4 pays: its chroma is quantized, which shows on saturated text only."""

_CLOSE = 0.5
"""Points below the target at which 4:2:0 is as good as met: 4:4:4 would cost more than they are worth."""

_MISSED = 6.0
_ROUNDS = 4
"""How often the setting is raised for the places that look worst."""

_STEERING = 12
"""Places that steer the setting: the worst ones."""

_STEP = 4
_GENTLER = 12
"""Settings by which full chroma may be lower than half chroma."""


@dataclass(frozen=True)
class _Choice:
    """An encoding of the whole image."""

    setting: int
    full_chroma: bool
    data: bytes


class TargetSearch:
    """The search for one image. `profile` is the ICC profile that CMYK is shown with, `encode` makes a JPEG."""

    def __init__(self, image: pyvips.Image, profile: bytes, quality: int, encode: Encode, looks: Looks) -> None:
        self._image = image
        self._profile = profile
        self._encode = encode
        self._quality = quality
        self._looks = looks
        self._target, self._place_target = lossy_target(quality), jpeg_place_target(quality)

    def result(self) -> bytes | None:
        """Return the smallest JPEG that looks as good as the target, None where even the best one misses it."""
        choice = self._on_strips()
        whole = self._shown(self._image)
        scorer = PlaceScorer(whole)
        for number in range(_ROUNDS + 1):
            if choice is None:
                return None
            shown = self._shown(pyvips.Image.jpegload_buffer(choice.data).copy_memory())
            found = scorer.scores(shown, LOSSY, not choice.full_chroma)
            if found.worst < self._place_target - (_CLOSE if number else 0):
                choice = self._on_places(found, choice)
            elif acceptable(whole, shown, self._quality, Format.JPEG, self._looks.measure):
                choice = self._much_better(choice)
            else:
                return choice.data
        return None

    def _much_better(self, last: _Choice) -> _Choice | None:
        if last.setting == HIGHEST:
            return None
        return self._chosen(min(HIGHEST, last.setting + 2 * _STEP), full_chroma=last.full_chroma)

    def _shown(self, stored: pyvips.Image) -> pyvips.Image:
        return displayed(stored, self._profile, 1).copy_memory() if stored.interpretation == "cmyk" else stored

    def _penalty(self, detail: float, *, full_chroma: bool) -> float:
        """Return what the chroma costs beyond what the estimate sees; fitted on saturated text, 4:4:4 against 4:2:0."""
        penalty = max(0.0, 0.29 * detail * detail - 1.5) if self._image.bands == 3 else 0.0
        return min(_MOST_PENALTY, penalty / _FULL_CHROMA_GENTLER) if full_chroma else penalty

    def _on_strips(self) -> _Choice | None:
        """Return the choice that meets the target on a sample of the image, None if all miss it by far."""
        strips = sample(self._image)
        reference = Reference(self._shown(strips))

        def searched(*, full_chroma: bool) -> Trial:
            def attempt(setting: int) -> Trial:
                data = self._encode(strips, setting, full_chroma=full_chroma)
                score = reference.score(self._shown(pyvips.Image.jpegload_buffer(data)), LOSSY)
                return Trial(setting, data, score - self._penalty(detail, full_chroma=full_chroma))

            lowest = max(1, round(self._target) - _BELOW_TARGET)
            first = max(lowest, round(self._target) - _BELOW_USUALLY)
            return search(attempt, self._target, first=first, lowest=lowest, highest=HIGHEST)

        detail = reference.chroma_detail
        penalty = self._penalty(detail, full_chroma=False)
        trials = {}
        if penalty < _MOST_PENALTY:
            trials[False] = searched(full_chroma=False)
        missed = not trials or penalty > _LEAST_PENALTY or trials[False].score < self._target - _CLOSE
        if missed and (not trials or self._image.bands == 3):
            trials[True] = searched(full_chroma=True)
        best = best_trial(list(trials.values()), self._target - _CLOSE)
        if best.score < self._target - _MISSED:
            return None
        full_chroma = best is trials.get(True)
        whole = strips.height == self._image.height
        return (
            _Choice(best.setting, full_chroma, best.data)
            if whole
            else self._chosen(best.setting, full_chroma=full_chroma)
        )

    def _chosen(self, setting: int, *, full_chroma: bool) -> _Choice:
        return _Choice(setting, full_chroma, self._encode(self._image, setting, full_chroma=full_chroma))

    def _on_places(self, found: PlaceScores, last: _Choice) -> _Choice | None:
        """Return the smallest choice that meets the target at the places where `last` missed it.

        The best choice there is where none does, None if that was `last`.
        """
        places, details = found.places[:_STEERING], found.details[:_STEERING]
        stored = mosaic(self._image, places)
        scorer = MosaicScorer(self._shown(stored), len(places), details)
        choices = [
            self._chosen(best.setting, full_chroma=full_chroma)
            for full_chroma in self._chromas(max(details), last)
            if (best := self._raised(stored, scorer, last, full_chroma)).score >= self._place_target - _CLOSE
        ]
        if choices:
            return min(choices, key=lambda choice: len(choice.data))
        return self._chosen(HIGHEST, full_chroma=True) if last.setting < HIGHEST else None

    def _chromas(self, detail: float, last: _Choice) -> list[bool]:
        """Return whether to try full chroma: both, where neither is clearly better."""
        if last.full_chroma or self._image.bands != 3:
            return [last.full_chroma]
        half, full = (chroma_penalty(detail, half_chroma=half_chroma) for half_chroma in (True, False))
        return [False] * (half - full < _MOST_OF_PLACES) + [True] * (half - full > _LEAST_PENALTY)

    def _raised(self, stored: pyvips.Image, scorer: MosaicScorer, last: _Choice, full_chroma: bool) -> Trial:
        def attempt(setting: int) -> Trial:
            data = self._encode(stored, setting, full_chroma=full_chroma)
            shown = self._shown(pyvips.Image.jpegload_buffer(data))
            return Trial(setting, data, scorer.worst(shown, LOSSY, half_chroma=not full_chroma))

        same = full_chroma == last.full_chroma
        first, lowest = (last.setting + _STEP, last.setting + 1) if same else (last.setting, last.setting - _GENTLER)
        return search(attempt, self._place_target, first=first, lowest=min(lowest, HIGHEST), highest=HIGHEST)
