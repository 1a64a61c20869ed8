"""SSIMULACRA2 in libvips operations: how different two images look to a person, over all and place by place.

100 is the same image, 90 can't be told apart in a flicker test, 70 is high quality. The constants are those of
https://github.com/cloudinary/ssimulacra2; terms whose weight is nearly zero are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from struct import iter_unpack

import pyvips

SCALES = 6
_SMALLEST_SIDE = 8
"""Pixels: scales with a shorter side do not count, and the weights then belong to other scales."""

_DEEP = 65535
_BIAS = 0.0037930732552754493
MIXED = [[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821, 0.5518098665095536]]
_OPSIN = pyvips.Image.new_from_array([[share * _DEEP for share in row] for row in MIXED])
X, Y, B = range(3)
PLANES = {X: ([7.0, -7.0, 0.0], 0.42), Y: ([0.5, 0.5, 0.0], 0.01), B: ([-0.5, -0.5, 1.0], 0.55)}
"""From cube roots to X, fourteen times as large, Y, and B without Y; and what keeps each positive."""

STABLE = 0.0009
_RADIUS = 5
_GAUSS = [2.718281828459045 ** (-(x * x) / 4.5) for x in range(-_RADIUS, _RADIUS + 1)]
BLUR = pyvips.Image.new_from_array([_GAUSS], scale=sum(_GAUSS))

LOSS, RINGING, BLURRING = range(3)
_MEAN, _FOURTH = range(2)
_MEAN_COLUMN = 4
"""Of the table that libvips' stats returns: a row for each band, after one for all."""

_WEIGHTS = {
    9: 1.1041726426657346,
    15: 1.8422455520539298,
    16: 11.441172603757666,
    21: 1.8787594979546387,
    22: 10.94906990605142,
    25: 0.9677937080626833,
    28: 0.9981766977854967,
    39: 7.466890328078848,
    41: 17.445833984131262,
    45: 6.683678146179332,
    47: 1.027889937768264,
    48: 225.20515300849274,
    51: 19.213238186143016,
    54: 176.39317598450694,
    57: 24.43300999870476,
    58: 0.28520802612117757,
    63: 34.77906344483772,
    64: 44.835625328877896,
    93: 8.826982764996862,
    94: 23.19243343998926,
    96: 95.1080498811086,
    97: 0.9863978034400682,
    98: 0.9834382792465353,
    100: 171.2667255897307,
    101: 0.9807858872435379,
}
"""By their number in the original table, which counts planes, scales, norms, and kinds of fault."""

_OF_DOUBLED = 0.5
"""What is weighed is twice the fault: a number and its absolute value together."""


TermPlace = tuple[int, int, int, int]
"""Plane, scale, norm and kind of fault."""


@dataclass(frozen=True)
class Term:
    """One number that counts."""

    plane: int
    scale: int
    norm: int
    kind: int
    weight: float

    @property
    def place(self) -> TermPlace:
        """Where the number is found."""
        return self.plane, self.scale, self.norm, self.kind


@cache
def terms(scales: int) -> tuple[Term, ...]:
    """Return what counts in an image of so many scales: the table is read on, whatever their number."""
    places = [(p, s, n, k) for p in range(3) for s in range(scales) for n in range(2) for k in range(3)]
    return tuple(Term(*place, _OF_DOUBLED * _WEIGHTS[at]) for at, place in enumerate(places) if at in _WEIGHTS)


def count_scales(width: int, height: int) -> int:
    """Return how many scales an image of this size has."""
    count = 0
    while count < SCALES and min(width, height) >= _SMALLEST_SIDE:
        width, height, count = (width + 1) // 2, (height + 1) // 2, count + 1
    return count


def _table(values: Sequence[float]) -> pyvips.Image:
    return pyvips.Image.new_from_array([list(values)]).cast("float").copy_memory()


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


@cache
def tables() -> tuple[pyvips.Image, pyvips.Image]:
    """Return how much light each byte is, and the cube root of each amount of light in 16 bits."""
    roots = [((value + 0.5) / _DEEP + _BIAS) ** (1 / 3) - _BIAS ** (1 / 3) for value in range(_DEEP + 1)]
    return _table([_linear(value / 255) for value in range(256)]), _table(roots)


@dataclass(frozen=True)
class _Scale:
    """One scale of the original, a band for each plane that counts; `edges` are one more than they are strong."""

    planes: Sequence[int]
    pixels: pyvips.Image
    mean: pyvips.Image
    variance: pyvips.Image
    edges: pyvips.Image


class Original:
    """An image, 8-bit sRGB or grey without alpha, prepared for candidates of its size to be compared with.

    It counts as one of so many scales as it has, or as the caller says, also of several numbers at a time: of small
    images, which have fewer than six, the metric is more severe, above all in blue.
    """

    def __init__(self, image: pyvips.Image, scales: Sequence[int] = ()) -> None:
        there = range(count_scales(image.width, image.height))
        self.counts = tuple(scales or (there.stop,))
        wanted = {(term.scale, term.plane) for count in self.counts for term in terms(count) if term.scale in there}
        planes = {scale: [plane for plane in PLANES if (scale, plane) in wanted] for scale in there}
        self._planes = {scale: names for scale, names in planes.items() if names}
        self._scales = {scale: _prepared(self._planes[scale], pixels) for scale, pixels in self._split(image)}

    def scores(self, candidate: pyvips.Image) -> list[float]:
        """Return SSIMULACRA2 of a candidate by each number of scales."""
        found: dict[Term, float] = {}
        for scale, planes, powers in self._faults(candidate):
            means = {place: _means(image) for place, image in powers.items()}
            for term in self._terms(scale):
                mean = means[term.kind, term.norm][planes.index(term.plane)]
                found[term] = mean if term.norm == _MEAN else mean**0.25
        return [
            from_distance(sum(term.weight * found[term] for term in terms(count) if term in found))
            for count in self.counts
        ]

    def _faults(
        self, candidate: pyvips.Image
    ) -> Iterator[tuple[int, Sequence[int], Mapping[tuple[int, int], pyvips.Image]]]:
        """Yield for each scale its planes and, by kind and norm, the maps of which the means count."""
        for number, pixels in self._split(candidate):
            scale = self._scales[number]
            needed = {(term.kind, term.norm) for term in self._terms(number)}
            yield number, scale.planes, _powers(_compared(scale, pixels), needed)

    def _terms(self, scale: int) -> set[Term]:
        return {term for count in self.counts for term in terms(count) if term.scale == scale}

    def _split(self, image: pyvips.Image) -> Iterator[tuple[int, pyvips.Image]]:
        """Yield the scales of which planes count, with a band for each of those."""
        light, roots = tables()
        linear = (image.colourspace("srgb") if image.bands < 3 else image).maplut(light).copy_memory()
        for scale in range(max(self._planes, default=-1) + 1):
            linear = _halved(linear) if scale else linear
            if planes := self._planes.get(scale):
                shares, offsets = zip(*(PLANES[plane] for plane in planes), strict=True)
                mixed = linear.recomb(_OPSIN).cast("ushort").maplut(roots)
                yield scale, (mixed.recomb(pyvips.Image.new_from_array(list(shares))) + list(offsets)).copy_memory()


def cube_roots(image: pyvips.Image) -> pyvips.Image:
    """Return the roots of light that X, Y and B are made of, for each pixel of an image of three bytes, not in memory.

    X is half of the first without the second, Y half of both, B the third.
    """
    light, roots = tables()
    return image.maplut(light).recomb(_OPSIN).cast("ushort").maplut(roots)


def score(original: pyvips.Image, candidate: pyvips.Image) -> float:
    """Return SSIMULACRA2 of two images of one size."""
    return Original(original).scores(candidate)[0]


def from_distance(distance: float) -> float:
    """Return the score for the weighted sum of all terms."""
    distance *= 0.9562382616834844
    distance = 2.326765642916932 * distance - 0.020884521182843837 * distance**2 + 6.248496625763138e-05 * distance**3
    return 100 - 10 * distance**0.6276336467831387 if distance > 0 else 100.0


def _halved(linear: pyvips.Image) -> pyvips.Image:
    width, height = (side + side % 2 for side in (linear.width, linear.height))
    if (width, height) != (linear.width, linear.height):
        linear = linear.embed(0, 0, width, height, extend="copy")
    return linear.shrink(2, 2).copy_memory()


def _prepared(planes: Sequence[int], pixels: pyvips.Image) -> _Scale:
    mean, square = _blurred([pixels, pixels * pixels])
    variance = (square - mean * mean + STABLE).copy_memory()
    return _Scale(planes, pixels, mean.copy_memory(), variance, ((pixels - mean).abs() + 1).copy_memory())


def _blurred(images: Sequence[pyvips.Image]) -> list[pyvips.Image]:
    """Return images of one size blurred with a deviation of 1.5; left and right of them is nothing."""
    joined = images[0].bandjoin(list(images[1:]))
    around = joined.embed(_RADIUS, 0, joined.width + 2 * _RADIUS, joined.height)
    blurred = around.convsep(BLUR, precision="float").crop(_RADIUS, 0, joined.width, joined.height).copy_memory()
    bands = images[0].bands
    return [blurred.extract_band(number * bands, n=bands) for number in range(len(images))]


def _compared(scale: _Scale, pixels: pyvips.Image) -> dict[int, pyvips.Image]:
    """Return twice how much structure is lost, and by how much edges are too strong and too weak."""
    mean, square, product = _blurred([pixels, pixels * pixels, pixels * scale.pixels])
    shift = mean - scale.mean
    structure = (product - mean * scale.mean).linear(2, STABLE) / (square - mean * mean + scale.variance)
    loss = ((shift * shift - 1) * structure + 1).copy_memory()
    edges = (((pixels - mean).abs() + 1) / scale.edges - 1).copy_memory()
    sizes = edges.abs()
    return {LOSS: loss + loss.abs(), RINGING: sizes + edges, BLURRING: sizes - edges}


def _powers(maps: Mapping[int, pyvips.Image], needed: set[tuple[int, int]]) -> dict[tuple[int, int], pyvips.Image]:
    """Return the maps as they are, and to the fourth power."""
    squares = {kind: maps[kind] * maps[kind] for kind, norm in needed if norm == _FOURTH}
    return {(kind, norm): maps[kind] if norm == _MEAN else squares[kind] * squares[kind] for kind, norm in needed}


def _means(image: pyvips.Image) -> list[float]:
    """Return the mean of each band."""
    table = image.stats()
    rows = list(iter_unpack(f"{table.width}d", table.write_to_memory()))
    return [row[_MEAN_COLUMN] for row in rows[1:] or rows]
