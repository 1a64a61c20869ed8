"""Modern variants of the corpus: their bytes beside those of the published images, their looks, and what they cost.

    VIPS_CONCURRENCY=1 python benchmarks/variants.py [--quality 80] [--formats webp,avif] [--every 1] [FOLDER]

Prints a line for each image, then a Markdown table by format of the published image: how many have which variant, the
bytes of all with a variant where there is one over those of the published images, the median of each one's share, and
seconds of processor time per MB of the published images. Of lossy variants SSIMULACRA2 against the original is given,
of the whole image, of the middle of large ones as the other benchmarks take it: mean and minimum less the target.
Aim: the mean is not below 0, and no JPEG is below -2.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
from inputs import corpus_images, folder_images
from measure import short
from metric import GROUNDS, score, score_arrays
from PIL import Image, ImageOps

from imgshrink.core.model import Format, Variant
from imgshrink.engines.builtin.variants.make import make
from imgshrink.engines.builtin.variants.target import target
from imgshrink.image.seal import seal
from imgshrink.image.sniff import sniff
from imgshrink.worker_tasks import optimize_verified

WHOLE = 1_500_000
"""Pixels: larger images are scored in the middle alone."""

HEAD = ("published", "images", "WebP", "AVIF", "none", "bytes, sum", "median", "score", "s/MB")


@dataclass(frozen=True)
class Row:
    """One image: sizes in bytes, scores less the target, seconds of processor time."""

    format: Format
    published: int
    variant: Variant | None
    score: float | None
    seconds: float

    @property
    def share(self) -> float:
        """Bytes that a reader loads over those of the published image."""
        return len(self.variant.data) / self.published if self.variant else 1.0


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quality", type=int, default=80)
    arguments.add_argument("--formats", default="webp,avif")
    arguments.add_argument("--every", type=int, default=1)
    arguments.add_argument("--only", default="", help="jpeg, png or gif")
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    rows = []
    for path in (folder_images(options.folder) if options.folder else corpus_images())[:: options.every]:
        row = measured(path.read_bytes(), options)
        if row is not None:
            rows.append(row)
            print(line(path, row), flush=True)
    print(f"\n| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    for format in (Format.PNG, Format.JPEG, Format.GIF):
        mine = [row for row in rows if row.format is format]
        if mine:
            print(f"| {' | '.join(summed(format.name, mine))} |")
    if rows:
        print(f"| {' | '.join(summed('all', rows))} |")


def measured(data: bytes, options: argparse.Namespace) -> Row | None:
    """Publish an image as a build does, and make its variant; None for formats that have none."""
    info = sniff(data)
    if info is None or info.format is Format.WEBP or options.only not in ("", info.format.value):
        return None
    shrunk = optimize_verified(data, quality=options.quality)
    published = data if shrunk == data else seal(shrunk, options.quality)
    began = time.process_time()
    variant = make(data, published, options.quality, options.formats.split(","), 10)
    seconds = time.process_time() - began
    if variant is None or variant.score is None:
        return Row(info.format, len(published), variant, None, seconds)
    wanted = target(info.format, options.quality, sealed=False).whole
    upright = turned(data)
    found = (whole_score if info.pixels <= WHOLE else score)(upright, variant.data)
    return Row(info.format, len(published), variant, found - wanted, seconds)


def turned(data: bytes) -> bytes:
    """Return the image as it is displayed, where EXIF turns it."""
    image = Image.open(io.BytesIO(data))
    if image.getexif().get(0x0112, 1) == 1:
        return data
    buffer = io.BytesIO()
    ImageOps.exif_transpose(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def whole_score(before: bytes, after: bytes) -> float:
    """Return SSIMULACRA2 of all of a still, the lower of those on black and on white."""
    return min(score_arrays(on(before, ground), on(after, ground)) for ground in GROUNDS)


def on(data: bytes, ground: int) -> np.ndarray:
    """Return a still on a background, as RGB."""
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    under = Image.new("RGBA", image.size, (ground,) * 3 + (255,))
    return np.asarray(Image.alpha_composite(under, image).convert("RGB"))


def line(path: Path, row: Row) -> str:
    """Return what is to say of one image."""
    kind = row.variant.suffix[1:] if row.variant else "none"
    score = f"{row.score:+.1f}" if row.score is not None else "exact" if row.variant else "-"
    told = f", estimate {row.variant.score}" if row.variant and row.variant.score else ""
    return f"{short(path)}: {row.published} bytes, {kind} {row.share:.2f}, {score}{told}, {row.seconds:.1f} s"


def summed(name: str, rows: list[Row]) -> tuple[str, ...]:
    """Return the cells of a line of the table."""
    total = sum(row.published for row in rows)
    kinds = [row.variant.suffix if row.variant else "" for row in rows]
    scores = [row.score for row in rows if row.score is not None]
    return (
        name,
        *(str(count) for count in (len(rows), kinds.count(".webp"), kinds.count(".avif"), kinds.count(""))),
        f"x{sum(row.share * row.published for row in rows) / total:.3f}",
        f"x{median(row.share for row in rows):.2f}",
        f"{fmean(scores):+.1f} / {min(scores):+.1f}" if scores else "",
        f"{sum(row.seconds for row in rows) / total * 1e6:.1f}",
    )


if __name__ == "__main__":
    main()
