"""Weights of the proxy, written by `benchmarks/fit_proxy.py` on 2026-11-22; do not edit.

lossy: 610 samples of 87 pictures; left out one by one: Spearman 0.932, mean error 1.96, 95 of 100 below 6.1
palette: 535 samples of 62 pictures; left out one by one: Spearman 0.946, mean error 1.40, 95 of 100 below 4.5
"""

LOSSY = (
    0,
    6.318,
    11.83,
    5.776,
    4.652,
    4.254,
    548.3,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    12,
    2.953,
    2.479,
    0,
    0,
    0,
    0,
    8.839,
    2.229,
)

PALETTE = (
    17.66,
    0,
    0,
    2.862,
    3.697,
    0,
    559.9,
    0,
    0,
    0,
    0,
    0,
    0,
    248.2,
    0,
    49.34,
    0,
    2.362,
    0,
    17.85,
    0,
    0.8388,
    8.696,
    0,
)
