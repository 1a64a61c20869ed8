"""Where the parts of a checkout are."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
IMAGES = TESTS / "images"
GOLDEN = TESTS / "golden"
PICTURES = ROOT / "example_site" / "docs" / "images"
BENCHMARKS = ROOT / "benchmarks"
SRC = ROOT / "src" / "imgshrink"
SHARED = ROOT.parent / "shared"
