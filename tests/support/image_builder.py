"""Containers made by hand, for tests: the smallest thing that shows a situation, part by part."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from hypothesis import strategies as st

from places import IMAGES

SAMPLES = sorted(path for path in IMAGES.iterdir() if path.suffix != ".md")

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes = b"", *, checksum_off_by: int = 0) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ checksum_off_by)


def png(*chunks: bytes, width: int = 2, height: int = 1, depth: int = 8, colour: int = 0, behind: bytes = b"") -> bytes:
    """A PNG of 2x1 grey pixels with `chunks` before the image data and `behind` between them and IEND."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\x40\xc0"))
    return PNG_SIGNATURE + header + b"".join(chunks) + pixels + behind + chunk(b"IEND")


def segment(marker: int, body: bytes = b"") -> bytes:
    """One JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def frame_header(width: int = 8, height: int = 8, components: bytes = b"\1", depth: int = 8) -> bytes:
    """The body of a SOF segment."""
    head = struct.pack(">BHHB", depth, height, width, len(components))
    return head + b"".join(bytes((one, 0x11, 0)) for one in components)


def jpeg(
    *segments: bytes,
    frame: bytes | None = None,
    marker: int = 0xC0,
    scan: bytes = b"\x12\xff\0\x34",
    behind: bytes = b"",
) -> bytes:
    """A JPEG with `segments` first, a frame header, one scan, and `behind` between it and EOI; nothing decodes it."""
    head = segment(marker, frame_header() if frame is None else frame)
    start = segment(0xDA, b"\1\1\0\0\x3f\0")
    return b"\xff\xd8" + b"".join(segments) + head + start + scan + behind + b"\xff\xd9"


def tiff(*entries: tuple[int, int, int, bytes], order: str = ">", behind: bytes = b"") -> bytes:
    """A TIFF structure whose first directory has `entries` of tag, type, count and four bytes of value."""
    head = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HI", 42, 8)
    rows = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in entries
    )
    return head + struct.pack(f"{order}H", len(entries)) + rows + b"\0\0\0\0" + behind


def oriented(orientation: int, order: str = ">") -> bytes:
    """A TIFF structure with an orientation."""
    return tiff((0x0112, 3, 1, struct.pack(f"{order}H", orientation)), order=order)


def dense(width: int, height: int, dots: tuple[int, int] = (144, 1), *, order: str = ">", unit: int = 2) -> bytes:
    """A TIFF structure that makes browsers show a picture at another size: density, and width and height to show."""
    directory = 8 + 2 + 4 * 12 + 4
    fraction = struct.pack(f"{order}II", *dots)
    entries = (
        (0x011A, 5, 1, struct.pack(f"{order}I", directory + 30)),
        (0x011B, 5, 1, struct.pack(f"{order}I", directory + 30)),
        (0x0128, 3, 1, struct.pack(f"{order}H", unit)),
        (0x8769, 4, 1, struct.pack(f"{order}I", directory)),
    )
    sizes = ((0xA002, width), (0xA003, height))
    rows = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, size) for tag, size in sizes)
    return tiff(*entries, order=order, behind=struct.pack(f"{order}H", 2) + rows + b"\0\0\0\0" + fraction)


def gif(*blocks: bytes, version: bytes = b"89a", width: int = 2, height: int = 2, trailer: bytes = b";") -> bytes:
    """A GIF with a global table of two colours and `blocks`; without blocks, one frame of one pixel."""
    head = b"GIF" + version + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + (b"".join(blocks) or gif_frame()) + trailer


def gif_frame(delay: int | None = None, *, transparent: bool = False, local: bool = False) -> bytes:
    """One frame of one pixel, after a graphic control extension where a delay is given."""
    control = b"" if delay is None else b"!\xf9\x04" + struct.pack("<BHB", int(transparent), delay, 0) + b"\0"
    table = b"\1\2\3\4\5\6" if local else b""
    return control + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0x80 if local else 0) + table + b"\x02\x02\x44\x01\0"


def gif_loop(repetitions: int, name: bytes = b"NETSCAPE2.0") -> bytes:
    """The application extension that makes an animation repeat."""
    return b"!\xff\x0b" + name + b"\x03\x01" + struct.pack("<H", repetitions) + b"\0"


def riff_chunk(kind: bytes, body: bytes = b"") -> bytes:
    """One RIFF chunk, padded to an even length."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def webp(*chunks: bytes) -> bytes:
    """A WebP of `chunks`."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def vp8(width: int = 16, height: int = 16) -> bytes:
    """A lossy picture's first bytes, as a chunk."""
    return riff_chunk(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0\0")


def vp8l(width: int = 16, height: int = 16, *, alpha: bool = False) -> bytes:
    """A lossless picture's first bytes, as a chunk."""
    return riff_chunk(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | (height - 1) << 14 | alpha << 28) + b"\0")


def vp8x(flags: int = 0, width: int = 16, height: int = 16) -> bytes:
    """The extended header."""
    return riff_chunk(
        b"VP8X", struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    )


def anim(plays: int) -> bytes:
    """The animation's header."""
    return riff_chunk(b"ANIM", struct.pack("<IH", 0, plays))


def anmf(duration: int, *chunks: bytes, width: int = 16, height: int = 16) -> bytes:
    """One animation frame of `chunks`."""
    corner = b"\0" * 6 + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return riff_chunk(b"ANMF", corner + struct.pack("<I", duration)[:3] + b"\0" + (b"".join(chunks) or vp8()))


def profile_segments(*pieces: bytes) -> list[bytes]:
    """The APP2 segments of an ICC profile cut into pieces."""
    return [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece) for number, piece in enumerate(pieces, 1)
    ]


def multi_picture(count: int) -> bytes:
    """The MPF segment of a file with so many pictures."""
    return segment(0xE2, b"MPF\0" + tiff((0xB001, 4, 1, struct.pack(">I", count))))


SIGNATURE_SEGMENT = segment(0xEB, b"JP\0\1\0\0\0\1" + struct.pack(">I", 40) + b"jumb" + b"\0" * 32)
XMP = b"<x:xmpmeta><rdf:RDF><rdf:Description>%s</rdf:Description></rdf:RDF></x:xmpmeta>"
XMP_RIGHTS = XMP % (
    b"<dc:rights><rdf:Alt><rdf:li xml:lang='x-default'>&#169; Ann &amp; Bo</rdf:li>"
    b"<rdf:li xml:lang='de'>Alle Rechte bei Ann</rdf:li></rdf:Alt></dc:rights>"
)


@st.composite
def damaged(draw: st.DrawFn, images: Sequence[bytes] | None = None) -> bytes:
    """A small image that was cut, flipped, overwritten or had bytes inserted, at up to four places."""
    data = bytearray(draw(st.sampled_from(images or [path.read_bytes() for path in SAMPLES])))
    for _ in range(draw(st.integers(1, 4))):
        near_start = st.integers(0, min(200, len(data)))
        near_end = st.integers(max(0, len(data) - 100), len(data))
        at = draw(near_start | near_end | st.integers(0, len(data)))
        new = draw(st.sampled_from([b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0"]) | st.binary(max_size=8))
        gone = draw(st.sampled_from([0, 1, len(new), len(data)]))
        data[at : at + gone] = new
    return bytes(data)
