"""Means over cells of an image, as libvips makes them, by operations of Pillow."""

from __future__ import annotations

from PIL import Image


def reduced(image: Image.Image, cell: int) -> Image.Image:
    """Return the means of cells, rounded to samples; those at the edge are filled up with copies of its pixels."""
    width, height = (-(-side // cell) * cell for side in image.size)
    return extended(image, 0, 0, width, height).reduce(cell)


def extended(image: Image.Image, left: int, top: int, width: int, height: int) -> Image.Image:
    """Return the image in a larger one, its edges copied outwards."""
    if image.size == (width, height):
        return image
    right, bottom = left + image.width, top + image.height
    larger = image.crop((-left, -top, width - left, height - top))
    for edge, space in ((left, (0, top, left, bottom)), (right - 1, (right, top, width, bottom))):
        if space[0] < space[2]:
            larger.paste(
                larger.crop((edge, top, edge + 1, bottom)).resize((space[2] - space[0], bottom - top), 0), space
            )
    for edge, space in ((top, (0, 0, width, top)), (bottom - 1, (0, bottom, width, height))):
        if space[1] < space[3]:
            larger.paste(larger.crop((0, edge, width, edge + 1)).resize((width, space[3] - space[1]), 0), space)
    return larger
