"""Metadata that must survive encoding."""

from __future__ import annotations

from ...image.metadata import dress, graft, read_metadata


def carry(original: bytes, encoded: bytes) -> bytes:
    """Return `encoded` with the ICC profile, orientation, colour chunks, notices and density of `original`."""
    kept = read_metadata(original)
    alike = graft(encoded, icc=kept.icc, orientation=kept.orientation, colour=kept.colour)
    return dress(alike, original, keep=False)
