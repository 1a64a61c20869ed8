"""Where the size of a picture decides how much effort it gets."""

from __future__ import annotations

HUGE = 30_000_000
"""Pixels of all frames: what takes longer than about half of a worker's time at full effort gets the least there is."""
