"""What the bytes of an image say about it, read from its container alone: no pixel is decoded, no name is trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import unpack_from

from ..core.model import Format, ImageInfo
from . import exif
from .containers import Part, checksum_right, cut, end, identify, inner_chunks, parts
from .scans import all_coefficients, count_scans
from .signatures import name

PNG_COLOUR_CHUNKS = ("iCCP", "sRGB", "gAMA", "cHRM", "cICP", "mDCV", "cLLI")

_Facts = dict[str, object]


def sniff(data: bytes) -> ImageInfo | None:
    """Describe the image, None where the bytes are none of the four formats or are cut before the size is known."""
    format = identify(data)
    if format is None:
        return None
    walked = tuple(parts(data, format))
    facts = _READERS[format](data, walked)
    if not facts or not facts["width"] or not facts["height"]:
        return None
    finish = end(data, format, walked)
    trailing = 0 if finish is None else len(data) - finish
    complete = finish is not None and (format is not Format.JPEG or all_coefficients(data, walked))
    return ImageInfo(format=format, complete=complete, trailing=trailing, **facts)  # type: ignore[arg-type]  # facts' names are checked by every test


def describe(data: bytes) -> str:
    """Say for a person what bytes are that imgshrink can't treat; for a whole image its format."""
    format = identify(data)
    if format is None:
        return name(data)
    if end(data, format) is not None and (info := sniff(data)):
        return f"{format.name} image" if info.complete else "scans are missing"
    return "file ends early" if cut(data, format) else "file is damaged"


def multi_picture_count(data: bytes, walked: Sequence[Part]) -> int:
    """Count the images that a JPEG's MPF segment lists (CIPA DC-007), 1 where there is none."""
    for part in walked:
        if part.kind == "APP2" and data[part.body : part.body + 4] == b"MPF\0":
            return max(1, exif.number(data[part.body + 4 : part.body_end], 0xB001))
    return 1


def read_exif(data: bytes, walked: Sequence[Part]) -> exif.Exif:
    """Read the first EXIF in a container, wherever its format keeps it; a PNG chunk counts if its checksum is right."""
    for part in walked:
        jpeg = part.kind == "APP1" and data.startswith(b"Exif\0", part.body)
        if jpeg or part.kind == "EXIF" or (part.kind == "eXIf" and checksum_right(data, part)):
            return exif.read(data[part.body : part.body_end])
    return exif.Exif()


def _signed(data: bytes, part: Part) -> bool:
    """Tell whether a part is where C2PA puts its manifest (C2PA specification, appendix A)."""
    if part.kind == "APP11":
        return data[part.body : part.body + 2] == b"JP" and data[part.body + 12 : part.body + 16] == b"jumb"
    if part.kind == "extension:application":
        return data[part.body + 1 : part.body + 9] == b"C2PA_GIF"
    return part.kind in ("caBX", "C2PA")


def _read_jpeg(data: bytes, walked: Sequence[Part]) -> _Facts:
    frame = next((part for part in walked if part.kind.startswith("SOF")), None)
    if frame is None or frame.body_end - frame.body < 6:
        return {}
    depth, height, width, components = unpack_from(">BHHB", data, frame.body)
    applications = [(part.kind, data[part.body : part.body_end]) for part in walked if part.kind.startswith("APP")]
    return {
        "width": width,
        "height": height or _lines(data, walked),
        "orientation": read_exif(data, walked).orientation,
        "depth": depth,
        "colour": _jpeg_colour(components, data[frame.body + 6 : frame.body_end], applications),
        "colour_chunks": ("ICC",) if any(_is_profile(kind, body) for kind, body in applications) else (),
        "image_count": multi_picture_count(data, walked),
        "signed": any(_signed(data, part) for part in walked),
        "arithmetic": int(frame.kind[3:]) >= 9,
        "scans": count_scans(walked),
    }


def _is_profile(kind: str, body: bytes) -> bool:
    return kind == "APP2" and body.startswith(b"ICC_PROFILE\0")


def _lines(data: bytes, walked: Sequence[Part]) -> int:
    """The height that a DNL segment gives behind the first scan where the frame's header leaves it 0."""
    return next((int.from_bytes(data[part.body : part.body + 2], "big") for part in walked if part.kind == "DNL"), 0)


def _jpeg_colour(components: int, ids: bytes, applications: Sequence[tuple[str, bytes]]) -> str:
    if components != 3:
        return {1: "grey", 4: "cmyk"}.get(components, "yuv")
    adobe = next((body for kind, body in applications if kind == "APP14" and body.startswith(b"Adobe")), b"")
    if any(kind == "APP0" and body.startswith(b"JFIF\0") for kind, body in applications):
        return "yuv"
    return "rgb" if adobe[11:12] == b"\0" or (not adobe and ids[::3] == b"RGB") else "yuv"


def _read_png(data: bytes, walked: Sequence[Part]) -> _Facts:
    if len(walked) < 2 or walked[1].kind != "IHDR" or walked[1].body_end - walked[1].body < 10:
        return {}
    width, height, depth, colour = unpack_from(">IIBB", data, walked[1].body)
    sound = [part for part in walked if part.kind[0].islower() and checksum_right(data, part)]
    kinds = {part.kind for part in sound}
    return {
        "width": width,
        "height": height,
        "orientation": read_exif(data, walked).orientation,
        "alpha": colour in (4, 6) or "tRNS" in kinds,
        "depth": depth,
        "colour": {0: "grey", 3: "palette", 4: "grey"}.get(colour, "rgb"),
        "colour_chunks": tuple(name for name in PNG_COLOUR_CHUNKS if name in kinds),
        "signed": "caBX" in kinds,
        "lossless": True,
        **_read_apng(data, walked),
    }


def _read_apng(data: bytes, walked: Sequence[Part]) -> _Facts:
    """An animation of one frame keeps its duration: the default image that other decoders show may be another."""
    control = next((part for part in walked if part.kind in ("acTL", "IDAT")), None)
    if control is None or control.kind == "IDAT" or control.body_end - control.body != 8:
        return {}
    frames = [part for part in walked if part.kind == "fcTL" and part.body_end - part.body == 26]
    durations = []
    for part in frames:
        numerator, denominator = unpack_from(">HH", data, part.body + 20)
        durations.append(round(1000 * numerator / (denominator or 100)))
    plays = int.from_bytes(data[control.body + 4 : control.body + 8], "big")
    return {"frames": len(frames), "durations": tuple(durations), "loop": plays} if frames else {}


def _read_gif(data: bytes, walked: Sequence[Part]) -> _Facts:
    images = [part for part in walked if part.kind == "image"]
    if not walked:
        return {}
    width, height = unpack_from("<HH", data, 6)
    if images and not (width and height):
        left, top, wide, high = unpack_from("<HHHH", data, images[0].body)
        width, height = width or left + wide, height or top + high
    durations, transparent = _gif_timing(data, walked)
    animated = len(images) > 1
    return {
        "width": width,
        "height": height,
        "frames": max(1, len(images)),
        "durations": durations if animated else (),
        "loop": _gif_plays(data, walked) if animated else 1,
        "alpha": transparent,
        "colour": "palette",
        "signed": any(_signed(data, part) for part in walked),
        "lossless": True,
    }


def _gif_timing(data: bytes, walked: Sequence[Part]) -> tuple[tuple[int, ...], bool]:
    """Delays as stored, in milliseconds (browsers take 10 for 100), and whether a frame has a transparent index."""
    durations, delay, transparent, any_transparent = [], 0, False, False
    for part in walked:
        if part.kind == "extension:graphic" and part.body_end - part.body >= 5:
            transparent, delay = bool(data[part.body + 1] & 1), 10 * unpack_from("<H", data, part.body + 2)[0]
        elif part.kind == "image":
            durations.append(delay)
            any_transparent = any_transparent or transparent
            delay, transparent = 0, False
    return tuple(durations), any_transparent


def _gif_plays(data: bytes, walked: Sequence[Part]) -> int:
    """NETSCAPE's number counts repetitions: browsers play n + 1 times, and once without the block."""
    plays = 1
    for part in walked:
        if part.kind != "extension:application":
            continue
        body = data[part.body : part.body_end]
        looping = body.startswith((b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0"))
        if looping and len(body) >= 16 and body[13] & 7 == 1:
            repetitions = int.from_bytes(body[14:16], "little")
            plays = repetitions + 1 if repetitions else 0
    return plays


def _read_webp(data: bytes, walked: Sequence[Part]) -> _Facts:
    kinds = {part.kind: part for part in reversed(walked)}
    frames = [part for part in walked if part.kind == "ANMF" and part.body_end - part.body >= 16]
    inside = [chunk for frame in frames for chunk in inner_chunks(data, frame)]
    streams = [part for part in (inside or walked) if part.kind in ("VP8 ", "VP8L")]
    size, alpha = _webp_canvas(data, kinds.get("VP8X"), streams)
    animated = len(frames) > 1
    plays = int.from_bytes(data[kinds["ANIM"].body + 4 : kinds["ANIM"].body + 6], "little") if "ANIM" in kinds else 1
    lossless = bool(streams) and all(part.kind == "VP8L" for part in streams)
    return {
        "width": size[0],
        "height": size[1],
        "frames": max(1, len(frames)),
        "durations": tuple(_uint24(data, frame.body + 12) for frame in frames) if animated else (),
        "loop": plays if animated else 1,
        "orientation": read_exif(data, walked).orientation,
        "alpha": alpha or any(part.kind == "ALPH" for part in (inside or walked)),
        "colour": "rgb" if lossless else "yuv",
        "colour_chunks": ("ICC",) if "ICCP" in kinds else (),
        "signed": "C2PA" in kinds,
        "lossless": lossless,
    }


def _webp_canvas(data: bytes, extended: Part | None, streams: Sequence[Part]) -> tuple[tuple[int, int], bool]:
    alpha = any(part.kind == "VP8L" and data[part.body + 4 : part.body + 5] >= b"\x10" for part in streams)
    if extended is not None and extended.body_end - extended.body >= 10:
        size = _uint24(data, extended.body + 4) + 1, _uint24(data, extended.body + 7) + 1
        return size, alpha or bool(data[extended.body] & 0x10)
    return _webp_stream_size(data, streams[0]) if streams else (0, 0), alpha


def _webp_stream_size(data: bytes, part: Part) -> tuple[int, int]:
    body = data[part.body : min(part.body + 10, part.body_end)]
    if part.kind == "VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if part.kind == "VP8 " and len(body) == 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _uint24(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


_READERS: dict[Format, Callable[[bytes, Sequence[Part]], _Facts]] = {
    Format.JPEG: _read_jpeg,
    Format.PNG: _read_png,
    Format.GIF: _read_gif,
    Format.WEBP: _read_webp,
}
