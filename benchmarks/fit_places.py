"""By how much the estimate is too kind to places of JPEGs, by the detail of their colours.

    python benchmarks/fit_places.py [--samples 400] [--seed 5] [FOLDER]

Places of 128 x 128 pixels of images at full size and shrunk, as a thumbnail on a page is, are encoded with half and
with full chroma at several settings. Printed for each class of detail: samples, mean error of the estimate against
SSIMULACRA2, and its 10th and 90th percentiles. `_HALF_CHROMA` and `_FULL_CHROMA` in `engines/builtin/places.py` are the
means, and up to 2.5 points more.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean, quantiles

import pyvips
from inputs import corpus_images, folder_images
from metric import score
from PIL import Image

from imgshrink.core.model import Format
from imgshrink.engines.builtin.jpeg import encoded
from imgshrink.engines.builtin.places import SIDE
from imgshrink.engines.builtin.score import Reference
from imgshrink.engines.builtin.weights import LOSSY
from imgshrink.image.sniff import sniff

CLASSES = (0, 0.3, 0.6, 1, 1.5, 2, 3, 4, 5, 7, 10, 256)
SHARES = (1, 1, 1, 0.5, 0.25, 0.15, 0.1)
SETTINGS = (60, 66, 72, 78, 84, 90)
LEAST, MOST = 62, 85
"""Estimates between which a result may be taken."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    arguments.add_argument("--samples", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=5)
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    chance, errors = random.Random(options.seed), defaultdict[tuple[bool, int], list[float]](list)
    for place in islice(places(paths, chance), options.samples):
        for half_chroma in (True, False):
            detail, estimate, true = measured(place, chance.choice(SETTINGS), half_chroma=half_chroma)
            if LEAST < estimate < MOST:
                number = next(number for number, (_, end) in enumerate(pairwise(CLASSES)) if detail < end)
                errors[half_chroma, number].append(estimate - true)
    for (half_chroma, number), found in sorted(errors.items()):
        low, *_, high = quantiles(found, n=10) if len(found) > 1 else found * 2
        name = f"{'half' if half_chroma else 'full'} chroma, detail {CLASSES[number]} to {CLASSES[number + 1]}"
        print(f"{name:34} {len(found):4} samples, error {fmean(found):6.1f} ({low:.1f} to {high:.1f})")


def places(paths: Sequence[Path], chance: random.Random) -> Iterator[pyvips.Image]:
    """Yield parts of images, at full size and shrunk."""
    known = [path for path in paths if (info := sniff(path.read_bytes())) and info.format in (Format.JPEG, Format.PNG)]
    while known:
        share, image = chance.choice(SHARES), Image.open(chance.choice(known)).convert("RGB")
        sides = [max(SIDE, round(side * share)) for side in image.size]
        if min(image.size) < SIDE:
            continue
        image = image.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
        left, top = (chance.randrange(side - SIDE + 1) for side in sides)
        part = image.crop((left, top, left + SIDE, top + SIDE))
        yield pyvips.Image.new_from_memory(part.tobytes(), SIDE, SIDE, 3, "uchar").copy(interpretation="srgb")


def measured(place: pyvips.Image, setting: int, *, half_chroma: bool) -> tuple[float, float, float]:
    """Return the detail of a place's colours, the estimate, and SSIMULACRA2 of its JPEG."""
    data = encoded(place, setting, full_chroma=not half_chroma)
    reference, candidate = Reference(place, whole=True), pyvips.Image.jpegload_buffer(data)
    detail = max(0.0, reference.part_chroma(SIDE, SIDE).avg()) ** 0.5
    return detail, reference.score(candidate, LOSSY), score(place.pngsave_buffer(compression=1), data)


if __name__ == "__main__":
    main()
