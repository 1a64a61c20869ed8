"""Printing lines for people, whatever the stream can hold, and whether or not anybody reads."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TextIO

from .quoting import fitting


def put(stream: TextIO | None, line: str) -> bool:
    """Print a line at once; return False where the stream is full, or nobody reads it any more.

    None is a stream that was closed before the program began: nobody wants to read it.
    """
    if stream is None:
        return True
    try:
        stream.write(fitting(line, stream.encoding) + "\n")
        stream.flush()
    except (OSError, ValueError):
        # The interpreter must not complain about the stream while it ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person watches the stream."""
    return stream is not None and stream.isatty()
