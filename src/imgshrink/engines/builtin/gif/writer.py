"""Writes a GIF frame by frame, each in the smallest of several encodings that show the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import pack

from PIL import Image, ImageChops

from .canvas import SHARED, Canvas, mapped, union
from .reader import Box, Frame, Screen, Unusual
from .tables import Local, from_screen, from_shared, from_source

_SMALL = 20_000
"""Pixels: smaller frames take little time."""

_RATHER = 8
"""Of a frame's pixels: if one in so many must be drawn, drawing others too may take fewer bytes."""

_PLAIN, _FULL = "plain", "full"
_TRIALS = 6
"""Frames for which a mask is tried at first, and then one in so many."""

_SAVED = 400
"""A mask is promising while it saves one byte in so many."""

_MOST_CODES = 4096
_CODE = 10
"""Bits: about the length of a code."""

_MIXED_ANY = b"\0" + b"\1" * 255
_DRAWN = b"\xff"
_PLAIN_RUN = re.compile(rb"\xff\0++(?=\xff)")
_ABSENT = bytes.maketrans(b"\1", b"\0")


@dataclass(frozen=True)
class Pending:
    """A frame to be written, with its number.

    `drawn` marks the pixels of `box` to draw; the screen shows the others already.
    """

    box: Box
    drawn: Image.Image
    source: Frame
    delay: int
    number: int
    disposal: int = 1

    def grown(self, box: Box) -> Pending:
        """Return the frame extended over `box`, to be cleared after it."""
        whole = union(self.box, box)
        drawn = Image.new("L", (whole[2] - whole[0], whole[3] - whole[1]))
        drawn.paste(self.drawn, (self.box[0] - whole[0], self.box[1] - whole[1]))
        return replace(self, box=whole, drawn=drawn, disposal=2)


@dataclass(frozen=True)
class _Coded:
    """One encoding of a frame's indices."""

    pixels: bytes
    transparent: int | None
    table: bytes
    free: int | None

    @property
    def size(self) -> int:
        return len(self.pixels) + len(self.table)


def header(screen: Screen, palette: list[bytes]) -> bytes:
    """Return the beginning of the file."""
    flags, table = _table(palette)
    return b"GIF89a" + pack("<HHBBB", screen.width, screen.height, flags, 0, screen.aspect) + table + screen.extensions


class Habits:
    """Which masks have saved bytes so far: the others are tried for a few frames only."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._saved: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()

    def worth(self, kind: str) -> bool:
        """Tell whether a mask is to be tried for the next frame."""
        self._asked[kind] += 1
        promising = self._saved[kind] * _SAVED >= self._sizes[kind]
        return self._asked[kind] <= _TRIALS or promising or self._asked[kind] % _TRIALS == 0

    def note(self, kind: str, saved: int, size: int) -> None:
        """Remember how many bytes a mask has saved of so many."""
        self._saved[kind] += max(0, saved)
        self._sizes[kind] += size


def write(pending: Pending, shown: Canvas, habits: Habits, *, alpha: bool) -> bytes:
    """Return the blocks of a frame; `shown` is the screen after it. With `alpha` one index is transparent."""
    known = shown.known(pending.box)
    if known is None or ImageChops.subtract(pending.drawn, known).getbbox() is None:
        best = _in_shared(shown.low.crop(pending.box), known, pending.drawn, shown.colours.every, habits)
    else:
        local = _local(pending, shown)
        best = None if local is None else _in_local(local, habits)
    if best is None:
        raise Unusual("more colours in a frame than a table holds")
    return _blocks(pending, replace(best, transparent=best.free) if alpha and best.transparent is None else best)


def _in_shared(
    index: Image.Image, known: Image.Image | None, drawn: Image.Image, colours: list[bytes], habits: Habits
) -> _Coded | None:
    """Encode the frame in the shared colours, and with a local table if its few colours lie far apart."""
    best, counts = _smallest(index, drawn, known, b"", habits)
    used = [value for value, count in enumerate(counts) if count]
    bits, fewer = max(used, default=0).bit_length(), len(used).bit_length()
    if best is not None and _shorter_codes(bits, fewer, best.size) > 6 << fewer:
        other = _in_local(from_shared(index, drawn, colours), habits)
        return min(best, other or best, key=lambda way: way.size)
    return best


def _in_local(local: Local, habits: Habits) -> _Coded | None:
    """Encode the frame in a local table."""
    gaps = local.drawable.getextrema() != (255, 255)
    table = _table([*local.colours, bytes(3)] if gaps and len(local.colours) < SHARED else local.colours)[1]
    if local.drawable is local.drawn:
        return _coded(local.index, local.drawn, local.index.histogram(local.drawn), table)
    return _smallest(local.index, local.drawn, local.drawable, table, habits)[0]


def _smallest(
    index: Image.Image, drawn: Image.Image, drawable: Image.Image | None, table: bytes, habits: Habits
) -> tuple[_Coded | None, list[int]]:
    """Return the smallest encoding that draws at least the pixels of `drawn`, and how often each index is among them.

    Either these are drawn, or their plain runs too, or all pixels that can be, those of `drawable`; None is all.
    """
    counts, pixels = index.histogram(drawn), index.width * index.height
    best = _coded(index, drawn, counts, table)
    if sum(counts) == pixels:
        return best, counts
    fullest = Image.new("L", index.size, 255) if drawable is None else ImageChops.lighter(drawn, drawable)
    limit = None if drawable is None else fullest
    for kind in (_PLAIN, _FULL):
        if best is None or habits.worth(kind):
            found = _plain_runs(index, drawn, limit) if kind == _PLAIN else fullest
            way = _coded(index, found, index.histogram(found), table)
            if best is not None and way is not None:
                habits.note(kind, best.size - way.size, best.size)
            best = min((one for one in (best, way) if one), key=lambda one: one.size, default=None)
    return best, counts


def _shorter_codes(bits: int, fewer: int, size: int) -> int:
    """Return how many bytes of about `size` are saved where codes begin with fewer bits."""
    codes = min(size * 8 // _CODE, _MOST_CODES)
    return (_length(bits, codes) - _length(fewer, codes)) // 8


def _length(bits: int, codes: int) -> int:
    """Return the bits of the first codes: each is as long as the highest that is known by then."""
    width, total = bits + 1, 0
    known = 1 << bits
    while codes > 0:
        count = min(codes, (1 << width) - known)
        total, codes, known, width = total + count * width, codes - count, known + count, width + 1
    return total


def _local(pending: Pending, shown: Canvas) -> Local | None:
    """Return a local table for the frame; where much is drawn, or little time is lost, it may draw other pixels."""
    box, drawn = pending.box, pending.drawn
    local = from_source(pending.source, box, drawn)
    worthwhile = drawn.width * drawn.height <= max(_SMALL, _RATHER * drawn.histogram()[255])
    if local is None or len(local.colours) == SHARED or worthwhile:
        return from_screen(shown, box, drawn, local.colours if local else []) or local
    return local


def _plain_runs(index: Image.Image, drawn: Image.Image, fullest: Image.Image | None) -> Image.Image:
    """Return the mask that also draws unchanged pixels where a run of them has one colour.

    Such a run is likely to be in the code table already; a run of several colours is longer as a transparent one.
    """
    values, before = index.tobytes(), drawn.tobytes()[:-1]
    turns = ImageChops.difference(index, Image.frombytes("L", index.size, values[:1] + values[:-1]))
    mixed = ImageChops.subtract(turns, Image.frombytes("L", index.size, _DRAWN + before))
    if fullest is not None:
        mixed = ImageChops.lighter(mixed, ImageChops.invert(fullest))
    mixed = mapped(mixed, _MIXED_ANY)
    marks = _DRAWN + ImageChops.lighter(mixed, drawn).tobytes() + _DRAWN
    mask = _PLAIN_RUN.sub(lambda run: _DRAWN * len(run[0]), marks).translate(_ABSENT)
    return Image.frombytes("L", index.size, mask[1:-1])


def _coded(index: Image.Image, mask: Image.Image, counts: Sequence[int], table: bytes = b"") -> _Coded | None:
    """Return the frame with the pixels of `mask` drawn; the transparent index is the lowest free one: short codes.

    `counts` says how often each index is drawn.
    """
    highest = max((value for value in range(256) if counts[value]), default=0)
    free = next((value for value in range(256) if not counts[value]), None)
    transparent = None
    if sum(counts) < index.width * index.height:
        transparent = free
        if transparent is None:
            return None
        highest = max(highest, transparent)
        plain, index = index, Image.new("L", index.size, transparent)
        index.paste(plain, None, mask)
    return _Coded(_lzw(index, max(2, highest.bit_length())), transparent, table, free)


def _blocks(frame: Pending, way: _Coded) -> bytes:
    left, top, right, bottom = frame.box
    opaque = way.transparent is None
    control = b""
    if frame.delay or frame.disposal != 1 or not opaque:
        flags = frame.disposal << 2 | (not opaque)
        control = b"\x21\xf9\x04" + pack("<BHBB", flags, frame.delay, way.transparent or 0, 0)
    flags = 0x80 | (len(way.table) // 3).bit_length() - 2 if way.table else 0
    return control + b"\x2c" + pack("<HHHHB", left, top, right - left, bottom - top, flags) + way.table + way.pixels


def _lzw(index: Image.Image, bits: int) -> bytes:
    return bytes([bits]) + index.tobytes("gif", "L", bits, 0) + b"\0"


def _table(colours: list[bytes]) -> tuple[int, bytes]:
    """Return the flags of a colour table and its bytes, filled up to a power of two."""
    bits = max(1, (len(colours) - 1).bit_length())
    return 0x80 | 0x70 | bits - 1, b"".join(colours).ljust(3 << bits, b"\0")
