"""APNG, of which libvips sees the default image only: every frame is rebuilt as a PNG, then composed.

The rules are those of the PNG specification, third edition (APNG: 4.10, 11.3.4, 12.5).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import pyvips

from ..core.model import Format
from ..image.containers import PNG_SIGNATURE, parts
from ..image.limits import FRAME_PIXELS
from .decode import Undecodable

_CLEAR, _RESTORE = 1, 2
_ANIMATION = {"acTL", "fcTL", "fdAT"}


@dataclass(frozen=True)
class _Frame:
    """One frame: its place on the canvas, what becomes of that place afterwards, and its own PNG."""

    width: int
    height: int
    left: int
    top: int
    dispose: int
    over: bool
    png: bytes


def has_hidden_default(data: bytes) -> bool:
    """Tell whether the image that viewers without animation show is none of the frames."""
    kinds = [part.kind for part in parts(data, Format.PNG)]
    return "fcTL" not in kinds[: kinds.index("IDAT")]


def composed(data: bytes) -> Iterator[pyvips.Image]:
    """Yield the canvas as it looks while each frame stands, RGBA as deep as the file."""
    canvas: pyvips.Image = None
    for frame in _frames(data):
        image = _with_alpha(pyvips.Image.pngload_buffer(frame.png, fail_on="error"))
        if canvas is None:
            canvas = _empty(*_canvas_size(data), image)
        if frame.left + frame.width > canvas.width or frame.top + frame.height > canvas.height:
            raise Undecodable("a frame reaches beyond the image")
        shown = canvas.insert(_laid(canvas, frame, image), frame.left, frame.top).copy_memory()
        yield shown
        if frame.dispose == _CLEAR:
            canvas = shown.insert(_empty(frame.width, frame.height, shown), frame.left, frame.top).copy_memory()
        elif frame.dispose != _RESTORE:
            canvas = shown


def _laid(canvas: pyvips.Image, frame: _Frame, image: pyvips.Image) -> pyvips.Image:
    if not frame.over:
        return image
    below = canvas.crop(frame.left, frame.top, frame.width, frame.height)
    return below.composite2(image, "over").cast(image.format)


def _with_alpha(image: pyvips.Image) -> pyvips.Image:
    coloured = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    return coloured if coloured.hasalpha() else coloured.addalpha()


def _empty(width: int, height: int, like: pyvips.Image) -> pyvips.Image:
    blank = pyvips.Image.black(width, height, bands=like.bands)
    return blank.cast(like.format).copy(interpretation=like.interpretation)


def _canvas_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, len(PNG_SIGNATURE) + 8)
    return width, height


def _frames(data: bytes) -> Iterator[_Frame]:
    """Rebuild each frame: the header with its size, what stands before the first image data, its own image data."""
    walked = tuple(parts(data, Format.PNG))
    header, *before = takewhile(lambda part: part.kind != "IDAT", walked[1:])
    shared = b"".join(data[part.start : part.end] for part in before if part.kind not in _ANIMATION)
    control, pieces = b"", list[bytes]()
    for part in walked:
        body = data[part.body : part.body_end]
        if part.kind in ("fcTL", "IEND"):
            if control:
                yield _frame(data[header.body : header.body_end], shared, control, b"".join(pieces))
            control, pieces = body, []
        elif part.kind in ("IDAT", "fdAT"):
            pieces.append(body if part.kind == "IDAT" else body[4:])


def _frame(header: bytes, shared: bytes, control: bytes, pixels: bytes) -> _Frame:
    width, height, left, top, _, _, dispose, blend = struct.unpack(">IIIIHHBB", control[4:26])
    if not 0 < width * height <= FRAME_PIXELS:
        raise Undecodable("a frame is too large")
    start = PNG_SIGNATURE + _chunk(b"IHDR", struct.pack(">II", width, height) + header[8:])
    png = start + shared + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return _Frame(width, height, left, top, dispose, blend == 1, png)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
