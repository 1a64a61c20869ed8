"""Prints results to standard output, and everything else to standard error."""

from __future__ import annotations

import sys

import click

from ..core.errors import SettingsError
from ..report.console import drop, put

READER_GONE = 141
CLOSED = "{} is closed: nothing can be {} it"


def print_result(line: str) -> None:
    """Print a line of the result; where nobody reads it any more, end the command quietly."""
    if not put(sys.stdout, line):
        raise click.exceptions.Exit(READER_GONE)


def read_input(most: int = -1) -> bytes:
    """Return what standard input holds, at most so many bytes; raises `SettingsError` where it is closed."""
    if sys.stdin is None:
        raise SettingsError(CLOSED.format("standard input", "read from"))
    return sys.stdin.buffer.read(most)


def write_output(data: bytes) -> None:
    """Write bytes to standard output; where nobody reads them, end the command quietly.

    Raises `SettingsError` where it is closed.
    """
    if sys.stdout is None:
        raise SettingsError(CLOSED.format("standard output", "written to"))
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError:
        drop(sys.stdout)
        raise click.exceptions.Exit(READER_GONE) from None


def info(line: str) -> None:
    """Print a line about the run."""
    put(sys.stderr, line)
