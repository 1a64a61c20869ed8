"""Images that mean harm, or that few programs expect, made by hand: they need no corpus."""

from __future__ import annotations

import zlib

from PIL import Image

from image_builder import PNG_SIGNATURE, chunk, gif, gif_frame, png
from sample_images import animated, clip, photo, saved


def wide_bitmap(side: int = 20_000) -> bytes:
    """A valid black PNG of one bit a pixel: a few kilobytes that are hundreds of megapixels."""
    header = side.to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    packer, rows = zlib.compressobj(9, strategy=zlib.Z_RLE), bytes(100 * (1 + side // 8))
    data = b"".join(packer.compress(rows) for _ in range(side // 100)) + packer.flush()
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND")


BOMBS = {
    "header.png": png(width=60_000, height=60_000, colour=6),
    "bitmap.png": wide_bitmap(),
    "canvas.gif": gif(gif_frame(), width=65_535, height=65_535),
}
"""Small files that claim, or become, more pixels than anybody should decode."""


def hidden_default() -> bytes:
    """An APNG of three frames, 80 x 52, whose default image is none of them."""
    still = Image.new("RGBA", (80, 52), (200, 30, 30, 255))
    frames = [frame.convert("RGBA") for frame in clip(3)]
    return animated([still, *frames], "PNG", 100, default_image=True)


def with_position() -> bytes:
    """A photograph that says where it was taken, and by which camera."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)})
    exif[0x010F] = "TestCam"
    return saved(photo(), "JPEG", quality=92, exif=exif)
