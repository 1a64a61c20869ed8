"""Weights of the estimate, written by `benchmarks/fit_score.py` on 2026-11-26; do not edit.

lossy: 845 samples; images left out one by one, errors of the 328 usual samples:
Spearman 0.981, mean 1.19, 95 of 100 below 3.0
palette: 451 samples; images left out one by one, errors of the 451 usual samples:
Spearman 0.968, mean 0.94, 95 of 100 below 3.2
"""

LOSSY = (
    0,
    0,
    10.83,
    6.824,
    3.606,
    4.645,
    468.9,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    29.52,
    7.419,
    0,
    1.542,
    0,
    4.426,
    0,
    1.615,
    0,
)

PALETTE = (
    19.29,
    0,
    0,
    4.401,
    4.595,
    0,
    628.8,
    0,
    13.48,
    0,
    0,
    0,
    0,
    0,
    0,
    28.96,
    0,
    11.97,
    0,
    14.55,
    2.939,
    0,
    5.079,
    1.016,
)
