"""What the HTML report shows of one image: the names of files beside the page, and the figures that belong to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Look:
    """How a result differs from its original.

    `worst` is the largest colour difference (CIE76), `mean` the mean one of samples, `share` the largest of all
    differences as a part of what `quality` allows.
    """

    worst: float
    mean: float
    share: float
    quality: int


@dataclass(frozen=True)
class Pair:
    """Two files of one size: the original and the result; `x` and `y` are the pixel where they differ most."""

    before: str
    after: str
    width: int
    height: int
    x: int
    y: int


@dataclass(frozen=True)
class Preview:
    """The files of one image: `small` is reduced, with its `width` and `height`; `size` is that of the image itself.

    `crop` is the part around the largest difference, `full` the whole image. An image whose pixels did not change has
    no crop; one that was not rewritten has no `look` either.
    """

    small: str
    width: int = 0
    height: int = 0
    size: tuple[int, int] = (0, 0)
    look: Look | None = None
    crop: Pair | None = None
    full: Pair | None = None

    @property
    def largest(self) -> Pair | None:
        """The pair that shows most of the image."""
        return self.full or self.crop


@dataclass(frozen=True)
class Facts:
    """What a worker says of one image: as `Preview`, with `place` and `crop` (left, top, width, height) in pixels.

    `animated`: there are more images than the first, of which all this is said.
    """

    width: int
    height: int
    size: tuple[int, int]
    look: Look | None
    place: tuple[int, int]
    crop: tuple[int, int, int, int]
    animated: bool

    @property
    def share(self) -> float:
        """The largest difference as a part of what is allowed, 0 where nothing changed."""
        return self.look.share if self.look else 0.0

    @property
    def whole(self) -> bool:
        """Whether the crop shows all there is."""
        return self.crop[2:] == self.size and not self.animated

    def preview(self, small: str) -> Preview:
        """Return the preview with a small image alone."""
        return Preview(small, self.width, self.height, self.size, self.look)

    def crop_pair(self, before: str, after: str) -> Pair:
        """Return the pair of these two files of the crop."""
        left, top, width, height = self.crop
        return Pair(before, after, width, height, self.place[0] - left, self.place[1] - top)

    def full_pair(self, before: str, after: str) -> Pair:
        """Return the pair of these two files of the whole image."""
        return Pair(before, after, *self.size, *self.place)


def read_facts(text: bytes) -> Facts:
    """Return the facts that a worker sent as JSON."""
    read: Mapping[str, Any] = json.loads(text)
    look = read.get("look")
    width, height = read["size"]
    return Facts(
        read["width"],
        read["height"],
        (width, height),
        Look(*look) if look else None,
        tuple(read.get("place", (0, 0))),
        tuple(read.get("crop", (0, 0, 0, 0))),
        bool(read.get("animated")),
    )
