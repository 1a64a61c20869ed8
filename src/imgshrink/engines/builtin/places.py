"""Scores every place of an image on its own: a mean over the whole image hides a small photograph on a large page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyvips

from .score import Reference, on, part_scores
from .tiles import changed, gathered, scattered

SIDE = 128
"""Pixels: the side of a place. SSIMULACRA2 says little about much smaller images."""

TILE = SIDE // 2
"""Places overlap by half."""

GRID = 16
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
    """All places, the worst first, with their scores, and that of the whole image."""

    places: Sequence[Place]
    scores: Sequence[float]
    whole: float = 100.0

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

    def moments(self, candidate: pyvips.Image) -> list[pyvips.Image]:
        """Return what the tiles of `candidate` are scored by; where most are unchanged, only the others take time."""
        tiles = changed(self.image, candidate, TILE)
        across, down = candidate.width // TILE, candidate.height // TILE
        if not tiles or len(tiles) > _MOST * across * down:
            return self.reference.part_moments(candidate, TILE, TILE)
        reference = Reference(gathered(self.image, tiles, TILE), whole=True)
        moments = reference.part_moments(gathered(candidate, tiles, TILE), TILE, TILE)
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

    def scores(self, candidate: pyvips.Image, weights: Sequence[float]) -> PlaceScores:
        """Score the places of `candidate`, which has the same size."""
        if min(self._width, self._height) < GRID:
            return PlaceScores([], [])
        found = [self._on(background, candidate, weights) for background in self._backgrounds]
        whole, *scores = [min(column) for column in zip(*found, strict=True)]
        corners = _corners(self._width, self._height)
        order = sorted(range(len(scores)), key=lambda number: scores[number])
        places = {corners[number]: number for number in reversed(order)}
        return PlaceScores(list(places)[::-1], [scores[number] for number in list(places.values())[::-1]], whole)

    def _on(self, background: int, candidate: pyvips.Image, weights: Sequence[float]) -> list[float]:
        """Return the score of the whole image, then that for a place at each tile, row by row."""
        tiles = [_stacked(column) for column in zip(*self._strips(candidate, background), strict=True)]
        whole = [each.shrink(each.width, each.height) for each in tiles]
        return part_scores(whole, weights) + part_scores([windows(each) for each in tiles], weights)

    def _strips(self, candidate: pyvips.Image, background: int) -> Iterator[list[pyvips.Image]]:
        """Yield for each strip, in bounded memory, the moments of its tiles."""
        rows = max(TILE, _STRIP_PIXELS // self._width // TILE * TILE)
        for top in range(0, self._height, rows):
            strip = self._prepared(background, top, rows)
            yield strip.moments(self._padded(candidate, background, top, rows))

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
        width, height = -(-self._width // TILE) * TILE, -(-height // TILE) * TILE
        return strip.embed(0, 0, width, height, extend="mirror").copy_memory()


def _stacked(strips: Sequence[pyvips.Image]) -> pyvips.Image:
    """Return the strips one below the other; the last may be lower than the others."""
    stacked = strips[0]
    for strip in strips[1:]:
        stacked = stacked.join(strip, "vertical")
    return stacked


def windows(tiles: pyvips.Image) -> pyvips.Image:
    """Return for each tile the mean of it and its neighbours right and below."""
    padded = tiles.embed(0, 0, tiles.width + 1, tiles.height + 1, extend="copy").copy_memory()
    return padded.conv(_FOUR_TILES, precision="float").crop(1, 1, tiles.width, tiles.height).copy_memory()


class MosaicScorer:
    """Scores each of some places on its own; their images are joined one below the other."""

    def __init__(self, image: pyvips.Image, count: int) -> None:
        self._reference = Reference(image, whole=True)
        self._rows = image.height // count

    def worst(self, candidate: pyvips.Image, weights: Sequence[float]) -> float:
        """Return the score that counts of all places."""
        return worst_score(part_scores(self._reference.part_moments(candidate, candidate.width, self._rows), weights))


def mosaic(image: pyvips.Image, places: Sequence[Place]) -> pyvips.Image:
    """Return the places one below the other."""
    size = _size(image.width, image.height)
    return pyvips.Image.arrayjoin([image.crop(*place, *size) for place in places], across=1).copy_memory()


def _corners(width: int, height: int) -> list[Place]:
    """Return the place at each tile, row by row."""
    sides = _size(width, height)
    lefts, tops = (
        [min(start, (whole - side) // GRID * GRID) for start in range(0, whole, TILE)]
        for whole, side in zip((width, height), sides, strict=True)
    )
    return [(left, top) for top in tops for left in lefts]


def _size(width: int, height: int) -> tuple[int, int]:
    return min(SIDE, width // GRID * GRID), min(SIDE, height // GRID * GRID)
