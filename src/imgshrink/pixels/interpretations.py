"""The ways to read a candidate whose profile, colour chunks or orientation are not the original's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..image.metadata import Metadata, graft, read_metadata
from .color import channels


@dataclass(frozen=True)
class Interpretation:
    """A candidate taken with these in place of its own."""

    icc: bytes
    orientation: int
    colour: Mapping[str, bytes]

    def apply(self, data: bytes) -> bytes:
        """Return the candidate's bytes with what the interpretation adds or takes away."""
        return graft(data, icc=self.icc, orientation=self.orientation, colour=self.colour)

    def shows_as(self, original: Metadata) -> bool:
        """Tell whether equal samples look like the original's."""
        return (self.icc, self.orientation) == (original.icc, original.orientation)

    def holds(self, data: bytes) -> bool:
        """Tell whether bytes carry exactly what the interpretation says."""
        found = read_metadata(data)
        return Interpretation(found.icc, found.orientation, dict(found.colour)) == self


def interpretations(original: Metadata, candidate: Metadata, *, exact: bool = False) -> tuple[Interpretation, ...]:
    """Return the interpretations to judge: as it came, with the original's colours, its orientation, or both.

    As it came is none of them where its colours can't be judged by looking. With `exact` the colours are always defined
    as the original's: equal samples look equal under equal definitions only.
    """
    theirs = (original.icc, dict(original.colour))
    own = (candidate.icc, dict(candidate.colour))
    shown = _can_be_shown(original) and _can_be_shown(candidate)
    same = exact or not shown or original.icc == candidate.icc
    found = [
        Interpretation(icc, orientation, colour)
        for orientation in (candidate.orientation, original.orientation)
        for icc, colour in ([theirs] if same else [own, theirs])
    ]
    return tuple(interpretation for number, interpretation in enumerate(found) if interpretation not in found[:number])


def _can_be_shown(metadata: Metadata) -> bool:
    """Tell whether libvips shows these colours as browsers do: it knows profiles and sRGB, not gAMA, cHRM, cICP."""
    if {"cICP", "mDCV", "cLLI"} & set(metadata.colour):
        return False
    if metadata.icc:
        return channels(metadata.icc) > 0
    return "sRGB" in metadata.colour or not metadata.colour
