"""ICC profiles, by their header alone (ICC.1:2022, 7.2)."""

from __future__ import annotations

_HEADER_AND_TAG_COUNT = 132
_CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}


def channels(profile: bytes) -> int:
    """Return for how many colour channels a profile is made, 0 if it is damaged or for colours of another kind."""
    whole = len(profile) >= _HEADER_AND_TAG_COUNT and int.from_bytes(profile[:4], "big") == len(profile)
    return _CHANNELS.get(profile[16:20], 0) if whole and profile[36:40] == b"acsp" else 0
