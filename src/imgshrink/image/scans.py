"""Whether the scans of a JPEG carry all that its frame promises: a progressive one that is cut shows a coarse image."""

from __future__ import annotations

from collections.abc import Sequence
from struct import unpack_from

from .containers import Part

MOST_SCANS = 200
"""Decoding takes a pass over the whole image for each scan; encoders write at most 64 or so."""

_PROGRESSIVE = {"SOF2", "SOF6", "SOF10", "SOF14"}
_COEFFICIENTS = 64


def count_scans(walked: Sequence[Part]) -> int:
    """Count the scans of a JPEG."""
    return sum(part.kind == "SOS" for part in walked)


def all_coefficients(data: bytes, walked: Sequence[Part]) -> bool:
    """Tell whether every component of the frame has all 64 coefficients down to the last bit (ITU T.81, G.1.1).

    In a sequential JPEG one scan carries all of a component.
    """
    frame = next((part for part in walked if part.kind.startswith("SOF")), None)
    if frame is None or frame.body_end - frame.body < 6:
        return False
    components = data[frame.body + 6 : frame.body_end : 3][: data[frame.body + 5]]
    missing = {component: [True] * _COEFFICIENTS for component in components}
    for part in walked:
        if part.kind == "SOS":
            _read(data[part.body : part.body_end], missing, progressive=frame.kind in _PROGRESSIVE)
    return not any(any(bits) for bits in missing.values())


def _read(header: bytes, missing: dict[int, list[bool]], *, progressive: bool) -> None:
    """Note which coefficients are whole after a scan: those whose lowest bit it carries."""
    count = header[0] if header else 0
    if len(header) < 4 + 2 * count:
        return
    first, last, bits = unpack_from(">BBB", header, 1 + 2 * count)
    if not progressive:
        first, last, bits = 0, _COEFFICIENTS - 1, 0
    for component in header[1 : 1 + 2 * count : 2]:
        if component in missing and not bits & 0x0F:
            missing[component][first : last + 1] = [False] * (min(last, _COEFFICIENTS - 1) + 1 - first)
