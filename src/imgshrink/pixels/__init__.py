"""libvips: decoding what strangers made, and comparing it as a viewer sees it. Importing this package loads libvips."""

from __future__ import annotations

from .decode import Undecodable, still
from .difference import Difference, identical, measure
from .display import displayed, stored
from .frames import delays, frames
from .pairs import pairs

__all__ = [
    "Difference",
    "Undecodable",
    "delays",
    "displayed",
    "frames",
    "identical",
    "measure",
    "pairs",
    "still",
    "stored",
]
