"""How different a candidate may look, by quality. The table is what `benchmarks/fit_limits.py` prints."""

from __future__ import annotations

from itertools import pairwise

# quality: worst difference of blocks, mean difference of samples
LIMITS = (
    (1, 83.9, 38.8),
    (10, 42.8, 29.8),
    (30, 21.9, 13.9),
    (50, 21.8, 11.4),
    (60, 21.8, 9.4),
    (70, 17.8, 8.2),
    (80, 17.6, 6.0),
    (90, 16.4, 5.1),
    (100, 15.3, 5.1),
)
FADED = 200.0
"""How much the lowest alpha of a strip may rise: all but opaque where it was all but invisible is transparency lost."""


def tolerance(quality: int) -> tuple[float, float]:
    """Return the worst and the mean difference allowed at a quality, on straight lines between the table's rows."""
    low, high = next(pair for pair in pairwise(LIMITS) if quality <= pair[1][0])
    share = (quality - low[0]) / (high[0] - low[0])
    return low[1] + share * (high[1] - low[1]), low[2] + share * (high[2] - low[2])
