"""Palettes for PNGs: chosen in RGB, or, for photographs, in the colour space in which SSIMULACRA2 compares images."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from struct import iter_unpack, pack

import pyvips

from ...core.model import Format
from ...image.containers import Part, parts
from .ssimulacra2 import cube_roots

EFFORT = 5
"""libimagequant's effort: 7 takes half as long again for the same bytes, 3 costs some bytes on photographs."""

_MOST_COLOURS = 256
_COLOURS = 3
"""Bands without alpha."""

_UNUSED = (0, 0, 0)

_DEEP = 65535
_OF_X, _OF_BLUE = 7.0, 1.25
"""How much a difference in X (of the two roots that it halves) and in B without Y counts beside one in Y."""

_LIGHTEST = 0.8454
"""Y of white, the widest of the three ranges; the two others begin below zero."""

_LOWEST_X, _LOWEST_BLUE = -0.2155, -0.3473
_POWER = 0.45455 / 0.5499
"""Undoes the power that libimagequant takes of each byte, so that it measures distances in what it is given:
https://github.com/lovell/libimagequant, `internal_gamma`."""

_GLANCE = 4
_LEAST_SEEN = 16
_FLAT, _PURE = 0.75, 0.3
"""Of the pixels of one index, seen at every so many: so many of one colour, or of white or black, keep it exactly."""


def quantized(image: pyvips.Image, setting: int, dither: float = 0.0) -> bytes:
    """Return the image as a palette PNG, barely compressed and without metadata."""
    return bytes(
        image.pngsave_buffer(
            palette=True, Q=setting, dither=dither, effort=EFFORT, compression=1, filter=0, keep="none"
        )
    )


def quantized_to_sight(image: pyvips.Image, setting: int = 100) -> bytes:
    """Return an 8-bit sRGB image as `quantized` does, with colours that differ to the eye as little as can be.

    Each colour of the palette is the mean of its pixels, or the colour that most of them have.
    """
    data = quantized(_seen(image), setting)
    (palette,) = (part for part in parts(data, Format.PNG) if part.kind == "PLTE")
    count = (palette.body_end - palette.body) // 3
    indexes = _indexes(data, palette, count)
    colours = _means(image, indexes) | _flat_colours(image, indexes)
    return _with(data, palette, b"".join(bytes(colours.get(number, _UNUSED)) for number in range(count)))


def is_full(data: bytes) -> bool:
    """Whether the palette of a PNG has as many colours as it can."""
    return any(
        part.kind == "PLTE" and part.body_end - part.body == _COLOURS * _MOST_COLOURS
        for part in parts(data, Format.PNG)
    )


def _seen(image: pyvips.Image) -> pyvips.Image:
    """Return X, Y from white on and B in three bytes, as far apart as they look to SSIMULACRA2; and alpha."""
    scale = _DEEP / _LIGHTEST
    blue = _OF_BLUE / 2
    planes = [[_OF_X, -_OF_X, 0.0], [-0.5, -0.5, 0.0], [-blue, -blue, _OF_BLUE]]
    matrix = pyvips.Image.new_from_array([[share * scale for share in row] for row in planes])
    offsets = [-_LOWEST_X * scale, _DEEP, -_LOWEST_BLUE * scale]
    colours = (cube_roots(image[:_COLOURS]).recomb(matrix) + offsets).cast("ushort").maplut(_bytes())
    seen = colours.bandjoin(image[_COLOURS]) if image.hasalpha() else colours
    return seen.copy(interpretation="srgb").copy_memory()


@cache
def _bytes() -> pyvips.Image:
    powers = bytes(round(255 * (value / _DEEP) ** _POWER) for value in range(_DEEP + 1))
    return pyvips.Image.new_from_memory(powers, _DEEP + 1, 1, 1, "uchar")


def _indexes(data: bytes, palette: Part, count: int) -> pyvips.Image:
    """Return the indexes of a PNG's pixels: a decoder shows them where each colour is its number."""
    numbers = bytes(number for number in range(count) for _ in range(_COLOURS))
    return pyvips.Image.pngload_buffer(_with(data, palette, numbers))[0].copy_memory()


def _means(image: pyvips.Image, indexes: pyvips.Image) -> dict[int, Sequence[int]]:
    """Return the mean colour of each index that can be seen, weighed by how opaque its pixels are."""
    opacity = image[_COLOURS] if image.hasalpha() else 255
    weighed = (image[:_COLOURS] * opacity).bandjoin(opacity).cast("uint")
    sums = weighed.hist_find_indexed(indexes, combine="sum").write_to_memory()
    rows = enumerate(iter_unpack(f"{_COLOURS + 1}d", sums))
    return {number: [int(total / weight + 0.5) for total in totals] for number, (*totals, weight) in rows if weight}


def _flat_colours(image: pyvips.Image, indexes: pyvips.Image) -> dict[int, Sequence[int]]:
    """Return for some indexes the colour that most of their pixels have: a mean would tint flat areas."""
    glances = (bytes(each.subsample(_GLANCE, _GLANCE).write_to_memory()) for each in (indexes, image[:_COLOURS]))
    numbers, colours = glances
    seen = Counter(numbers)
    flat: dict[int, Sequence[int]] = {}
    together = Counter(zip(numbers, *(colours[band::_COLOURS] for band in range(_COLOURS)), strict=True))
    for (number, *colour), count in together.items():
        share = _PURE if set(colour) in ({0}, {255}) else _FLAT
        if count >= max(_LEAST_SEEN, share * seen[number]):
            flat[number] = colour
    return flat


def _with(data: bytes, part: Part, body: bytes) -> bytes:
    """Return a PNG with another body of the same length in one of its chunks."""
    changed = part.kind.encode() + body
    return data[: part.body - 4] + changed + pack(">I", zlib.crc32(changed)) + data[part.end :]
