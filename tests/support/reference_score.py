"""The score of the package `ssimulacra2`, imported when it is needed: its libraries take time in every process."""

from __future__ import annotations

from pathlib import Path


def reference_score(before: Path | str, after: Path | str) -> float:
    """How alike two image files look, 100 for the same."""
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(str(before), str(after)))
