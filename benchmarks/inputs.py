"""The images that the benchmarks measure."""

from __future__ import annotations

import csv
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def corpus_images() -> list[Path]:
    """Return the corpus's real images in the four formats, hostile inputs left out, sorted."""
    with (CORPUS / "MANIFEST.csv").open(newline="", encoding="utf-8") as rows:
        names = [row["path"] for row in csv.DictReader(rows) if row["format"] in ("JPEG", "PNG", "GIF", "WEBP", "MPO")]
    return sorted(CORPUS / name for name in names if not name.startswith("hostile/"))


def folder_images(folder: Path) -> list[Path]:
    """Return all files below a folder with an image's name, sorted."""
    names = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in names and path.is_file())
