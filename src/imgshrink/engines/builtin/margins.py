"""By how much candidates look better than their target: of large images everywhere once, then where it tells most."""

from __future__ import annotations

from collections.abc import Sequence

import pyvips

from .exact import Exact, ExactScorer
from .places import SIDE, mosaic, worst_score
from .targets import JpegTarget

_SMALL = 300_000
"""Pixels up to which an image is looked at as a whole each time; of larger ones once, and then at some places."""

_WORST, _APART, _USUAL = 7, 3, 4
"""Places that are looked at then: those farthest below a target, the worst photographs of a page, some others."""

Margins = tuple[float, ...]
"""Points above the target of the whole image, of its worst place, and of its worst place alone."""


def is_large(image: pyvips.Image) -> bool:
    """Tell whether a look at some places takes much less time than one at the whole image."""
    return bool(image.width * image.height > _SMALL and min(image.width, image.height) >= SIDE)


def margins(found: Exact, target: JpegTarget) -> Margins:
    """Return by how much a candidate is better than each of its targets."""
    alone = worst_score(list(found.alone.values())) - target.alone
    return found.whole - target.whole, min(found.places) - target.place, alone


def telling_places(found: Exact, target: JpegTarget) -> list[int]:
    """Return the numbers of the places farthest below their targets, and of some of all others."""
    below = [score - target.place for score in found.places]
    for number, score in found.alone.items():
        below[number] = min(below[number], score - target.alone)
    order = sorted(range(len(below)), key=below.__getitem__)
    worst, others = order[:_WORST], order[_WORST:]
    apart = sorted(found.alone, key=found.alone.__getitem__)[:_APART]
    usual = others[:: max(1, len(others) // _USUAL)][:_USUAL]
    return list(dict.fromkeys([*worst, *apart, *usual]))


def changed(first: Margins, now: Margins, before: Margins) -> Margins:
    """Return the margins of another candidate, which differ from the first one's as they do at some places."""
    return tuple(margin + here - there for margin, here, there in zip(first, now, before, strict=True))


class Judge:
    """Looks at the candidates for one image, which is in memory, has no alpha and is 8-bit sRGB or grey."""

    def __init__(self, image: pyvips.Image, target: JpegTarget) -> None:
        self._large, self._target, self._scorer = is_large(image), target, ExactScorer(image)
        self._narrowed: tuple[Sequence[tuple[int, int]], ExactScorer, Margins, Margins] | None = None

    def margin(self, candidate: pyvips.Image) -> float:
        """Return by how much a candidate of the same size is better than its target where it is worst."""
        if self._narrowed is None:
            return min(self._everywhere(candidate))
        places, scorer, first, before = self._narrowed
        return min(changed(first, margins(scorer.scores(mosaic(candidate, places)), self._target), before))

    def _everywhere(self, candidate: pyvips.Image) -> Margins:
        found = self._scorer.scores(candidate)
        first = margins(found, self._target)
        if self._large:
            places, scorer = self._scorer.narrowed(telling_places(found, self._target))
            before = margins(scorer.scores(mosaic(candidate, places)), self._target)
            self._narrowed = places, scorer, first, before
        return first
