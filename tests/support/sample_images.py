"""Pictures for tests of look: real ones as Pillow images, saved in any format, and a profile with wider colours."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

from image_builder import chunk
from imgshrink.image.metadata import read_metadata
from places import IMAGES

# The primaries of sRGB as its profiles write them (s15Fixed16), and those of Display P3, both adapted to D50.
_SRGB = ("00006fa2000038f500000390", "000062990000b785000018da", "000024a000000f840000b6cf")
_DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))


def photo() -> Image.Image:
    """A photograph, 320 x 208, RGB."""
    return Image.open(IMAGES / "camera.jpg").convert("RGB")


def colourful() -> Image.Image:
    """The photograph's light in every loud colour."""
    hue = Image.linear_gradient("L").rotate(90).resize(photo().size)
    return Image.merge("HSV", (hue, Image.new("L", hue.size, 255), photo().convert("L"))).convert("RGB")


def cutout() -> Image.Image:
    """A drawing on a transparent ground, 512 x 512, RGBA."""
    return Image.open(IMAGES / "drawing.png").convert("RGBA")


def screen() -> Image.Image:
    """A screenshot of 431 x 397, RGB."""
    return Image.open(IMAGES / "still.png").convert("RGB")


def clip(count: int = 4) -> list[Image.Image]:
    """Frames of 80 x 52 that differ clearly, RGB."""
    return [photo().resize((80, 52)).rotate(360 * number / count) for number in range(count)]


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    """The picture in a format."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def animated(frames: Sequence[Image.Image], format: str, durations: Sequence[int] | int, **options: object) -> bytes:
    """An animation; for ever, if not said otherwise."""
    timing = list(durations) if isinstance(durations, Sequence) else durations
    settings = {"loop": 0, "duration": timing, "save_all": True, "append_images": list(frames[1:]), **options}
    return saved(frames[0], format, **settings)


def deep_png(width: int = 96, height: int = 64, *, step: int = 37, level: int = 0) -> bytes:
    """A PNG of 16-bit grey with more than 8 bits in use."""
    rows = b"".join(
        b"\0" + b"".join(struct.pack(">H", (x * step * 17 + y * 5) % 65536) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND")


def srgb_profile() -> bytes:
    """A small real sRGB profile."""
    return read_metadata((IMAGES / "photo.jpg").read_bytes()).icc


def wide_profile() -> bytes:
    """The same with the primaries of Display P3."""
    profile = srgb_profile()
    for old, new in zip(_SRGB, _DISPLAY_P3, strict=True):
        assert profile.count(bytes.fromhex(old)) == 1
        profile = profile.replace(bytes.fromhex(old), struct.pack(">3i", *(round(value * 65536) for value in new)))
    return profile


def grey_profile(gamma: float) -> bytes:
    """A small profile for grey images of a gamma (ICC.1:2022, 8.3.2)."""
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"g\0" + bytes(78)
    bodies = ((b"desc", text.ljust(-(-len(text) // 4) * 4, b"\0")), (b"wtpt", white), (b"kTRC", curve))
    table, data, at = struct.pack(">I", len(bodies)), b"", 128 + 4 + 12 * len(bodies)
    for name, body in bodies:
        table += struct.pack(">4sII", name, at + len(data), len(body))
        data += body
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02100000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data


def grey_animation() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.frombytes("L", (64, 64), bytes((x * n) % 251 for x in range(4096))) for n in (1, 3, 7)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return buffer.getvalue()


def first_frame(data: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("L").save(buffer, "GIF")
    return buffer.getvalue()
