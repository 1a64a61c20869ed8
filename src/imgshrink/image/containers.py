"""The one walker of JPEG segments, PNG chunks, GIF blocks and RIFF chunks.

Every walk takes time linear in the data, decodes nothing, and never raises, whatever the bytes are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..core.model import Format

_MOST_PARTS = 200_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_JPEG_NAMES = {
    0x01: "TEM", 0xC4: "DHT", 0xCC: "DAC", 0xD8: "SOI", 0xD9: "EOI", 0xDA: "SOS", 0xDB: "DQT", 0xDC: "DNL", 0xDD: "DRI",
    0xFE: "COM",
    **{0xC0 + n: f"SOF{n}" for n in range(16) if n not in (4, 8, 12)},
    **{0xD0 + n: f"RST{n}" for n in range(8)},
    **{0xE0 + n: f"APP{n}" for n in range(16)},
}  # fmt: skip
_JPEG_BARE = {"TEM", "SOI", "EOI", *(f"RST{n}" for n in range(8))}
# What ends entropy-coded data: a marker that is neither a stuffed zero, a restart nor a fill byte (ITU T.81, B.1.1).
_JPEG_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_FILL = re.compile(rb"\xff*")
_GIF_EXTENSIONS = {0x01: "text", 0xF9: "graphic", 0xFE: "comment", 0xFF: "application"}
_PNG_PIXEL_CHUNKS = {"acTL", "fcTL", "fdAT"}
_WEBP_PIXEL_CHUNKS = {"VP8 ", "VP8L", "ANMF"}


@dataclass(frozen=True, slots=True)
class Part:
    """One segment, chunk or block: `data[start:end]` is the whole of it, `data[body:body_end]` what it carries.

    Parts tile the container from its first byte. `kind` is, for JPEG, the marker's name (SOI, APP0, SOF2, SOS, ...) or
    `scan` for entropy-coded data; for PNG `signature` or the chunk type; for GIF `header` (with the global colour
    table), `extension:comment`, `:graphic`, `:application`, `:text` or `:unknown`, `image` or `trailer`; for WebP
    `header` or the FourCC. The body of a GIF extension is its sub-blocks without the terminator, that of an image
    begins at the descriptor.
    """

    kind: str
    start: int
    end: int
    body: int
    body_end: int


def identify(data: bytes) -> Format | None:
    """Tell the format by the signature at the start, None where it is none of the four."""
    if data.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if data.startswith(PNG_SIGNATURE):
        return Format.PNG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Format.GIF
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Format.WEBP
    return None


def parts(data: bytes, format: Format) -> Iterator[Part]:
    """Walk the container from its first byte; stop behind its last part, or where it is cut or breaks the rules.

    A container of more than 200,000 parts counts as broken: an animation of 5,000 frames has 10,000.
    """
    if identify(data) is not format:
        return
    step, part = _STEPS[format], None
    for _ in range(_MOST_PARTS):
        part = step(data, part)
        if part is None or part.end > len(data):
            return
        yield part


def end(data: bytes, format: Format, walked: Sequence[Part] | None = None) -> int | None:
    """Return the offset just behind the container, None where it is incomplete or broken.

    Complete means: the end is reached through the structure, there are pixels, and the checksums of the PNG chunks
    that carry it are right. `walked` is `parts(data, format)` where the caller has it already.
    """
    found = tuple(parts(data, format)) if walked is None else walked
    if not found or not _WHOLE[format](data, found):
        return None
    return found[-1].end


def complete(data: bytes, format: Format) -> bool:
    """Tell whether the container is all there; data behind its end does not matter."""
    return end(data, format) is not None


def cut(data: bytes, format: Format) -> bool:
    """Tell whether the data stop in the middle of the container, as opposed to being whole or breaking its rules."""
    if identify(data) is not format:
        return False
    last = None
    for last in parts(data, format):  # noqa: B007 - the last one is wanted
        pass
    following = _STEPS[format](data, last)
    return following is not None and following.end > len(data)


def inner_chunks(data: bytes, part: Part) -> Iterator[Part]:
    """Walk the chunks inside a WebP `ANMF`, behind its 16 bytes of frame header; stop where they break the rules."""
    at = part.body + 16
    while at + 8 <= part.body_end and (chunk := _riff_chunk(data, at, part.body_end)):
        yield chunk
        at = chunk.end


def _beyond(data: bytes, start: int) -> Part:
    return Part("", start, len(data) + 1, start, start)


def _jpeg_step(data: bytes, previous: Part | None) -> Part | None:
    if previous is None:
        return Part("SOI", 0, 2, 2, 2)
    if previous.kind == "EOI":
        return None
    if previous.kind != "SOS":
        return _jpeg_segment(data, previous.end)
    start, found = previous.end, _JPEG_SCAN_END.search(data, previous.end)
    return Part("scan", start, found.start(), start, found.start()) if found else _beyond(data, start)


def _jpeg_segment(data: bytes, start: int) -> Part | None:
    at = _JPEG_FILL.match(data, start).end()  # type: ignore[union-attr]  # the pattern matches the empty string too
    if at == len(data):
        return _beyond(data, start)
    name = _JPEG_NAMES.get(data[at])
    if at == start or name is None or name == "SOI":
        return None
    if name in _JPEG_BARE:
        return Part(name, start, at + 1, at + 1, at + 1)
    length = int.from_bytes(data[at + 1 : at + 3], "big")
    if at + 3 > len(data):
        return _beyond(data, start)
    return Part(name, start, at + 1 + length, at + 3, at + 1 + length) if length >= 2 else None


def _png_step(data: bytes, previous: Part | None) -> Part | None:
    if previous is None:
        return Part("signature", 0, 8, 0, 8)
    if previous.kind == "IEND":
        return None
    start = previous.end
    kind = data[start + 4 : start + 8]
    if len(kind) < 4:
        return _beyond(data, start)
    length = int.from_bytes(data[start : start + 4], "big")
    if length >= 1 << 31 or not kind.isalpha():
        return None
    return Part(kind.decode("ascii"), start, start + length + 12, start + 8, start + 8 + length)


def _gif_step(data: bytes, previous: Part | None) -> Part | None:
    if previous is None:
        return Part("header", 0, 13 + _gif_table(data, 10), 6, 13 + _gif_table(data, 10))
    if previous.kind == "trailer":
        return None
    start = previous.end
    introducer = data[start : start + 1]
    if introducer == b";":
        return Part("trailer", start, start + 1, start + 1, start + 1)
    if introducer == b",":
        finish = _gif_blocks_end(data, start + 11 + _gif_table(data, start + 9))
        return Part("image", start, finish, start + 1, finish)
    if introducer == b"!":
        finish = _gif_blocks_end(data, start + 2)
        label = data[start + 1] if start + 1 < len(data) else -1
        return Part(f"extension:{_GIF_EXTENSIONS.get(label, 'unknown')}", start, finish, start + 2, finish - 1)
    return None if introducer else _beyond(data, start)


def _gif_table(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif_blocks_end(data: bytes, at: int) -> int:
    size = len(data)
    while at < size:
        length = data[at]
        if not length:
            return at + 1
        at += length + 1
    return size + 1


def _webp_step(data: bytes, previous: Part | None) -> Part | None:
    if previous is None:
        return Part("header", 0, 12, 8, 12)
    start, finish = previous.end, 8 + int.from_bytes(data[4:8], "little")
    if start == finish:
        return None
    if start + 8 > min(finish, len(data)):
        return None if start + 8 > finish else _beyond(data, start)
    return _riff_chunk(data, start, finish)


def _riff_chunk(data: bytes, start: int, finish: int) -> Part | None:
    body_end = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little")
    behind = body_end + (body_end - start & 1)
    kind = data[start : start + 4].decode("latin-1")
    return Part(kind, start, behind, start + 8, body_end) if behind <= finish else None


def _jpeg_whole(data: bytes, found: Sequence[Part]) -> bool:  # noqa: ARG001 - the table's signature
    kinds = [part.kind for part in found]
    frame = next((n for n, kind in enumerate(kinds) if kind.startswith("SOF")), len(kinds))
    return kinds[-1] == "EOI" and "scan" in kinds[frame:]


def _png_whole(data: bytes, found: Sequence[Part]) -> bool:
    kinds = [part.kind for part in found]
    if kinds[1:2] != ["IHDR"] or "IDAT" not in kinds or kinds[-1] != "IEND":
        return False
    header, last = found[1], found[-1]
    if header.end - header.start != 25 or last.end - last.start != 12:
        return False
    needed = (part for part in found if part.kind[0].isupper() or part.kind in _PNG_PIXEL_CHUNKS)
    return all(checksum_right(data, part) for part in needed)


def checksum_right(data: bytes, part: Part) -> bool:
    """Tell whether a PNG chunk's CRC-32 fits its type and body."""
    body = memoryview(data)[part.body - 4 : part.body_end]
    return zlib.crc32(body) == int.from_bytes(data[part.body_end : part.end], "big")


def _gif_whole(data: bytes, found: Sequence[Part]) -> bool:  # noqa: ARG001 - the table's signature
    return found[-1].kind == "trailer" and any(part.kind == "image" for part in found)


def _webp_whole(data: bytes, found: Sequence[Part]) -> bool:
    finish = 8 + int.from_bytes(data[4:8], "little")
    return found[-1].end == finish and any(part.kind in _WEBP_PIXEL_CHUNKS for part in found)


_STEPS: dict[Format, Callable[[bytes, Part | None], Part | None]] = {
    Format.JPEG: _jpeg_step,
    Format.PNG: _png_step,
    Format.GIF: _gif_step,
    Format.WEBP: _webp_step,
}
_WHOLE: dict[Format, Callable[[bytes, Sequence[Part]], bool]] = {
    Format.JPEG: _jpeg_whole,
    Format.PNG: _png_whole,
    Format.GIF: _gif_whole,
    Format.WEBP: _webp_whole,
}
