"""Scores every place of an image on its own: a mean over the whole image hides a small photograph on a large page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyvips

from .score import Reference, on, part_scores, values
from .tiles import changed, gathered, scattered

SIDE = 128
"""Pixels: the side of a place. SSIMULACRA2 says little about much smaller images."""

_TILE = SIDE // 2
"""Places overlap by half."""

_GRID = 16
"""Places lie on the grid of a JPEG's blocks with half chroma, so that each can be encoded on its own."""

_RANK = 3
_STRIP_PIXELS = 1 << 20
_KEPT_PIXELS = 4 << 20
_MOST = 0.7
"""Of the tiles: where more have changed, taking them out is not worth its time."""

_FOUR_TILES = pyvips.Image.new_from_array([[1, 1], [1, 1]], scale=4)

Place = tuple[int, int]
"""The left upper corner, in pixels."""


@dataclass(frozen=True)
class PlaceScores:
    """All places, the worst first, with their scores and what 4:2:0 costs each, where that was asked for."""

    places: Sequence[Place]
    scores: Sequence[float]
    penalties: Sequence[float]

    @property
    def worst(self) -> float:
        """The score that counts, see `worst_score`."""
        return worst_score(self.scores)


def worst_score(scores: Sequence[float]) -> float:
    """Return the third lowest score, 100 if there is none.

    Places overlap by half, so that what is wrong in one of them is wrong in its neighbours; a single low score is
    mostly an error of the estimate.
    """
    return sorted(scores)[:_RANK][-1] if scores else 100.0


@dataclass(frozen=True)
class _Strip:
    """Rows of the image on one background, in whole tiles."""

    image: pyvips.Image

    @cached_property
    def reference(self) -> Reference:
        """The rows, prepared for candidates."""
        return Reference(self.image, whole=True)

    @cached_property
    def chroma(self) -> pyvips.Image:
        """The loss of chroma of each tile."""
        return self.reference.part_chroma(_TILE, _TILE)

    def moments(self, candidate: pyvips.Image) -> list[pyvips.Image]:
        """Return what the tiles of `candidate` are scored by; where most are unchanged, only the others take time."""
        tiles = changed(self.image, candidate, _TILE)
        across, down = candidate.width // _TILE, candidate.height // _TILE
        if not tiles or len(tiles) > _MOST * across * down:
            return self.reference.part_moments(candidate, _TILE, _TILE)
        reference = Reference(gathered(self.image, tiles, _TILE), whole=True)
        moments = reference.part_moments(gathered(candidate, tiles, _TILE), _TILE, _TILE)
        return [scattered(moment, tiles, across, down) for moment in moments]


class PlaceScorer:
    """Scores the places of candidates for one image, which is in memory; with alpha on black and on white.

    An image of at most 4 megapixels is prepared once, for all its candidates.
    """

    def __init__(self, image: pyvips.Image) -> None:
        self._image = image
        self._width, self._height = image.width, image.height
        self._backgrounds = (0, 255) if image.hasalpha() else (255,)
        self._kept: dict[tuple[int, int], _Strip] | None = {} if self._width * self._height <= _KEPT_PIXELS else None

    def scores(self, candidate: pyvips.Image, weights: Sequence[float], *, half_chroma: bool = False) -> PlaceScores:
        """Score the places of `candidate`, which has the same size.

        With `half_chroma` the scores include what 4:2:0 does to colours, which the estimate does not see.
        """
        if min(self._width, self._height) < _GRID:
            return PlaceScores([], [], [])
        found = [self._on(background, candidate, weights, half_chroma) for background in self._backgrounds]
        scores = [min(column) for column in zip(*(scores for scores, _ in found), strict=True)]
        penalties = found[-1][1]
        corners = _corners(self._width, self._height)
        order = sorted(range(len(scores)), key=lambda number: scores[number])
        places = {corners[number]: number for number in reversed(order)}
        numbers = list(places.values())[::-1]
        return PlaceScores(
            list(places)[::-1],
            [scores[number] for number in numbers],
            [penalties[number] for number in numbers],
        )

    def _on(
        self, background: int, candidate: pyvips.Image, weights: Sequence[float], half_chroma: bool
    ) -> tuple[list[float], list[float]]:
        """Return the score and the penalty for a place at each tile, row by row."""
        columns = zip(*self._strips(candidate, background, half_chroma), strict=True)
        *moments, chroma = (_windows(_stacked(column)) for column in columns)
        scores = part_scores(moments, weights)
        penalties = [_chroma_penalty(max(0.0, loss) ** 0.5) for loss in values(chroma)]
        return [score - penalty for score, penalty in zip(scores, penalties, strict=True)], penalties

    def _strips(self, candidate: pyvips.Image, background: int, half_chroma: bool) -> Iterator[list[pyvips.Image]]:
        """Yield for each strip, in bounded memory, the moments of its tiles and their loss of chroma."""
        rows = max(_TILE, _STRIP_PIXELS // self._width // _TILE * _TILE)
        for top in range(0, self._height, rows):
            strip = self._prepared(background, top, rows)
            moments = strip.moments(self._padded(candidate, background, top, rows))
            yield [*moments, strip.chroma if half_chroma else moments[0][0] * 0]

    def _prepared(self, background: int, top: int, rows: int) -> _Strip:
        if self._kept is not None and (background, top) in self._kept:
            return self._kept[background, top]
        strip = _Strip(self._padded(self._image, background, top, rows))
        if self._kept is not None:
            self._kept[background, top] = strip
        return strip

    def _padded(self, image: pyvips.Image, background: int, top: int, rows: int) -> pyvips.Image:
        """Return some rows in whole tiles."""
        height = min(rows, self._height - top)
        strip = on(image.crop(0, top, self._width, height), background)
        width, height = -(-self._width // _TILE) * _TILE, -(-height // _TILE) * _TILE
        return strip.embed(0, 0, width, height, extend="mirror").copy_memory()


def _stacked(strips: Sequence[pyvips.Image]) -> pyvips.Image:
    """Return the strips one below the other; the last may be lower than the others."""
    stacked = strips[0]
    for strip in strips[1:]:
        stacked = stacked.join(strip, "vertical")
    return stacked


def _windows(tiles: pyvips.Image) -> pyvips.Image:
    """Return for each tile the mean of it and its neighbours right and below."""
    padded = tiles.embed(0, 0, tiles.width + 1, tiles.height + 1, extend="copy").copy_memory()
    return padded.conv(_FOUR_TILES, precision="float").crop(1, 1, tiles.width, tiles.height).copy_memory()


def _chroma_penalty(detail: float) -> float:
    """Return what 4:2:0 costs a place beyond what the estimate sees; fitted on parts of the corpus's JPEGs."""
    return 1.6 * max(0.0, detail - 2)


class MosaicScorer:
    """Scores each of some places on its own; their images are joined one below the other."""

    def __init__(self, image: pyvips.Image, count: int, penalties: Sequence[float]) -> None:
        self._reference = Reference(image, whole=True)
        self._rows = image.height // count
        self._penalties = penalties

    def worst(self, candidate: pyvips.Image, weights: Sequence[float], *, half_chroma: bool) -> float:
        """Return the score that counts of all places."""
        scores = part_scores(self._reference.part_moments(candidate, candidate.width, self._rows), weights)
        if half_chroma:
            scores = [score - penalty for score, penalty in zip(scores, self._penalties, strict=True)]
        return worst_score(scores)


def mosaic(image: pyvips.Image, places: Sequence[Place]) -> pyvips.Image:
    """Return the places one below the other."""
    size = _size(image.width, image.height)
    return pyvips.Image.arrayjoin([image.crop(*place, *size) for place in places], across=1).copy_memory()


def _corners(width: int, height: int) -> list[Place]:
    """Return the place at each tile, row by row."""
    sides = _size(width, height)
    lefts, tops = (
        [min(start, (whole - side) // _GRID * _GRID) for start in range(0, whole, _TILE)]
        for whole, side in zip((width, height), sides, strict=True)
    )
    return [(left, top) for top in tops for left in lefts]


def _size(width: int, height: int) -> tuple[int, int]:
    return min(SIDE, width // _GRID * _GRID), min(SIDE, height // _GRID * _GRID)
