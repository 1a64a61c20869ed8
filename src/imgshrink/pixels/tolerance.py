"""How different a candidate may look, by quality. The table comes from what `benchmarks/fit_limits.py` prints."""

from __future__ import annotations

from itertools import pairwise

# quality: worst difference of blocks, mean difference of samples
LIMITS = (
    (1, 82.3, 38.7),
    (10, 53.9, 27.0),
    (30, 44.5, 16.1),
    (50, 28.5, 15.5),
    (60, 24.5, 14.1),
    (70, 24.5, 12.3),
    (80, 24.5, 9.2),
    (90, 22.9, 6.5),
    (100, 22.9, 5.9),
)
"""Fitted on 2026-11-26 to two samples of 337 pictures (`--builtin`, `--every 2 3`). From 50 on the larger
of the two, so that no honest result is refused: at 80 those reach 20.4 and 7.6, and the nearest other picture differs
by 25.3. Below 50, where a single spoilt picture decides, the smaller."""

FADED = 200.0
"""How much the lowest alpha of a strip may rise: all but opaque where it was all but invisible is transparency lost."""


def tolerance(quality: int) -> tuple[float, float]:
    """Return the worst and the mean difference allowed at a quality, on straight lines between the table's rows."""
    low, high = next(pair for pair in pairwise(LIMITS) if quality <= pair[1][0])
    share = (quality - low[0]) / (high[0] - low[0])
    return low[1] + share * (high[1] - low[1]), low[2] + share * (high[2] - low[2])
