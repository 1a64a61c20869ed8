"""The encoders that verify must let through, at their own settings: what `fit_limits` calls honest."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping

import pyvips
from PIL import Image

from imgshrink.core.model import Format, Recipe
from imgshrink.image.sniff import sniff
from imgshrink.pixels.compare import measure

DAMAGED = 15.0
"""Palettes that change a block by more than this belong to photographs with too many colours for any palette."""

Encoder = Callable[[pyvips.Image, int], bytes]


def pillow(format: str, **options: object) -> Encoder:
    """Return Pillow's encoder for a format, at its defaults but for the quality."""

    def encode(image: pyvips.Image, quality: int) -> bytes:
        mode = "RGBA" if image.hasalpha() else "RGB"
        buffer = io.BytesIO()
        drawn = Image.frombytes(mode, (image.width, image.height), image.write_to_memory())
        drawn.save(buffer, format, quality=quality, **options)
        return buffer.getvalue()

    return encode


def mozjpeg(subsampling: str) -> Encoder:
    """Return mozjpeg with its trellis and its third table."""

    def encode(image: pyvips.Image, quality: int) -> bytes:
        options = {"trellis_quant": True, "quant_table": 3, "optimize_coding": True, "subsample_mode": subsampling}
        return bytes(image.jpegsave_buffer(Q=quality, **options))

    return encode


def palette(dither: float) -> Encoder:
    """Return the quantizer to the best 256 colours, which an honest engine leaves where they damage an image."""

    def encode(image: pyvips.Image, _quality: int) -> bytes:
        data = image.pngsave_buffer(palette=True, Q=100, effort=7, dither=dither, compression=1)
        return data if undamaged(image, data) else b""

    return encode


def undamaged(image: pyvips.Image, data: bytes) -> bool:
    """Tell whether a palette serves an image."""
    return measure(image, pyvips.Image.pngload_buffer(data).colourspace("srgb")).worst <= DAMAGED


def piped(*command: str) -> Encoder:
    """Return a program that reads a PNG and writes an image; `{}` in its arguments is the quality."""

    def encode(image: pyvips.Image, quality: int) -> bytes:
        words = [word.replace("{}", str(quality)) for word in command]
        done = subprocess.run(words, input=image.pngsave_buffer(compression=1), capture_output=True, check=False)
        return done.stdout

    return encode


def pngquant(image: pyvips.Image, quality: int) -> bytes:
    """Quantize as Material's plugin does, where a palette serves."""
    data = piped("pngquant", "--speed=3", "--strip", "-")(image, quality)
    return data if data and undamaged(image, data) else b""


def gifsicle(image: pyvips.Image, _quality: int) -> bytes:
    """Optimize a GIF with slight loss."""
    made = image.gifsave_buffer(dither=0, effort=4)
    command = ["gifsicle", "-O3", "--lossy=20"]
    return subprocess.run(command, input=made, capture_output=True, check=False).stdout


_NEEDS = {"pngquant": "pngquant", "gifsicle": "gifsicle", "cwebp": "cwebp"}
_ALL: Mapping[Format, Mapping[str, Encoder]] = {
    Format.JPEG: {"Pillow": pillow("JPEG"), "mozjpeg": mozjpeg("on"), "mozjpeg 4:4:4": mozjpeg("off")},
    Format.PNG: {"256 colours": palette(0), "dithered": palette(1), "pngquant": pngquant},
    Format.GIF: {
        "libvips": lambda image, _quality: bytes(image.gifsave_buffer(dither=0.5, effort=4)),
        "gifsicle": gifsicle,
    },
    Format.WEBP: {
        "libvips": lambda image, quality: bytes(image.webpsave_buffer(Q=quality, effort=2, smart_subsample=True)),
        "cwebp": piped("cwebp", "-quiet", "-q", "{}", "-o", "-", "--", "-"),
    },
}
HONEST = {
    format: {name: encode for name, encode in encoders.items() if name not in _NEEDS or shutil.which(_NEEDS[name])}
    for format, encoders in _ALL.items()
}
"""By format and name; programs that are not installed are left out."""

OURS = "imgshrink"


def encoded(image: pyvips.Image, format: Format, quality: int) -> Iterator[tuple[str, bytes]]:
    """Yield what each honest encoder makes of an image."""
    for name, encode in HONEST[format].items():
        if data := encode(image, quality):
            yield name, data


def ours(data: bytes, quality: int) -> bytes:
    """Return what the builtin codecs make of a file."""
    from imgshrink.engines.builtin.codecs import optimize

    info = sniff(data)
    assert info is not None
    return optimize(data, info, Recipe(quality))
