"""A fast estimate of SSIMULACRA2, in libvips operations alone: about a twentieth of a second a megapixel.

Luma at full size, luma and chroma at a quarter, each cut into blocks of 4 x 4: per block and band how much structure is
lost (as in SSIM), how much contrast was added (ringing, dithering), how much is gone (blur). The mean and the 4-norm of
each over all blocks, weighted, are the distance; `benchmarks/fit_proxy.py` fits the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyvips

SAMPLED = 600_000
"""Pixels: of larger pictures so many are compared, in strips spread over the height."""

POWER = 0.6276
"""The exponent of SSIMULACRA2's last step (https://github.com/cloudinary/ssimulacra2)."""

_BLOCK = 4
_STRIP = 64
_LUMA = pyvips.Image.new_from_array([[0.299, 0.587, 0.114]])
_COLOUR = pyvips.Image.new_from_array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
_SCALES = ((1, _LUMA), (4, _COLOUR))
_STABLE = (60.0, 15.0, 15.0)
_CONTRAST = 16.0


@dataclass(frozen=True)
class _Scale:
    """One scale of the reference: its planes and the mean and variance of each block."""

    shrink: int
    matrix: pyvips.Image
    planes: pyvips.Image
    mean: pyvips.Image
    variance: pyvips.Image


class Reference:
    """A picture prepared once, for candidates to be compared with. Both are sRGB or grey, 8 bits, without alpha."""

    def __init__(self, image: pyvips.Image) -> None:
        image = _sample(image)
        self._scales = [_prepare(image, shrink, matrix) for shrink, matrix in _SCALES if _fits(image, shrink)]
        self.chroma_detail = _chroma_detail(image)

    def score(self, candidate: pyvips.Image, weights: Sequence[float]) -> float:
        """Return the estimate of SSIMULACRA2 for `candidate`, 100 at most."""
        numbers = self.numbers(candidate)
        distance = sum(weight * number for weight, number in zip(weights, numbers, strict=False))
        return 100 - 10 * float(distance**POWER)

    def numbers(self, candidate: pyvips.Image) -> list[float]:
        """Return what the weights weigh: for each scale the means, then the 4-norms, of loss, gain and blur by band."""
        candidate = _sample(candidate)
        return [number for scale in self._scales for number in _compare(scale, candidate)]


def _sample(image: pyvips.Image) -> pyvips.Image:
    """Return the picture as three bands in memory, cut down to strips where it is large."""
    if image.bands < 3:
        image = image.colourspace("srgb")
    wanted = SAMPLED // (image.width * _STRIP) or 1
    if image.width * image.height <= SAMPLED or wanted * _STRIP >= image.height:
        return image.copy_memory()
    image = image.copy_memory()
    gap = (image.height - _STRIP) / max(1, wanted - 1)
    strips = [image.crop(0, int(gap * index), image.width, _STRIP) for index in range(wanted)]
    return pyvips.Image.arrayjoin(strips, across=1).copy_memory()


def _fits(image: pyvips.Image, shrink: int) -> bool:
    return bool(min(image.width, image.height) >= shrink * _BLOCK)


def _prepare(image: pyvips.Image, shrink: int, matrix: pyvips.Image) -> _Scale:
    planes = _planes(image, shrink, matrix)
    mean = planes.shrink(_BLOCK, _BLOCK).copy_memory()
    variance = _positive((planes * planes).shrink(_BLOCK, _BLOCK) - mean * mean).copy_memory()
    return _Scale(shrink, matrix, planes, mean, variance)


def _planes(image: pyvips.Image, shrink: int, matrix: pyvips.Image) -> pyvips.Image:
    return (image.shrink(shrink, shrink) if shrink > 1 else image).recomb(matrix).copy_memory()


def _compare(scale: _Scale, candidate: pyvips.Image) -> list[float]:
    planes = _planes(candidate, scale.shrink, scale.matrix)
    mean = planes.shrink(_BLOCK, _BLOCK).copy_memory()
    variance = _positive((planes * planes).shrink(_BLOCK, _BLOCK) - mean * mean).copy_memory()
    covariance = (scale.planes * planes).shrink(_BLOCK, _BLOCK) - scale.mean * mean
    stable = list(_STABLE[: planes.bands])
    shift = (scale.mean - mean) / 255
    likeness = (1 - shift * shift) * ((covariance * 2 + stable) / (scale.variance + variance + stable))
    contrast = ((variance + 1) ** 0.5 - (scale.variance + 1) ** 0.5) / _CONTRAST
    maps = _positive(1 - likeness).bandjoin([_positive(contrast), _positive(contrast * -1)])
    return _norms(maps)


def _positive(image: pyvips.Image) -> pyvips.Image:
    return (image > 0).ifthenelse(image, 0)


def _norms(maps: pyvips.Image) -> list[float]:
    """Return the mean of each band, then the 4-norm of each band."""
    squares = maps * maps
    table = maps.bandjoin(squares * squares).stats()
    means = [float(table(4, 1 + band)[0]) for band in range(2 * maps.bands)]
    return means[: maps.bands] + [mean**0.25 for mean in means[maps.bands :]]


def _chroma_detail(image: pyvips.Image) -> float:
    """Return the root mean square of what Cb and Cr lose when each 2 x 2 becomes one: what 4:2:0 does to colours."""
    width, height = image.width // 2 * 2, image.height // 2 * 2
    if not width or not height:
        return 0.0
    chroma = image.crop(0, 0, width, height).recomb(_COLOUR)[1:3]
    mean = chroma.shrink(2, 2)
    lost = (chroma * chroma).shrink(2, 2) - mean * mean
    return float(max(0.0, 2 * lost.avg()) ** 0.5)
