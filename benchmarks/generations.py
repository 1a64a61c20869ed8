"""What a third generation loses: images treated three times over, as without seal and cache.

    python benchmarks/generations.py [--quality 80] [FOLDER]

Prints, a line a format, how many images the second and the third time still change, and SSIMULACRA2 against the first
original after one generation and after three: the mean, and the minimum. Aims: only JPEGs change after the first time,
and their minimum falls by at most 3 points.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from inputs import corpus_images, folder_images
from measure import short
from metric import score

from imgshrink.core.model import Accept, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import verify

GENERATIONS = 3


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quality", type=int, default=80)
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    found: defaultdict[str, list[list[bytes]]] = defaultdict(list)
    for path in folder_images(options.folder) if options.folder else corpus_images():
        line = generations(path.read_bytes(), Recipe(options.quality))
        info = sniff(line[0])
        assert info is not None
        found[info.format.name].append(line)
        if line[1] != line[2] or line[2] != line[3]:
            print(f"changed again: {short(path)}: {[len(data) for data in line]} bytes")
    for name, lines in found.items():
        changed = [sum(line[time] != line[time + 1] for line in lines) for time in range(1, GENERATIONS)]
        once = [score(line[0], line[1]) for line in lines]
        thrice = [score(line[0], line[GENERATIONS]) for line in lines]
        print(
            f"{name}: {len(lines)} images, changed the second time {changed[0]}, the third time {changed[1]}; "
            f"mean {fmean(once):.1f} to {fmean(thrice):.1f}, minimum {min(once):.1f} to {min(thrice):.1f}"
        )


def generations(data: bytes, recipe: Recipe) -> list[bytes]:
    """Return the image and its generations: each is what would replace the one before, or is the one before."""
    line = [data]
    for _ in range(GENERATIONS):
        line.append(next_generation(line[-1], recipe))
    return line


def next_generation(data: bytes, recipe: Recipe) -> bytes:
    """Return what replaces the image: what verify accepts, else the image itself."""
    info = sniff(data)
    assert info is not None
    result = optimize(data, info, recipe)
    judged = verify(data, result, recipe)
    return judged.data if isinstance(judged, Accept) else data


if __name__ == "__main__":
    main()
