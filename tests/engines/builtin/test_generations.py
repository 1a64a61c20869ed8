"""Images that are treated again and again, as without seal and cache, do not get worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus import corpus_images
from imgshrink.core.model import Accept, Format, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.exact import ExactScorer
from imgshrink.engines.builtin.score import on
from imgshrink.image.sniff import sniff
from imgshrink.pixels.decode import still
from imgshrink.pixels.verify import verify
from places import IMAGES

pytestmark = pytest.mark.slow

GENERATIONS = 3
MOST_LOST = 3
MOST_BYTES = 120_000


def real_images() -> list[Path]:
    """Return the small test images, and every ninth image of the corpus that is not large."""
    others = [path for path in corpus_images() if path.stat().st_size < MOST_BYTES]
    return [*sorted(path for path in IMAGES.iterdir() if sniff(path.read_bytes())), *others[::9]]


def next_generation(data: bytes, quality: int) -> bytes:
    """Return what replaces an image: what verify accepts, else the image itself."""
    judged = verify(data, optimize(data, sniff(data), Recipe(quality)), Recipe(quality))
    return judged.data if isinstance(judged, Accept) else data


def lowest_score(before: bytes, after: bytes) -> float:
    """Return SSIMULACRA2 of the worst place."""
    one, other = (on(still(data, sniff(data)), 255).copy_memory() for data in (before, after))
    return min(ExactScorer(one).scores(other).places)


@pytest.mark.parametrize("path", real_images(), ids=lambda path: path.name)
def test_later_generations_lose_nothing(path):
    """PNGs, GIFs and WebPs stay as they are from the second time on; a JPEG's worst place falls by 3 points at most."""
    line = [path.read_bytes()]
    for _ in range(GENERATIONS):
        line.append(next_generation(line[-1], 80))
    info = sniff(line[0])
    assert line[3] == line[2]
    if info.format is not Format.JPEG:
        assert line[2] == line[1]
    elif line[2] != line[1]:
        assert lowest_score(line[0], line[3]) >= lowest_score(line[0], line[1]) - MOST_LOST
