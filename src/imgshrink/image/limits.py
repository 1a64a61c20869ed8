"""What is left alone before anybody decodes it, and why. Imports nothing heavy: the hook asks this of every image."""

from __future__ import annotations

from ..core.model import Format, ImageInfo
from .scans import MOST_SCANS

VERIFY_VERSION = 3
"""The version of verify's rules; a remembered refusal counts only under the version that made it."""

FRAME_PIXELS = 64_000_000
ALL_PIXELS = 256_000_000
GIF_PIXELS = 512_000_000
"""GIFs are read, encoded and compared frame by frame. So many pixels take about a minute, of the two that a worker has,
and 200 MB at most; screens that change wholly take up to three times as long."""

FRAMES = 5_000


def unsupported(info: ImageInfo) -> str:
    """Return why an image is left alone whatever the engines can do, or "" if it is not."""
    if info.pixels > FRAME_PIXELS:
        return f"{info.width} x {info.height} is over {FRAME_PIXELS // 1_000_000} megapixels"
    if info.frames > FRAMES:
        return f"{info.frames} frames are over {FRAMES}"
    most = GIF_PIXELS if info.format is Format.GIF else ALL_PIXELS
    if info.all_pixels > most:
        return f"its {info.frames} frames hold over {most // 1_000_000} megapixels"
    if info.scans > MOST_SCANS:
        return f"{info.scans} scans are over {MOST_SCANS}"
    if info.arithmetic:
        return "arithmetic coding, which no browser shows"
    if info.image_count > 1:
        return f"it holds {info.image_count} images"
    return "it is signed (C2PA)" if info.signed else ""
