"""Images that are much wider than the pages show them, by the widths that the HTML itself gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ..core.errors import Unreadable
from ..core.model import Outcome, Source
from ..files.reader import read
from .css import declarations
from .escapes import unescape
from .images import SiteImages
from .site import pages_of
from .tokens import attributes, tags
from .urls import file_of

MUCH = 2.0
"""Screens have up to two pixels where a page counts one: an image that is twice as wide is no waste."""

_PIXELS = re.compile(r"\s*([1-9][0-9]*)(?:\.[0-9]+)?\s*(?:px)?\s*")
_IN_STYLE = re.compile(r"\s*([1-9][0-9]*)(?:\.[0-9]+)?px\s*(?:!important\s*)?", re.IGNORECASE)


def with_widths(outcomes: Sequence[Outcome], sources: Iterable[Source], site: Path, site_url: str) -> list[Outcome]:
    """Return the outcomes; those of images that are much wider than pages show them say how many times.

    The site is published at `site_url`, "" where that is not known.
    """
    root = f"{urlsplit(site_url).path.rstrip('/')}/"
    files = {source.name: source.path for source in sources}
    shown = shown_widths(site, root)
    images = SiteImages(site, lambda _: False)
    return [replace(row, wider=_times(files.get(row.path), site, shown, images)) for row in outcomes]


def _times(path: Path | None, site: Path, shown: Mapping[PurePosixPath, int], images: SiteImages) -> float:
    if path is None or not path.is_relative_to(site):
        return 0.0
    file = PurePosixPath(path.relative_to(site).as_posix())
    image = images(file) if file in shown else None
    if image is None or image.size is None:
        return 0.0
    times = image.size[0] / shown[file]
    return times if times > MUCH else 0.0


def shown_widths(site: Path, root: str = "/") -> dict[PurePosixPath, int]:
    """Return the largest width in CSS pixels at which pages show each image, where each of them gives one.

    An image that a page shows without a width, offers in several sizes, or links to, is not among them.
    """
    widths: dict[PurePosixPath, int] = {}
    unknown: set[PurePosixPath] = set()
    for page in pages_of(site):
        try:
            data = read(site / page)
        except Unreadable:
            return {}
        for file, width in _references(data, page.parent, root):
            if width is None:
                unknown.add(file)
            else:
                widths[file] = max(width, widths.get(file, 0))
    return {file: width for file, width in widths.items() if file not in unknown}


def _references(data: bytes, folder: PurePosixPath, root: str) -> Iterable[tuple[PurePosixPath, int | None]]:
    """Yield each file that a page names, with the width at which it shows it, None where that is not known."""
    for tag in tags(data):
        if tag.closing:
            continue
        values = {row.name.decode(errors="replace"): unescape(row.value) or "" for row in attributes(data, tag)}
        image = tag.name == b"img" and "srcset" not in values
        for name, value in values.items():
            for address in value.split(",") if name.endswith("srcset") else [value]:
                address = address.strip().partition(" ")[0] if name.endswith("srcset") else address
                file = file_of(address, folder, root=root) if address else None
                if file is not None:
                    yield file, _width(values) if image and name == "src" else None


def _width(values: Mapping[str, str]) -> int | None:
    """Return the width that a tag gives in pixels, None where it gives none."""
    given = dict(declarations(values.get("style", "")))
    for name in ("width", "max-width"):
        if name in given:
            found = _IN_STYLE.fullmatch(given[name])
            return int(found[1]) if found else None
    found = _PIXELS.fullmatch(values.get("width", ""))
    return int(found[1]) if found else None
