"""Square tiles of an image: which differ from another image's, and those alone, one below the other."""

from __future__ import annotations

from collections.abc import Sequence

import pyvips


def changed(one: pyvips.Image, other: pyvips.Image, side: int) -> list[int]:
    """Return the numbers, row by row, of the tiles that differ; both images are in memory, of whole tiles."""
    left, right = (image.write_to_memory() for image in (one, other))
    line, step = one.width * one.bands, side * one.bands
    across = one.width // side
    found = []
    for top in range(0, len(left), line * side):
        if left[top : top + line * side] == right[top : top + line * side]:
            continue
        pending = set(range(across))
        for start in range(top, top + line * side, line):
            if left[start : start + line] != right[start : start + line]:
                places = ((number, start + number * step) for number in pending)
                pending -= {number for number, at in places if left[at : at + step] != right[at : at + step]}
        first = top // (line * side) * across
        found += [first + number for number in range(across) if number not in pending]
    return found


def gathered(image: pyvips.Image, tiles: Sequence[int], side: int) -> pyvips.Image:
    """Return these tiles of an image in memory, one below the other."""
    data, line, step = image.write_to_memory(), image.width * image.bands, side * image.bands
    across = image.width // side
    corners = (number // across * side * line + number % across * step for number in tiles)
    rows = [data[at : at + step] for corner in corners for at in range(corner, corner + side * line, line)]
    column = pyvips.Image.new_from_memory(b"".join(rows), side, side * len(tiles), image.bands, image.format)
    return column.copy(interpretation=image.interpretation)


def scattered(values: pyvips.Image, tiles: Sequence[int], across: int, down: int) -> pyvips.Image:
    """Return an image with a pixel for each tile: those of `values` for these tiles, zero for all others."""
    data = values.write_to_memory()
    size = len(data) // len(tiles)
    pixels = {number: data[at * size : (at + 1) * size] for at, number in enumerate(tiles)}
    joined = b"".join(pixels.get(number, bytes(size)) for number in range(across * down))
    return pyvips.Image.new_from_memory(joined, across, down, values.bands, values.format)
