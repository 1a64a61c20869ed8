"""Remembers how different pairs of images looked, by their pixels: no pair is compared twice for one image."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256

import pyvips

from .color import as_srgb
from .compare import Limits, measure, rows_of
from .difference import Difference, Place

_STRIP_PIXELS = 1 << 20
_OPAQUE = 255


class Looks:
    """The differences of the pairs compared so far.

    A pair is known by a hash of what both images show, pixel for pixel: bytes that decode to other pixels are another
    pair. What is under full transparency does not count, nor does an alpha channel that is opaque everywhere. A look at
    a pair within some limits tells nothing about others.
    """

    def __init__(self, known: bytes = b"") -> None:
        """Begin with what `dump` returned, if anything; raises `ValueError` for other bytes."""
        self._found = _loaded(json.loads(known)) if known else {}

    def measure(self, reference: pyvips.Image, candidate: pyvips.Image, limits: Limits) -> Difference:
        """Return how different two images in memory are, as `compare.measure` does for 8-bit sRGB; remember it."""
        pair = _name(reference, candidate, limits)
        if pair not in self._found:
            self._found[pair] = measure(as_srgb(reference), as_srgb(candidate), limits)
        return self._found[pair]

    def recall(self, reference: pyvips.Image, candidate: pyvips.Image, limits: Limits) -> Difference | None:
        """Return the difference if this pair was compared before; each image is read once from top to bottom."""
        return self._found.get(_name(reference, candidate, limits)) if self._found else None

    def dump(self) -> bytes:
        """Return all that is known."""
        return json.dumps({pair: asdict(found) for pair, found in self._found.items()}).encode()


def _loaded(known: dict[str, dict[str, object]]) -> dict[str, Difference]:
    return {pair: _difference(**found) for pair, found in known.items()}  # type: ignore[arg-type]  # as dumped


def _difference(worst: float, mean: float, faded: float, places: dict[str, dict[str, float]]) -> Difference:
    found = {name: Place(place["value"], int(place["x"]), int(place["y"])) for name, place in places.items()}
    return Difference(worst, mean, faded, found)


def _name(reference: pyvips.Image, candidate: pyvips.Image, limits: Limits) -> str:
    within = " ".join(f"{name}={limit}" for name, limit in limits.items())
    return f"{_digest(as_srgb(reference))} {_digest(as_srgb(candidate))} {within}"


def _digest(image: pyvips.Image) -> str:
    found, region = sha256(f"{image.width} {image.height}".encode()), pyvips.Region.new(image)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = rows_of(image, region, top, min(rows, image.height - top))
        shown = _shown(strip)
        found.update(bytes([shown.bands]))
        found.update(shown.write_to_memory())
    return found.hexdigest()


def _shown(strip: pyvips.Image) -> pyvips.Image:
    """Return what can be seen of a strip: opaque ones without alpha, black where it is fully transparent."""
    if not strip.hasalpha():
        return strip
    lowest = strip[-1].min()
    if lowest == _OPAQUE:
        return strip.extract_band(0, n=strip.bands - 1)
    return strip if lowest else (strip[-1] == 0).ifthenelse(0, strip)
