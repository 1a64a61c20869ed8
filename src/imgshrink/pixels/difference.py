"""How far a candidate is from its original, whether that is allowed, and the sentence that says where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..core.model import Format
from .tolerance import FADED, structure_limits, tolerance

_WHAT: Mapping[str, str] = MappingProxyType(
    {
        "lost": "details are lost",
        "fine": "text or lines have changed",
        "faint": "faint text or lines are lost",
        "coarse": "shapes have changed",
        "brightness": "the brightness of an area has changed",
        "colour": "the colour of an area has changed",
    }
)


@dataclass(frozen=True, order=True)
class Place:
    """The value of one test in one window, and the window's centre in pixels from the top left corner."""

    value: float
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class Difference:
    """How far a candidate is from its reference; zero is the same image.

    `worst` is the largest colour difference (CIE76) between blocks of 8 x 8 pixels, `mean` the mean one of samples,
    0..255; both are taken on black and on white, and the larger counts. `faded` is by how much the lowest alpha of a
    strip rose, 0..255. `places` holds for each test of `structure` the place that counts; a test that found no
    difference may be missing.
    """

    worst: float = 0
    mean: float = 0
    faded: float = 0
    places: Mapping[str, Place] = field(default_factory=dict)

    def or_worse(self, other: Difference) -> Difference:
        """Return the larger of each."""
        return Difference(
            max(self.worst, other.worst),
            max(self.mean, other.mean),
            max(self.faded, other.faded),
            worse_places(self.places, other.places),
        )

    def excess(self, quality: int, format: Format) -> float:
        """Return the difference in parts of what is allowed: above 1 the images look different."""
        worst, mean = tolerance(quality)
        whole = max(self.worst / worst, self.mean / mean, self.faded / FADED)
        return max([whole, *(share for share, _ in self._shares(quality, format))])

    def reason(self, quality: int, format: Format) -> str:
        """Say for a person what is different and where; "" if everything is allowed."""
        if self.excess(quality, format) <= 1:
            return ""
        if self.faded > FADED:
            return "transparency is lost"
        share, name = max(self._shares(quality, format), default=(0.0, ""))
        if share > 1:
            place, limit = self.places[name], structure_limits(quality, format)[name]
            return (
                f"it looks different: at {place.x}, {place.y} (x, y) {_WHAT[name]}"
                f" ({place.value:.2g}, quality {quality} allows {limit:.2g})"
            )
        worst, mean = tolerance(quality)
        return (
            f"it looks different: {self.worst:.1f} in the worst place and {self.mean:.1f} on average,"
            f" where quality {quality} allows {worst:.1f} and {mean:.1f}"
        )

    def _shares(self, quality: int, format: Format) -> list[tuple[float, str]]:
        limits = structure_limits(quality, format)
        return [(place.value / limits[name], name) for name, place in self.places.items()]


def worse_places(one: Mapping[str, Place], other: Mapping[str, Place]) -> dict[str, Place]:
    """Return the place with the larger value for each test that either has."""
    return {name: max(found[name] for found in (one, other) if name in found) for name in {**one, **other}}
