"""The smallest AVIF or lossy WebP that looks as good as the target: searched on strips, then scored everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import pyvips

from ....core.model import Format, Variant
from ....image.variants.rules import AVIF, MEDIA_TYPES, WEBP
from ....pixels.compare import acceptable
from ....pixels.looks import Looks
from ....pixels.variants.judge import LIKE
from ....pixels.variants.shown import Shown, decoded_variant, kept
from ..places import MosaicScorer, Place, PlaceScorer, mosaic
from ..score import Scorer, on, sample
from ..search import Trial, search
from ..targets import lossy_target, palette_target, webp_place_target
from ..weights import LOSSY

_CAUTION = {AVIF: 2.0, WEBP: 8.5}
"""Points that the estimate, fitted on JPEG for the most part, is too kind."""

_SEALED = 4.0
"""Points more where the original has been encoded with losses before, and is all that is left."""

_LOWEST, _HIGHEST = 15, 95
_BELOW_TARGET = 20
"""Settings, counted from the target, where the search begins."""

_TRIALS = 4
"""On strips: one more than for an image itself, since scores grow unevenly with the settings."""

_MISSED = 6.0
_ROUNDS, _FEW_ROUNDS = 4, 1
"""How often the setting is raised for what strips do not show; few for images of more than `_MANY_PIXELS`: a worker has
two minutes."""

_MANY_PIXELS = 8_000_000

_CLOSE = 0.5
_POINTS_A_SETTING = 0.6
_STEP = 4
"""Settings that the first raise adds at least, the next twice as many: the encoder spreads its bits over the image, so
that a part of it encoded on its own tells little where the rest is plain."""

_COARSE = 4
"""Settings between one that missed the target and one that met it: where there are more, one in the middle is tried."""

_STEERING = 12
"""Places that steer the setting: the worst ones."""

_HOPELESS = 1.25
"""Of the most bytes: a trial that is larger and still misses the target ends the search."""


@dataclass(frozen=True)
class Target:
    """The scores of the whole image and of each place, and the quality whose limits verify holds."""

    whole: float
    place: float
    quality: int


def target(format: Format, quality: int, *, sealed: bool) -> Target:
    """Return what a variant of an image of `format` must reach; more where that is `sealed`, so no original."""
    more = _SEALED if sealed else 0.0
    if format is Format.PNG:
        palette = palette_target(quality)
        return Target(palette.floor + more, palette.place + more, quality)
    return Target(lossy_target(quality) + more, webp_place_target(quality) + more, quality)


def encoders() -> frozenset[str]:
    """Return the formats that this libvips can encode with losses."""
    try:
        encoded(pyvips.Image.black(16, 16, bands=3).copy(interpretation="srgb"), 50, AVIF)
    except pyvips.Error:
        return frozenset({WEBP})
    return frozenset({AVIF, WEBP})


def encoded(image: pyvips.Image, setting: int, media: str) -> bytes:
    """Return the image in the format `media`, with full chroma where that has it, and with what it carries."""
    keep = kept(image)
    if media == AVIF:
        return bytes(
            image.heifsave_buffer(
                Q=setting, compression="av1", encoder="aom", effort=2, bitdepth=8, subsample_mode="off", keep=keep
            )
        )
    return bytes(image.webpsave_buffer(Q=setting, effort=4, smart_subsample=True, keep=keep))


class Hopeless(Exception):
    """More bytes than a variant may have would still miss the target."""


class VariantSearch:
    """The search for one image in one format; `most` is how many bytes the variant may have."""

    def __init__(self, before: Shown, wanted: Target, media: str, most: float, looks: Looks) -> None:
        self._before, self._wanted, self._media, self._most = before, wanted, media, most
        self._measure = looks.measure
        self._scorer = Scorer(before.image)
        self._rounds = _FEW_ROUNDS if before.image.width * before.image.height > _MANY_PIXELS else _ROUNDS

    def result(self) -> Variant | None:
        """Return the smallest variant that meets the target everywhere, None where none of few enough bytes does."""
        try:
            trial = self._on_strips()
        except Hopeless:
            return None
        scorer, missed, met = PlaceScorer(self._before.image), _LOWEST, None
        for number in range(self._rounds + 1):
            if trial is None or len(trial.data) > self._most:
                break
            higher = self._higher(trial, scorer)
            if higher is None:
                met = trial
                if not number or trial.setting - missed <= _COARSE:
                    break
                setting = (missed + trial.setting + 1) // 2
            else:
                missed = trial.setting
                setting = max(higher, missed + (_STEP << number)) if met is None else _HIGHEST + 1
            trial = self._trial(self._before.stored, setting) if setting <= _HIGHEST else None
        return self._variant(met.data, met.score) if met else None

    def _on_strips(self) -> Trial | None:
        """Return the trial of the whole image at the setting that meets the target on a sample, None if all miss it."""
        strips = sample(self._before.stored)
        share = strips.height / self._before.stored.height
        aim = self._wanted.whole

        def attempt(setting: int) -> Trial:
            trial = self._trial(strips, setting)
            if trial.score < aim and len(trial.data) > _HOPELESS * self._most * share:
                raise Hopeless
            return trial

        first = round(aim) - _BELOW_TARGET
        best = search(attempt, aim, first=first, lowest=_LOWEST, highest=_HIGHEST, trials=_TRIALS)
        if best.score < aim - _MISSED:
            return None
        return best if share == 1 else self._trial(self._before.stored, best.setting)

    def _trial(self, image: pyvips.Image, setting: int) -> Trial:
        """Return the trial of the image or of its sample."""
        data = encoded(image, setting, self._media)
        return Trial(setting, data, self._scorer.score(self._decoded(data), LOSSY) - _CAUTION[self._media])

    def _higher(self, trial: Trial, scorer: PlaceScorer) -> int | None:
        """Return the setting to try next, where the trial misses the target in some respect; None where it meets it."""
        image = self._decoded(trial.data)
        found = scorer.scores(image, LOSSY)
        if found.worst < self._wanted.place - _CLOSE:
            return self._for_places(found.places[:_STEERING], trial.setting)
        if trial.score < self._wanted.whole - _CLOSE:
            return trial.setting + ceil((self._wanted.whole - trial.score) / _POINTS_A_SETTING)
        altered = acceptable(self._before.image, image, self._wanted.quality, LIKE, self._measure)
        return trial.setting + _STEP if altered else None

    def _for_places(self, places: Sequence[Place], last: int) -> int:
        """Return the lowest setting at which these places, which missed their target at `last`, meet it; one that
        does not exist where none does.

        They are encoded on their own, one below the other.
        """
        stored, image = (mosaic(whole, places) for whole in (self._before.stored, self._before.image))
        grounds = (0, 255) if image.hasalpha() else (255,)
        scorers = [(ground, MosaicScorer(on(image, ground), len(places))) for ground in grounds]

        def worst(shown: pyvips.Image) -> float:
            return min(scorer.worst(on(shown, ground), LOSSY) for ground, scorer in scorers)

        def attempt(setting: int) -> Trial:
            data = encoded(stored, setting, self._media)
            return Trial(setting, data, worst(self._decoded(data)))

        aim = self._wanted.place
        best = search(attempt, aim, first=last + _STEP, lowest=min(_HIGHEST, last + 1), highest=_HIGHEST)
        return best.setting if best.score >= aim - _CLOSE else _HIGHEST + 1

    def _decoded(self, data: bytes) -> pyvips.Image:
        return decoded_variant(self._variant(data, 0.0))

    def _variant(self, data: bytes, score: float) -> Variant:
        return Variant(f".{self._media}", MEDIA_TYPES[self._media], data, round(score, 1))
