"""Prints lines to streams of any encoding, closed and full ones included."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

from .quoting import fitting

STANDARD_ERROR = 2


def put(stream: TextIO | None, line: str) -> bool:
    """Print a line and flush; return False if the stream is full, or its reader is gone.

    None is a stream that was closed before the program started; the line is dropped.
    """
    if stream is None:
        return True
    try:
        stream.write(fitting(line, stream.encoding) + "\n")
        stream.flush()
    except (OSError, ValueError):
        drop(stream)
        return False
    return True


def drop(stream: TextIO) -> None:
    """Let a broken stream lead nowhere: otherwise the interpreter reports it again when it exits."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def occupy_standard_streams() -> None:
    """Open the null device as each of the descriptors 0 to 2 that was closed when the program started.

    Otherwise the next file that is opened gets that number, and holds whatever is printed to the stream: by a library,
    or by a program that inherits it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether the stream is a terminal."""
    return stream is not None and stream.isatty()
