"""SSIMULACRA2 of an image and of every place in it: what the estimate of `score` and `places` stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyvips

from .places import GRID, SIDE, TILE, Place, mosaic, windows
from .sampled import Prepared, Tiles
from .score import on, values
from .ssimulacra2 import SCALES, TermPlace, count_scales, from_distance, terms

_STRIP_PIXELS = 1 << 20
_KEPT_PIXELS = 3 << 20
"""Of larger images nothing is kept for the next candidate: it takes twenty bytes a pixel."""

_ALONE = 5
"""Scales of a part with a side of 113 to 224 pixels that is looked at on its own."""

_PLAIN = 0.1
"""Mean strength of edges, by Sobel's operator, up to which a tile is plain."""

_PAGE = 0.2
"""Of the tiles: an image of which so many are plain is a page, and people look at its photographs one by one."""

_BLOCK = 4
_BUSY, _PHOTOGRAPH = 8.0, 0.88
"""The strength of a block's edges, and how many of a place's blocks have it in photographs, but not in text."""


@dataclass(frozen=True)
class Exact:
    """SSIMULACRA2 of a candidate: of the whole image, of each place as part of it, and of some places alone."""

    whole: float
    places: Sequence[float]
    alone: Mapping[int, float]
    """Of photographs on a page, and of small images, by their number among the places."""


class ExactScorer:
    """Scores candidates for one image, which is in memory, has no alpha and is 8-bit sRGB or grey.

    Places are windows of 128 x 128 pixels that overlap by half.
    """

    def __init__(self, image: pyvips.Image) -> None:
        self._image = on(image, 255)
        self._across, self._down = (-(-max(SIDE, side) // TILE) for side in (image.width, image.height))
        self._chosen = range(self._across * self._down)
        self._apart = _photographs(self._padded(self._image, 0, self._down * TILE))
        if count_scales(image.width, image.height) < SCALES:
            self._apart = [True] * len(self._apart)
        self._kept: dict[int, Prepared] = {}

    def scores(self, candidate: pyvips.Image) -> Exact:
        """Score a candidate of the same size."""
        tiles: dict[TermPlace, list[float]] = {}
        for top, rows in self._strips():
            for place, means in self._tiles(top, rows, candidate).items():
                tiles.setdefault(place, []).extend(means)
        return self._found(tiles)

    def _found(self, tiles: Tiles) -> Exact:
        around = {place: self._windows(means) for place, means in tiles.items()}
        scores, alone = (_scores(count, around) for count in (self._counts[0], self._counts[-1]))
        return Exact(
            _scores(SCALES, {place: [self._mean(means)] for place, means in tiles.items()})[0],
            [scores[number] for number in self._chosen],
            {number: alone[self._chosen[number]] for number, told in enumerate(self._apart) if told},
        )

    def narrowed(self, numbers: Sequence[int]) -> tuple[list[Place], ExactScorer]:
        """Return some places of an image that is not small, and a scorer of them, one below the other."""
        places = [self._corner(number) for number in numbers]
        scorer = ExactScorer(mosaic(self._image, places))
        scorer._chosen = range(0, scorer._across * scorer._down, (SIDE // TILE) ** 2)
        scorer._apart = [self._apart[number] for number in numbers]
        return places, scorer

    @property
    def _counts(self) -> tuple[int, ...]:
        return (SCALES, _ALONE) if any(self._apart) else (SCALES,)

    def _corner(self, number: int) -> Place:
        top, left = divmod(number, self._across)
        right, bottom = ((side - SIDE) // GRID * GRID for side in (self._image.width, self._image.height))
        return min(left * TILE, right), min(top * TILE, bottom)

    def _strips(self) -> Iterator[tuple[int, int]]:
        """Yield the top and the height of the strips, in whole tiles; the last is not low."""
        height, rows = self._down * TILE, max(SIDE, _STRIP_PIXELS // self._image.width // TILE * TILE)
        tops = list(range(0, height - SIDE + 1, rows)) or [0]
        yield from ((top, end - top) for top, end in zip(tops, [*tops[1:], height], strict=True))

    def _tiles(self, top: int, rows: int, candidate: pyvips.Image) -> Tiles:
        """Return what is weighed in each tile of a strip."""
        prepared = self._kept.get(top)
        if prepared is None:
            prepared = Prepared(self._padded(self._image, top, rows), self._counts)
            if self._image.width * self._image.height <= _KEPT_PIXELS:
                self._kept[top] = prepared
        return prepared.tiles(self._padded(on(candidate, 255), top, rows))

    def _padded(self, image: pyvips.Image, top: int, rows: int) -> pyvips.Image:
        height = min(rows, image.height - top)
        strip = image.crop(0, top, image.width, height)
        if (image.width, height) != (self._across * TILE, rows):
            strip = strip.embed(0, 0, self._across * TILE, rows, extend="mirror")
        return strip.copy_memory()

    def _windows(self, tiles: Sequence[float]) -> list[float]:
        """Return for each tile the mean of it and its neighbours right and below."""
        starts = range(0, len(tiles), self._across)
        rows = [tiles[start : start + self._across] for start in starts]
        pairs = [[left + right for left, right in zip(row, [*row[1:], row[-1]], strict=True)] for row in rows]
        below = [*pairs[1:], pairs[-1]]
        return [(one + other) / 4 for each in zip(pairs, below, strict=True) for one, other in zip(*each, strict=True)]

    def _mean(self, tiles: Sequence[float]) -> float:
        """Return the mean of all tiles, each as much as it belongs to the image."""
        sides = zip((self._image.width, self._image.height), (self._across, self._down), strict=True)
        across, down = ([min(1.0, max(0.0, side / TILE - at)) for at in range(count)] for side, count in sides)
        shares = [left * top for top in down for left in across]
        return float(sum(share * mean for share, mean in zip(shares, tiles, strict=True)) / sum(shares))


def _scores(count: int, means: Tiles) -> list[float]:
    """Return SSIMULACRA2 for means of any number of places."""
    distances: list[float] = []
    for term in terms(count):
        if term.place in means:
            weighed = [term.weight * (max(0.0, mean) ** 0.25 if term.norm else mean) for mean in means[term.place]]
            distances = [sum(both) for both in zip(distances, weighed, strict=True)] if distances else weighed
    return [from_distance(distance) for distance in distances]


def _photographs(image: pyvips.Image) -> list[bool]:
    """Tell for each place of an image of whole tiles whether it is part of a photograph on a page."""
    side = TILE // _BLOCK
    blocks = image.colourspace("b-w").sobel().cast("float").shrink(_BLOCK, _BLOCK).copy_memory()
    plain = values(blocks.shrink(side, side) <= _PLAIN)
    if sum(plain) < _PAGE * 255 * len(plain):
        return [False] * len(plain)
    busy = ((blocks > _BUSY).cast("float") / 255).shrink(side, side)
    return [share >= _PHOTOGRAPH for share in values(windows(busy.copy_memory()))]
