"""Counts, sizes, times and shares as text. Sizes are decimal: 1 kB is 1,000 bytes."""

from __future__ import annotations

import math

# The least count of each unit: what would round up to 1,000 of the smaller unit is 1.0 of the larger.
UNITS = ((999_950_000, 10**9, "GB", 1), (999_500, 10**6, "MB", 1), (1000, 10**3, "kB", 0))


def size(count: int) -> str:
    """Return bytes as `17 kB` or `61.4 MB`."""
    number, unit = _scaled(count, count)
    return f"{number} {unit}"


def part(count: int, whole: int) -> str:
    """Return bytes of a whole as `48.0 of 61.4 MB`, both in the unit of the whole."""
    number, unit = _scaled(count, whole)
    return f"{number} of {_scaled(whole, whole)[0]} {unit}"


def _scaled(count: int, measure: int) -> tuple[str, str]:
    for least, scale, unit, digits in UNITS:
        if measure >= least:
            return f"{count / scale:.{digits}f}", unit
    return str(count), "byte" if measure == 1 else "bytes"


def span(seconds: float) -> str:
    """Return a time as `0.3 s`, `42 s`, `2 min 34 s` or `1 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def about(seconds: float) -> str:
    """Return a rough estimate of a time: `about 40 s`, `about 3 min`."""
    if seconds < 55:
        return f"about {max(10, math.ceil(seconds / 10) * 10)} s"
    return f"about {max(1, round(seconds / 60))} min"


def share(before: int, after: int) -> str:
    """Return how much smaller `after` is, such as `55 %`: 0 % if it is not smaller, 99 % at most."""
    return f"{min(99, max(0, round((1 - after / before) * 100))) if before else 0} %"


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 image`, `2 images`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
