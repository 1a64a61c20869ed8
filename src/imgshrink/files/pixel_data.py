"""Images whose pixels are data for a program: known by the names that their tools give them."""

from __future__ import annotations

import re
from pathlib import Path

# PICO-8 carts hold a program in the lowest bits of each pixel: https://www.lexaloffle.com/dl/docs/pico-8_manual.html
# Baselines of visual tests are compared pixel by pixel: vitest and wdio, jest-image-snapshot, playwright.
_FILE = re.compile(r".*\.p8\.png", re.IGNORECASE)
_FOLDER = re.compile(r"__screenshots__|__image_snapshots__|.*\.(?:spec|test)\.[cm]?[jt]sx?-snapshots")


def holds_data(path: Path) -> bool:
    """Whether the pixels of an image are data by its name, so that a lossy result would destroy it."""
    return _FILE.fullmatch(path.name) is not None or any(map(_FOLDER.fullmatch, path.parent.parts))
