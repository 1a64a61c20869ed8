"""Fit verify's limits to real pictures, and print what they let through and what they stop.

    python benchmarks/fit_limits.py [--every N...] [--builtin] [FOLDER...]

Pictures are encoded honestly by several encoders at several qualities, and spoilt in the ways that verify must see.
The limit is the largest honest difference with a margin, and never grows with quality. Printed for each sample: the
honest maximum beside the limit, how many wrong pictures each quality refuses and their minimum. Printed last: the table
for `imgshrink.pixels.tolerance`, which joins the samples.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyvips
from inputs import corpus_images, folder_images
from PIL import Image

from imgshrink.core.model import Format, ImageInfo, Recipe
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.color import displayed
from imgshrink.pixels.compare import Difference, measure
from imgshrink.pixels.decode import still
from imgshrink.pixels.tolerance import LIMITS

QUALITIES = (1, 10, 30, 50, 60, 70, 80, 90, 100)
SAMPLES = (2, 3)
FIRM = 50
"""Below it single pictures decide, and the smaller of two samples' limits holds; from here on the larger one."""
MARGIN_OF_WORST, MARGIN_OF_MEAN = 1.2, 1.2
"""For the pictures that nobody has tried."""
LARGEST = 4_000_000
SPOILT_BUT_SEEN_BY_NOBODY = 0.1
DAMAGED = 15.0
"""Palettes that change a block by more than this belong to photographs with too many colours for any palette."""

Encoder = Callable[[pyvips.Image, int], bytes]
Looks = dict[int, dict[str, Difference]]
Table = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class Picture:
    """An image, and the picture that a viewer sees."""

    name: str
    data: bytes
    info: ImageInfo
    image: pyvips.Image


def pictures(paths: list[Path]) -> Iterator[Picture]:
    """Yield the decoded pictures of moderate size."""
    for path in paths:
        data = path.read_bytes()
        info = sniff(data)
        if info is not None and info.complete and info.pixels <= LARGEST:
            yield Picture(path.name, data, info, shown(data, info).copy_memory())


def shown(data: bytes, info: ImageInfo) -> pyvips.Image:
    """Return the picture as a viewer sees it."""
    return displayed(still(data, info), read_metadata(data).icc, info.orientation)


def pillow(format: str) -> Encoder:
    """Return Pillow's encoder for a format, at its defaults but for the quality."""

    def encode(image: pyvips.Image, quality: int) -> bytes:
        mode = "RGBA" if image.hasalpha() else "RGB"
        buffer = io.BytesIO()
        Image.frombytes(mode, (image.width, image.height), image.write_to_memory()).save(
            buffer, format, quality=quality
        )
        return buffer.getvalue()

    return encode


def mozjpeg(image: pyvips.Image, quality: int) -> bytes:
    """Encode with mozjpeg's trellis and its third table."""
    options = {"trellis_quant": True, "overshoot_deringing": True, "quant_table": 3, "optimize_coding": True}
    return image.jpegsave_buffer(Q=quality, **options)


def palette(dither: float) -> Encoder:
    """Return the quantizer to the best 256 colours, which an honest engine leaves where they damage a picture."""

    def encode(image: pyvips.Image, _quality: int) -> bytes:
        data = image.pngsave_buffer(palette=True, Q=100, effort=7, dither=dither, compression=1)
        damage = measure(image, pyvips.Image.pngload_buffer(data).colourspace("srgb")).worst
        return data if damage <= DAMAGED else image.pngsave_buffer(compression=1)

    return encode


HONEST: Mapping[Format, Mapping[str, Encoder]] = {
    Format.JPEG: {
        "Pillow": pillow("JPEG"),
        "libvips": lambda image, quality: image.jpegsave_buffer(Q=quality),
        "mozjpeg": mozjpeg,
    },
    Format.PNG: {"256 colours": palette(0), "dithered": palette(1)},
    Format.GIF: {"libvips": lambda image, _quality: image.gifsave_buffer(dither=0.5, effort=4)},
    Format.WEBP: {
        "Pillow": pillow("WEBP"),
        "libvips": lambda image, quality: image.webpsave_buffer(Q=quality, effort=2, smart_subsample=True),
    },
}


def honest_looks(found: list[Picture], *, builtin: bool) -> Looks:
    """Return the largest differences of honest encoders, by quality and encoder."""
    looks: Looks = defaultdict(dict)
    for picture in found:
        for quality in QUALITIES:
            for name, data in encoded(picture, quality, builtin=builtin):
                info = sniff(data)
                assert info is not None
                look = measure(picture.image, shown(data, info))
                looks[quality][name] = looks[quality].get(name, Difference()).or_worse(look)
    return looks


def encoded(picture: Picture, quality: int, *, builtin: bool) -> Iterator[tuple[str, bytes]]:
    """Yield what each honest encoder makes of a picture."""
    for name, encode in HONEST[picture.info.format].items():
        yield f"{picture.info.format.value} {name}", encode(picture.image, quality)
    if builtin and not picture.info.animated:
        from imgshrink.engines.builtin.codecs import optimize

        yield f"{picture.info.format.value} imgshrink", optimize(picture.data, picture.info, Recipe(quality))


def spoilt(picture: Picture, other: Picture) -> Iterator[tuple[str, pyvips.Image]]:
    """Yield pictures that must not pass for this one."""
    image, width, height = picture.image, picture.image.width, picture.image.height
    blank = (image.crop(0, height // 2, width, height - height // 2) * 0 + 128).cast("uchar")
    left, top = width // 20, height // 20
    inner = image.crop(left, top, width - 2 * left, height - 2 * top)
    bands = image.bandsplit()
    yield "another picture", other.image.thumbnail_image(width, height=height, size="force")
    yield "shifted by 3 pixels", image.embed(3, 0, width, height, extend="copy")
    yield "cropped by 5 %", inner.thumbnail_image(width, height=height, size="force")
    yield "channels swapped", bands[2].bandjoin([bands[1], bands[0], *bands[3:]]).copy(interpretation="srgb")
    yield "lower half grey", image.insert(blank, 0, height // 2)
    if image.hasalpha():
        yield "alpha dropped", image.extract_band(0, n=3)


def wrong_looks(found: list[Picture]) -> dict[str, list[Difference]]:
    """Return the differences of wrong pictures, by what is wrong; what happens to look the same is left out."""
    looks: dict[str, list[Difference]] = defaultdict(list)
    for picture, other in zip(found, found[1:] + found[:1], strict=True):
        for name, image in spoilt(picture, other):
            look = measure(picture.image, image)
            if look.mean > SPOILT_BUT_SEEN_BY_NOBODY:
                looks[name].append(look)
    return looks


def largest(looks: Looks, quality: int) -> Difference:
    """Return the largest honest difference at a quality or above: more quality never allows more."""
    found = Difference()
    for above in QUALITIES:
        for look in looks[above].values() if above >= quality else ():
            found = found.or_worse(look)
    return found


def fitted(looks: Looks) -> Table:
    """Return the table of `imgshrink.pixels.tolerance` as these looks would have it."""
    tops = [(quality, largest(looks, quality)) for quality in QUALITIES]
    return tuple(
        (quality, round(MARGIN_OF_WORST * top.worst, 1), round(MARGIN_OF_MEAN * top.mean, 1)) for quality, top in tops
    )


def joined(tables: Sequence[Table]) -> Table:
    """Return one table for several samples; it never grows with quality either."""
    rows: list[tuple[int, float, float]] = []
    above = (0.0, 0.0)
    for row in reversed(list(zip(*tables, strict=True))):
        quality = row[0][0]
        pick = max if quality >= FIRM else min
        worst, mean = (pick(column) for column in list(zip(*row, strict=True))[1:])
        above = max(worst, above[0]), max(mean, above[1])
        rows.append((quality, *above))
    return tuple(reversed(rows))


def print_report(honest: Looks, wrong: dict[str, list[Difference]]) -> None:
    """Print the limits beside what they let through and what they stop."""
    print("quality   worst: honest, limit    mean: honest, limit    wrong pictures refused")
    for quality, worst, mean in fitted(honest):
        top = largest(honest, quality)
        shares = [
            f"{name} {sum(look.worst > worst or look.mean > mean for look in looks) / len(looks):.0%}"
            for name, looks in wrong.items()
        ]
        print(f"{quality:7} {top.worst:16.1f} {worst:6.1f} {top.mean:17.2f} {mean:6.1f}     {', '.join(shares)}")
    print("\nwrong pictures, smallest difference (median)")
    for name, looks in wrong.items():
        worst, mean = sorted(look.worst for look in looks), sorted(look.mean for look in looks)
        middle = len(looks) // 2
        ends = f"worst {worst[0]:5.1f} ({worst[middle]:.1f}), mean {mean[0]:5.2f} ({mean[middle]:.2f})"
        print(f"  {name:20} {len(looks):3} {ends}")
    print("\nhonest encoders at quality 80, largest worst and mean")
    for name, look in sorted(honest[80].items()):
        print(f"  {name:20} {look.worst:5.1f} {look.mean:5.2f}")


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="more real images than the corpus")
    parser.add_argument("--every", type=int, nargs="+", default=SAMPLES, help="samples: every Nth image (default: 2 3)")
    parser.add_argument("--builtin", action="store_true", help="count imgshrink's own encoders among the honest ones")
    arguments = parser.parse_args()
    paths = corpus_images() + [path for folder in arguments.folders for path in folder_images(folder)]
    tables = [sampled(paths[::every], every, builtin=arguments.builtin) for every in arguments.every]
    print("\nLIMITS =", joined(tables))
    print("imgshrink.pixels.tolerance has", "this table" if joined(tables) == LIMITS else f"another: {LIMITS}")


def sampled(paths: list[Path], every: int, *, builtin: bool) -> Table:
    """Print what one sample says, and return its table."""
    found = list(pictures(paths))
    if len(found) < 2:
        sys.exit("needs at least two images")
    print(f"\nevery {every}: {len(found)} pictures\n")
    honest = honest_looks(found, builtin=builtin)
    print_report(honest, wrong_looks(found))
    return fitted(honest)


if __name__ == "__main__":
    main()
