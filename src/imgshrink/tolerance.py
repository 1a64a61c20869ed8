"""How different a candidate may look, by quality. The table is what `benchmarks/fit_limits.py` prints."""

from __future__ import annotations

from itertools import pairwise

# quality: worst difference of blocks, mean difference of samples
LIMITS = ((1, 60.0, 30.0), (50, 30.0, 12.0), (80, 16.0, 8.0), (100, 10.0, 6.0))
FADED = 200.0
"""How much the lowest alpha of a strip may rise: all but opaque where it was all but invisible is transparency lost."""


def tolerance(quality: int) -> tuple[float, float]:
    """Return the worst and the mean difference allowed at a quality, on straight lines between the table's rows."""
    low, high = next(pair for pair in pairwise(LIMITS) if quality <= pair[1][0])
    share = (quality - low[0]) / (high[0] - low[0])
    return low[1] + share * (high[1] - low[1]), low[2] + share * (high[2] - low[2])
