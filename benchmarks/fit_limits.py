"""Fit verify's limits of structure between honest encoders and altered images, and print what they let through.

    python benchmarks/fit_limits.py [--every N] [--altered N] [--qualities 60 80 90] [--builtin] [FOLDER...]

Images are encoded honestly by several encoders at several qualities, and altered in the ways of `alterations`, each in
several strengths, plain and encoded again. The limits are fitted on every second image and counted on the others: 1.1
times the worst of imgshrink's own codecs, or the 98th percentile of the other encoders, whichever is larger, and never
growing with quality. Printed for each quality and class (P: PNG and GIF, D: JPEG and WebP) are, of each test, the
honest maximum beside the limits; of each alteration the smallest excess, in parts of today's limits (above 1 it is
refused); and every honest result that today's limits lose. Printed last: the table for `imgshrink.pixels.tolerance`.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyvips
from alterations import ALTERATIONS, line_erased, pages
from honest import OURS, encoded, ours
from inputs import corpus_images, folder_images
from PIL import Image

from imgshrink.core.model import Format, ImageInfo
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.color import displayed
from imgshrink.pixels.compare import Difference, measure
from imgshrink.pixels.decode import stack, still
from imgshrink.pixels.tolerance import TESTS, structure_limits

QUALITIES = (40, 60, 70, 80, 90, 95)
CLASSES = {Format.PNG: "P", Format.GIF: "P", Format.JPEG: "D", Format.WEBP: "D"}
SIDES = (1000, 800)
"""Pixels: larger images are cut for other encoders, and the builtin codecs get those of at most `WHOLE` pixels."""
WHOLE = 2_000_000
ALTERED = (560, 420)
"""Pixels: what is altered of an image."""
MARGIN, PERCENTILE = 1.1, 0.98


@dataclass(frozen=True)
class Picture:
    """An image, and the part of it that is looked at, as a viewer sees it."""

    name: str
    data: bytes
    info: ImageInfo
    image: pyvips.Image

    @property
    def drawn(self) -> Image.Image:
        """The same for Pillow."""
        mode = "RGBA" if self.image.hasalpha() else "RGB"
        return Image.frombytes(mode, (self.image.width, self.image.height), self.image.write_to_memory())


@dataclass(frozen=True)
class Look:
    """How different one result is; `fitting` results decide on the limits, the others count."""

    name: str
    maker: str
    format: Format
    quality: int
    difference: Difference
    fitting: bool

    def excess(self, quality: int = 0) -> float:
        """Return the difference in parts of what is allowed."""
        return self.difference.excess(quality or self.quality, self.format)

    def value(self, test: str) -> float:
        """Return what a test found, 0 where nothing differs."""
        place = self.difference.places.get(test)
        return place.value if place else 0


def pictures(paths: Sequence[Path]) -> Iterator[Picture]:
    """Yield the decoded images."""
    for path in paths:
        data = path.read_bytes()
        info = sniff(data)
        if info is not None and info.complete and info.colour != "cmyk":
            image = shown(data, info)
            part = image.crop(0, 0, min(SIDES[0], image.width), min(SIDES[1], image.height)).copy_memory()
            yield Picture(path.name, data, info, part)


def shown(data: bytes, info: ImageInfo) -> pyvips.Image:
    """Return the image as a viewer sees it, of an animation the first frame."""
    return displayed(still(data, info), read_metadata(data).icc, info.orientation)


def vips(image: Image.Image) -> pyvips.Image:
    """Return Pillow's image for libvips."""
    raw = pyvips.Image.new_from_memory(image.tobytes(), *image.size, len(image.getbands()), "uchar")
    return raw.copy(interpretation="srgb")


def honest_looks(picture: Picture, qualities: Sequence[int], *, builtin: bool, fitting: bool) -> Iterator[Look]:
    """Measure what honest encoders make of an image."""
    for quality in qualities:
        made = [(name, data, picture.image) for name, data in encoded(picture.image, picture.info.format, quality)]
        if builtin and picture.info.pixels <= WHOLE and not picture.info.animated:
            made.append((OURS, ours(picture.data, quality), shown(picture.data, picture.info).copy_memory()))
        for maker, data, original in made:
            info = sniff(data)
            if info is not None:
                difference = measure(original, shown(data, info))
                yield Look(picture.name, maker, picture.info.format, quality, difference, fitting)


def altered_looks(picture: Picture, seed: int) -> Iterator[Look]:
    """Measure every alteration of an image, and the noticed ones encoded again."""
    chance, drawn = random.Random(seed), picture.drawn
    drawn = drawn.crop((0, 0, min(ALTERED[0], drawn.width), min(ALTERED[1], drawn.height)))
    for alteration in ALTERATIONS:
        for strength in alteration.strengths:
            other = alteration.change(drawn, strength, chance)
            name = f"{alteration.name} {strength:g}{'' if alteration.seen(strength) else ' (hardly noticed)'}"
            if other is not None and other.tobytes() != drawn.tobytes():
                yield from both_ways(picture, name, drawn, other)
    for contrast in (20, 40, 120):
        with_line, without = line_erased(drawn, contrast, chance)
        yield from both_ways(picture, f"line of 1 pixel erased, contrast {contrast}", with_line, without)


def both_ways(picture: Picture, name: str, before: Image.Image, after: Image.Image) -> Iterator[Look]:
    """Measure an alteration as it is, and encoded by the first honest encoder of the format at quality 80."""
    made = vips(after)
    again = next(iter(encoded(made, picture.info.format, 80)), None)
    for suffix, data in (("", b""), (", encoded", again[1] if again else b"")):
        info = sniff(data)
        if info or not suffix:
            image = shown(data, info) if info else made
            yield Look(picture.name, name + suffix, picture.info.format, 0, measure(vips(before), image), fitting=False)


def page_looks() -> Iterator[Look]:
    """Measure drawn pages on which a word, a digit or a sign is another."""
    for page in pages():
        before, after = page.both()
        kind = f"text {page.kind}{' (small or faint)' if page.hard else ''}"
        for format in (Format.PNG, Format.JPEG):
            picture = Picture(
                f"{page.size} px, contrast {page.contrast}", b"", ImageInfo(format, *before.size), vips(before)
            )
            yield from both_ways(picture, kind, before, after)


def other_looks(found: Sequence[Picture]) -> Iterator[Look]:
    """Measure another image of the same size, and of animations another frame."""
    sizes: dict[tuple[Format, int, int, int], Picture] = {}
    for picture in found:
        key = (picture.info.format, picture.image.width, picture.image.height, picture.image.bands)
        if (other := sizes.get(key)) is not None and other.data != picture.data:
            yield Look(picture.name, "another image", key[0], 0, measure(other.image, picture.image), fitting=False)
        sizes[key] = picture
        if picture.info.animated and picture.info.format is not Format.PNG:
            yield from _frame_looks(picture)


def _frame_looks(picture: Picture) -> Iterator[Look]:
    film = stack(picture.data, picture.info)
    height = film.get_page_height()
    middle = picture.info.frames // 2
    taken = [film.crop(0, number * height, film.width, height).copy_memory() for number in (0, middle)]
    one, other = (displayed(frame, b"", 1) for frame in taken)
    difference = measure(one, other)
    if difference != Difference():
        yield Look(picture.name, "another frame", picture.info.format, 0, difference, fitting=False)


def fitted(looks: Sequence[Look], test: str) -> float:
    """Return the limit of a test that these honest looks ask for."""
    own = [look.value(test) for look in looks if look.maker == OURS]
    others = sorted(look.value(test) for look in looks if look.maker != OURS)
    return max(MARGIN * max(own, default=0), others[int(PERCENTILE * (len(others) - 1))] if others else 0)


def print_class(kind: str, honest: Sequence[Look], altered: Sequence[Look], qualities: Sequence[int]) -> None:
    """Print limits and losses of one class."""
    rows, format = [], Format.PNG if kind == "P" else Format.JPEG
    above = dict.fromkeys(TESTS, 0.0)
    for quality in reversed(qualities):
        now = [look for look in honest if look.quality == quality]
        fitting = [look for look in now if look.fitting]
        above = {test: max(above[test], fitted(fitting, test)) for test in TESTS}
        rows.append((quality, *(float(f"{above[test]:.2g}") for test in TESTS)))
        print(f"\n== {kind} {quality}: test, honest maximum (ours, others), fitted, today's limit")
        for test in TESTS:
            mine, theirs = ([look.value(test) for look in now if (look.maker == OURS) is own] for own in (True, False))
            limits = f"{above[test]:7.3f} {structure_limits(quality, format)[test]:7.3f}"
            print(f"  {test:10} {max(mine, default=0):7.3f} {max(theirs, default=0):7.3f} {limits}")
        print_losses(now)
        print_altered(altered, quality)
    print(f"\n{kind} =", tuple(reversed(rows)))


def print_losses(looks: Sequence[Look]) -> None:
    """Print the honest results that today's limits refuse, those apart on which no limit was fitted."""
    for fitting in (True, False):
        makers: dict[str, list[Look]] = defaultdict(list)
        for look in looks:
            if look.fitting is fitting:
                makers[f"{look.format.value} {look.maker}"].append(look)
        for maker, mine in sorted(makers.items()):
            lost = [look for look in mine if look.excess() > 1]
            print(f"  honest, {'fitted on' if fitting else 'counted'}: {maker:22} {len(lost)} of {len(mine)} refused")
            for look in lost:
                print(f"      {look.name}: {look.difference.reason(look.quality, look.format)}")


def print_altered(looks: Sequence[Look], quality: int) -> None:
    """Print how near each alteration comes to the limits."""
    kinds: dict[str, list[float]] = defaultdict(list)
    for look in looks:
        kinds[look.maker].append(look.excess(quality))
    print("  altered: accepted of all, smallest excess, median")
    for name, excesses in kinds.items():
        excesses.sort()
        accepted = sum(excess <= 1 for excess in excesses)
        print(
            f"    {name:60} {accepted:3} of {len(excesses):3}  {excesses[0]:7.2f} {excesses[len(excesses) // 2]:7.2f}"
        )


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="more real images than the corpus")
    parser.add_argument("--every", type=int, default=1, help="take every Nth image only")
    parser.add_argument("--altered", type=int, default=3, help="alter every Nth of them only")
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    parser.add_argument("--builtin", action="store_true", help="count imgshrink's own codecs among the honest ones")
    options = parser.parse_args()
    paths = corpus_images() + [path for folder in options.folders for path in folder_images(folder)]
    found = list(pictures(paths[:: options.every]))
    print(f"{len(found)} images")
    honest, altered = list[Look](), [*page_looks(), *other_looks(found)]
    for number, picture in enumerate(found):
        print(picture.name, flush=True)
        honest += honest_looks(picture, options.qualities, builtin=options.builtin, fitting=number % 2 == 0)
        if number % options.altered == 0:
            altered += altered_looks(picture, number)
    for kind in ("P", "D"):
        print_class(
            kind,
            [look for look in honest if CLASSES[look.format] == kind],
            [look for look in altered if CLASSES[look.format] == kind],
            options.qualities,
        )


if __name__ == "__main__":
    main()
