"""What is not pixels and must survive encoding."""

from __future__ import annotations

from ...image.metadata import graft, read_metadata


def carry(original: bytes, encoded: bytes) -> bytes:
    """Return `encoded` with the ICC profile, orientation, copyright, colour chunks and density of `original`."""
    kept = read_metadata(original)
    return graft(
        encoded,
        icc=kept.icc,
        orientation=kept.orientation,
        copyright=kept.copyright,
        colour=kept.colour,
        density=kept.density,
    )
