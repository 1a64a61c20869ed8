"""How a candidate looks beside its original, on every ground that can show."""

from __future__ import annotations

from collections.abc import Sequence

import pyvips

from ...pixels.display import as_srgb
from .proxy import Reference, sample


class Judge:
    """Scores candidates for one picture; with alpha, as the worse of how they look on black and on white."""

    def __init__(self, image: pyvips.Image) -> None:
        grounds = (0, 255) if image.hasalpha() else (255,)
        strips = sample(image)
        self._references = [(ground, Reference(on(strips, ground))) for ground in grounds]

    def score(self, candidate: pyvips.Image, weights: Sequence[float]) -> float:
        """Return the estimate of SSIMULACRA2, by the weights for the kind of damage."""
        strips = sample(candidate)
        return min(reference.score(on(strips, ground), weights) for ground, reference in self._references)

    @property
    def chroma_detail(self) -> float:
        """What 4:2:0 takes from the picture's colours, see `Reference`."""
        return max(reference.chroma_detail for _, reference in self._references)


def on(image: pyvips.Image, ground: int) -> pyvips.Image:
    """Return the picture on a ground, without alpha, as sRGB of 8 bits."""
    if image.hasalpha():
        image = image.flatten(background=ground)
    return as_srgb(image)
