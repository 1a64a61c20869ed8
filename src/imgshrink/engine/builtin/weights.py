"""Weights of the proxy, written by `benchmarks/fit_proxy.py` on 2026-11-24; do not edit.

lossy: 842 samples; pictures left out one by one, errors of the 328 usual samples:
Spearman 0.974, mean 1.28, 95 of 100 below 3.1
palette: 449 samples; pictures left out one by one, errors of the 449 usual samples:
Spearman 0.953, mean 1.23, 95 of 100 below 4.1
"""

LOSSY = (
    2.315,
    0,
    8.078,
    6.111,
    3.941,
    5.109,
    520.1,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    27.88,
    8.53,
    0.9435,
    0,
    0,
    1.564,
    0,
    0.2762,
    0,
)

PALETTE = (
    23.89,
    0,
    0,
    4.708,
    4.144,
    0,
    589.1,
    0,
    0,
    0,
    0,
    0,
    0,
    136.1,
    0,
    26.63,
    0,
    8.628,
    0,
    16.51,
    1.94,
    0,
    1.598,
    0.9501,
)
