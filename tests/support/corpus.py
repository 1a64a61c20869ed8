"""Real images: those of ../shared/corpus where it is present, else those that are part of this repository."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from places import IMAGES, PICTURES, SHARED

CORPUS = SHARED / "corpus"
WHY_SKIPPED = "needs the image corpus in ../shared/corpus, which is not part of this repository"


def corpus_images() -> list[Path]:
    """The real images of the corpus in the four formats, without the hostile ones.

    Without the corpus they are the images of the example site, most of which are of the corpus, and the small
    test images.
    """
    if not CORPUS.is_dir():
        return sorted(path for folder in (IMAGES, PICTURES) for path in folder.rglob("*.*") if is_image(path))
    with (CORPUS / "MANIFEST.csv").open(newline="", encoding="utf-8") as rows:
        names = [row["path"] for row in csv.DictReader(rows) if row["format"] in ("JPEG", "PNG", "GIF", "WEBP", "MPO")]
    return sorted(CORPUS / name for name in names if not name.startswith("hostile/"))


def is_image(path: Path) -> bool:
    """Whether a file of this repository is one of the real images: those in `before` are copies of others."""
    return path.suffix.lower() in (".jpg", ".png", ".gif", ".webp") and path.parent.name != "before"


def named(images: list[Path], name: str) -> Path:
    """The real image of this name; the test is skipped where only the corpus has it."""
    found = [path for path in images if path.name == name]
    if not found:
        pytest.skip(f"{name}: {WHY_SKIPPED}")
    return found[0]
