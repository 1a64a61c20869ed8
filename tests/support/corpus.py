"""The images of ../shared/corpus, which is not part of this repository."""

from __future__ import annotations

import csv
from pathlib import Path

from places import SHARED

CORPUS = SHARED / "corpus"
WHY_SKIPPED = "needs the image corpus in ../shared/corpus, which is not part of this repository"


def corpus_images() -> list[Path]:
    """The real images of the corpus in the four formats, without the hostile ones; empty where there is none."""
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "MANIFEST.csv").open(newline="", encoding="utf-8") as rows:
        names = [row["path"] for row in csv.DictReader(rows) if row["format"] in ("JPEG", "PNG", "GIF", "WEBP", "MPO")]
    return sorted(CORPUS / name for name in names if not name.startswith("hostile/"))
