"""How parent and worker talk: a length, a JSON header that names the lengths of the blobs, the blobs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import IO

_LENGTH = struct.Struct(">I")


class BrokenFrame(Exception):
    """The other side ended, or what it sent is not a frame."""


def send(stream: IO[bytes], header: Mapping[str, object], blobs: Sequence[bytes]) -> None:
    """Write one frame and flush it."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, object], tuple[bytes, ...]]:
    """Read one frame; raises `BrokenFrame` at the end of the stream and for anything that is not a frame."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    try:
        header = json.loads(_exactly(stream, length))
        sizes = [int(size) for size in header.pop("blobs")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFrame("not a frame") from error
    return header, tuple(_exactly(stream, size) for size in sizes)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise BrokenFrame("the stream ended")
    return data
