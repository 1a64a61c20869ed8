"""Whether one image can be a result for another, told from what their bytes say: verify and the cache ask here."""

from __future__ import annotations

from ..core.model import ImageInfo
from .sniff import sniff
from .timing import total_duration


def changed_structure(before: ImageInfo, after: ImageInfo) -> str:
    """Return what makes `after` no result for `before`, whatever both look like; "" if nothing does.

    Durations count as browsers show them, and frames by their total duration: encoders merge equal frames.
    """
    if after.format is not before.format:
        return f"{before.format.value} became {after.format.value}"
    if before.durations and not after.durations:
        return "the animation is gone"
    if (lasted := total_duration(before.durations)) != (lasts := total_duration(after.durations)):
        return f"the animation's {lasted} ms became {lasts} ms"
    if before.loop != after.loop:
        return f"the number of plays changed from {before.loop} to {after.loop} (0 is for ever)"
    if "cmyk" in (before.colour, after.colour) and before.colour != after.colour:
        return f"{before.colour} became {after.colour}"
    return ""


def can_replace(before: ImageInfo, payload: bytes) -> bool:
    """Whether `payload` is a complete image of the size at which `before` is displayed, and of its structure."""
    after = sniff(payload)
    if after is None or not after.complete or after.displayed != before.displayed:
        return False
    return not changed_structure(before, after)
