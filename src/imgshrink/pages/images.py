"""The images of a site that pages show, and what of them a page must know."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..core.errors import Unreadable
from ..files.reader import read
from ..image.containers import parts
from ..image.sniff import read_exif, sniff


@dataclass(frozen=True)
class Image:
    """A file of the site: its path there, its bytes, and the size at which browsers show it, in CSS pixels.

    `replaceable`: another file with the same pixels is shown at the same size.
    """

    file: PurePosixPath
    bytes: int
    size: tuple[int, int] | None
    replaceable: bool = True


class Images(Protocol):
    """The images of the site."""

    def __call__(self, file: PurePosixPath) -> Image | None:
        """Return the image that may be worked on, None where there is none."""


class SiteImages:
    """The images in the folder `site` but those that `excluded` names; each is read once."""

    def __init__(self, site: Path, excluded: Callable[[PurePosixPath], bool]) -> None:
        self._site, self._excluded = site, excluded
        self._real = site.resolve()
        self._known: dict[PurePosixPath, Image | None] = {}

    def __call__(self, file: PurePosixPath) -> Image | None:
        """Return the image at a path of the site; None for what is none of ours, broken, outside of it or excluded."""
        if file not in self._known:
            self._known[file] = self._read(file)
        return self._known[file]

    def _read(self, file: PurePosixPath) -> Image | None:
        path = self._site / file
        if not os.path.isfile(path) or not path.resolve().is_relative_to(self._real) or self._excluded(file):
            return None
        try:
            data = read(path, follow=False)
        except Unreadable:
            return None
        info = sniff(data)
        if info is None or not info.complete:
            return None
        density = read_exif(data, tuple(parts(data, info.format))).density
        corrected = density is not None and density.corrects(info.width, info.height)
        return Image(file, len(data), None if corrected else info.displayed, replaceable=not corrected)
