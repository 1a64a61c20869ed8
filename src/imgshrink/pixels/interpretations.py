"""The ways to read a candidate whose profile, colour chunks or orientation are not the original's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..image.icc import channels
from ..image.metadata import Metadata, graft, read_metadata


@dataclass(frozen=True)
class Reading:
    """A candidate taken with these in place of its own."""

    icc: bytes
    orientation: int
    colour: Mapping[str, bytes]

    def apply(self, data: bytes) -> bytes:
        """Return the candidate's bytes with what the reading adds or takes away."""
        return graft(data, icc=self.icc, orientation=self.orientation, colour=self.colour)

    def holds(self, data: bytes) -> bool:
        """Tell whether bytes carry exactly what the reading says."""
        found = read_metadata(data)
        return Reading(found.icc, found.orientation, dict(found.colour)) == self


def readings(original: Metadata, candidate: Metadata, *, exact: bool = False) -> tuple[Reading, ...]:
    """Return the readings worth judging: as it came, with the original's colours, with its orientation, with both.

    As it came is none of them where its colours can't be judged by looking. With `exact` the colours are always defined
    as the original's: equal samples look equal under equal definitions only.
    """
    theirs = (original.icc, dict(original.colour))
    own = (candidate.icc, dict(candidate.colour))
    shown = _can_be_shown(original) and _can_be_shown(candidate)
    same = exact or not shown or original.icc == candidate.icc
    found = [
        Reading(icc, orientation, colour)
        for orientation in (candidate.orientation, original.orientation)
        for icc, colour in ([theirs] if same else [own, theirs])
    ]
    return tuple(reading for number, reading in enumerate(found) if reading not in found[:number])


def _can_be_shown(metadata: Metadata) -> bool:
    """Tell whether libvips shows these colours as browsers do: it knows profiles and sRGB, not gAMA, cHRM, cICP."""
    if {"cICP", "mDCV", "cLLI"} & set(metadata.colour):
        return False
    if metadata.icc:
        return channels(metadata.icc) > 0
    return "sRGB" in metadata.colour or not metadata.colour
