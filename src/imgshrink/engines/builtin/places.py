"""Scores every place of an image on its own: a mean over the whole image hides a small photograph on a large page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyvips

from .score import Reference, on, part_scores, values

SIDE = 128
"""Pixels: the side of a place. SSIMULACRA2 says little about much smaller images."""

_TILE = SIDE // 2
"""Places overlap by half."""

_GRID = 16
"""Places lie on the grid of a JPEG's blocks with half chroma, so that each can be encoded on its own."""

_RANK = 3
_STRIP_PIXELS = 1 << 20
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


class PlaceScorer:
    """Scores the places of candidates for one image, which is in memory; with alpha on black and on white."""

    def __init__(self, image: pyvips.Image) -> None:
        self._image = image
        self._backgrounds = (0, 255) if image.hasalpha() else (255,)

    def scores(self, candidate: pyvips.Image, weights: Sequence[float], *, half_chroma: bool = False) -> PlaceScores:
        """Score the places of `candidate`, which has the same size.

        With `half_chroma` the scores include what 4:2:0 does to colours, which the estimate does not see.
        """
        if min(self._image.width, self._image.height) < _GRID:
            return PlaceScores([], [], [])
        found = [self._on(background, candidate, weights, half_chroma) for background in self._backgrounds]
        scores = [min(column) for column in zip(*(scores for scores, _ in found), strict=True)]
        penalties = found[-1][1]
        across = -(-self._image.width // _TILE)
        order = sorted(range(len(scores)), key=lambda number: scores[number])
        places = {_place(number, across, self._image): number for number in reversed(order)}
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
        columns = zip(*_strips(self._image, candidate, background, half_chroma), strict=True)
        *moments, chroma = (_windows(_stacked(column)) for column in columns)
        scores = part_scores(moments, weights)
        penalties = [_chroma_penalty(max(0.0, loss) ** 0.5) for loss in values(chroma)]
        return [score - penalty for score, penalty in zip(scores, penalties, strict=True)], penalties


def _strips(
    original: pyvips.Image, candidate: pyvips.Image, background: int, half_chroma: bool
) -> Iterator[list[pyvips.Image]]:
    """Yield for each strip, in bounded memory, the moments of its tiles and their loss of chroma."""
    rows = max(_TILE, _STRIP_PIXELS // original.width // _TILE * _TILE)
    width = -(-original.width // _TILE) * _TILE
    for top in range(0, original.height, rows):
        height = min(rows, original.height - top)
        padded = [
            on(image.crop(0, top, image.width, height), background)
            .embed(0, 0, width, -(-height // _TILE) * _TILE, extend="mirror")
            .copy_memory()
            for image in (original, candidate)
        ]
        reference = Reference(padded[0], whole=True)
        moments = reference.part_moments(padded[1], _TILE, _TILE)
        yield [*moments, reference.part_chroma(_TILE, _TILE) if half_chroma else moments[0][0] * 0]


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
    size = _size(image)
    return pyvips.Image.arrayjoin([image.crop(*place, *size) for place in places], across=1).copy_memory()


def _place(number: int, across: int, image: pyvips.Image) -> Place:
    width, height = _size(image)
    left = min(number % across * _TILE, (image.width - width) // _GRID * _GRID)
    top = min(number // across * _TILE, (image.height - height) // _GRID * _GRID)
    return left, top


def _size(image: pyvips.Image) -> tuple[int, int]:
    return min(SIDE, image.width // _GRID * _GRID), min(SIDE, image.height // _GRID * _GRID)
