"""GIF."""

from __future__ import annotations

from ...model import ImageInfo, Recipe


def optimize(data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:  # noqa: ARG001 - the encoders' common signature
    """Return the GIF as it is."""
    return data
