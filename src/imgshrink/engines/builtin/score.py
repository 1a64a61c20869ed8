"""A fast estimate of SSIMULACRA2, in libvips operations alone: about a twentieth of a second a megapixel.

Luma at full size, luma and chroma at a quarter, each cut into blocks of 4 x 4: per block and band how much structure is
lost (as in SSIM), how much contrast was added (ringing, dithering), how much is gone (blur). The mean and the 4-norm of
each over all blocks, weighted, are the distance; `benchmarks/fit_score.py` fits the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from struct import iter_unpack

import pyvips

from ...pixels.color import as_srgb

SAMPLED = 600_000
"""Pixels: of larger images so many are compared, in strips spread over the height."""

POWER = 0.6276
"""The exponent of SSIMULACRA2's last step (https://github.com/cloudinary/ssimulacra2)."""

_BLOCK = 4
_STRIP = 64
_GRID = 16
"""Of a JPEG with half chroma: strips that lie on it are encoded as they would be within the whole image."""

_LUMA = pyvips.Image.new_from_array([[0.299, 0.587, 0.114]])
_COLOUR = pyvips.Image.new_from_array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
_SCALES = ((1, _LUMA), (4, _COLOUR))
_STABLE = (60.0, 15.0, 15.0)
_CONTRAST = 16.0
_MEAN_COLUMN = 4
"""Of the table that libvips' stats returns: a row for each band, after one for all."""


@dataclass(frozen=True)
class _Scale:
    """One scale of the reference: its planes, and for each block the mean and what depends on its variance alone."""

    shrink: int
    matrix: pyvips.Image
    planes: pyvips.Image
    mean: pyvips.Image
    stable_variance: pyvips.Image
    deviation: pyvips.Image


class Reference:
    """An image prepared once, for candidates to be compared with. Both are sRGB or grey, 8 bits, without alpha.

    Of large images a sample is compared, unless `whole`.
    """

    def __init__(self, image: pyvips.Image, *, whole: bool = False) -> None:
        image = _three_bands(image) if whole else sample(_three_bands(image))
        self._scales = [_prepare(image, shrink, matrix) for shrink, matrix in _SCALES if _fits(image, shrink)]
        self._image = image

    @cached_property
    def chroma_detail(self) -> float:
        """What 4:2:0 takes from the image's colours: root mean square, in steps of 1/255."""
        return _chroma_detail(self._image)

    def score(self, candidate: pyvips.Image, weights: Sequence[float]) -> float:
        """Return the estimate of SSIMULACRA2 for `candidate`, 100 at most."""
        numbers = self.numbers(candidate)
        distance = sum(weight * number for weight, number in zip(weights, numbers, strict=False))
        return 100 - 10 * float(distance**POWER)

    def numbers(self, candidate: pyvips.Image) -> list[float]:
        """Return what the weights weigh: for each scale the means, then the 4-norms, of loss, gain and blur by band."""
        candidate = sample(_three_bands(candidate))
        return [number for scale in self._scales for number in _norms(_compare(scale, candidate))]

    def part_moments(self, candidate: pyvips.Image, width: int, rows: int) -> list[pyvips.Image]:
        """Return what `part_scores` scores, a pixel for each part: `width` and `rows` are multiples of 16."""
        candidate = _three_bands(candidate)
        return [
            moment
            for scale in self._scales
            for moment in _moments(_compare(scale, candidate), width // scale.shrink, rows // scale.shrink)
        ]


def part_scores(moments: Sequence[pyvips.Image], weights: Sequence[float]) -> list[float]:
    """Return the estimate for each part, row by row."""
    norms = [moment if number % 2 == 0 else moment**0.25 for number, moment in enumerate(moments)]
    joined = norms[0].bandjoin(norms[1:])
    distances = joined.recomb(pyvips.Image.new_from_array([list(weights[: joined.bands])]))
    return [100 - 10 * max(0.0, distance) ** POWER for distance in values(distances)]


def values(image: pyvips.Image) -> list[float]:
    """Return the pixels of an image of one band, row by row."""
    return [value for (value,) in iter_unpack("d", image.cast("double").write_to_memory())]


def sample(image: pyvips.Image) -> pyvips.Image:
    """Return the image in memory, cut down to strips where it is large; a sample is its own."""
    wanted = SAMPLED // (image.width * _STRIP) or 1
    if image.width * image.height <= SAMPLED or wanted * _STRIP >= image.height:
        return image.copy_memory()
    image = image.copy_memory()
    gap = (image.height - _STRIP) / max(1, wanted - 1)
    tops = [int(gap * index) // _GRID * _GRID for index in range(wanted)]
    strips = [image.crop(0, top, image.width, _STRIP) for top in tops]
    return pyvips.Image.arrayjoin(strips, across=1).copy_memory()


def _three_bands(image: pyvips.Image) -> pyvips.Image:
    return image.colourspace("srgb") if image.bands < 3 else image


def _fits(image: pyvips.Image, shrink: int) -> bool:
    return bool(min(image.width, image.height) >= shrink * _BLOCK)


def _prepare(image: pyvips.Image, shrink: int, matrix: pyvips.Image) -> _Scale:
    planes = _planes(image, shrink, matrix)
    mean, square = _blocks(planes), _blocks(planes * planes)
    variance = square - mean * mean
    stable = list(_STABLE[: planes.bands])
    return _Scale(
        shrink, matrix, planes, mean, (variance + stable).copy_memory(), ((variance + 1) ** 0.5).copy_memory()
    )


def _planes(image: pyvips.Image, shrink: int, matrix: pyvips.Image) -> pyvips.Image:
    return (image.shrink(shrink, shrink) if shrink > 1 else image).recomb(matrix).copy_memory()


def _blocks(image: pyvips.Image) -> pyvips.Image:
    """Return the mean of each block; one image at a time, because joined ones take thrice as long."""
    return image.shrink(_BLOCK, _BLOCK).copy_memory()


def _compare(scale: _Scale, candidate: pyvips.Image) -> pyvips.Image:
    """Return the maps of loss, gain and blur by band, a pixel for each block."""
    planes = _planes(candidate, scale.shrink, scale.matrix)
    mean, square, product = _blocks(planes), _blocks(planes * planes), _blocks(planes * scale.planes)
    variance = square - mean * mean
    covariance = product - mean * scale.mean
    shift = scale.mean - mean
    structure = (covariance * 2 + list(_STABLE[: planes.bands])) / (variance + scale.stable_variance)
    loss = (shift * shift).linear(1 / 255**2, -1) * structure + 1
    contrast = (variance + 1) ** 0.5 - scale.deviation
    signed = loss.bandjoin([contrast / _CONTRAST, contrast / -_CONTRAST]).copy_memory()
    return ((signed + signed.abs()) / 2).copy_memory()


def _norms(maps: pyvips.Image) -> list[float]:
    """Return the mean of each band, then the 4-norm of each band."""
    squares = maps * maps
    table = maps.bandjoin(squares * squares).stats()
    rows = list(iter_unpack(f"{table.width}d", table.write_to_memory()))
    means = [row[_MEAN_COLUMN] for row in rows[1:]]
    return means[: maps.bands] + [mean**0.25 for mean in means[maps.bands :]]


def _moments(maps: pyvips.Image, width: int, rows: int) -> list[pyvips.Image]:
    """Return the mean of each band and of its fourth power, a pixel for each part."""
    squares = maps * maps
    return [power.shrink(width // _BLOCK, rows // _BLOCK).copy_memory() for power in (maps, squares * squares)]


def chroma_detail(image: pyvips.Image) -> float:
    """Return what 4:2:0 takes from an image's colours: root mean square, in steps of 1/255, of a sample if it is large.

    The image has three bands, sRGB of 8 bits.
    """
    return _chroma_detail(sample(image))


def _chroma_detail(image: pyvips.Image) -> float:
    """Return the root mean square of what Cb and Cr lose when each 2 x 2 becomes one: what 4:2:0 does to colours."""
    if min(image.width, image.height) < 2:
        return 0.0
    return float(max(0.0, 2 * _chroma_loss(image).avg()) ** 0.5)


def _chroma_loss(image: pyvips.Image) -> pyvips.Image:
    """Return the variance of Cb and of Cr in each 2 x 2."""
    chroma = image.crop(0, 0, image.width // 2 * 2, image.height // 2 * 2).recomb(_COLOUR)[1:3]
    mean = chroma.shrink(2, 2)
    return (chroma * chroma).shrink(2, 2) - mean * mean


class Scorer:
    """Scores candidates for one image; with alpha, as the worse of how they look on black and on white."""

    def __init__(self, image: pyvips.Image) -> None:
        backgrounds = (0, 255) if image.hasalpha() else (255,)
        strips = sample(image)
        self._references = [(background, Reference(on(strips, background))) for background in backgrounds]

    def score(self, candidate: pyvips.Image, weights: Sequence[float]) -> float:
        """Return the estimate of SSIMULACRA2, by the weights for the kind of damage."""
        strips = sample(candidate)
        return min(reference.score(on(strips, background), weights) for background, reference in self._references)

    @property
    def chroma_detail(self) -> float:
        """What 4:2:0 takes from the image's colours, see `Reference`."""
        return max(reference.chroma_detail for _, reference in self._references)


def on(image: pyvips.Image, background: int) -> pyvips.Image:
    """Return the image on a background, without alpha, as sRGB of 8 bits."""
    if image.hasalpha():
        image = image.flatten(background=background)
    return as_srgb(image)
