"""Printing: results to standard output, everything else beside it."""

from __future__ import annotations

import sys

import click

from ..report.console import put

READER_GONE = 141


def tell(line: str) -> None:
    """Print a line of the result; where it can't be printed any more, the command ends quietly."""
    if not put(sys.stdout, line):
        raise click.exceptions.Exit(READER_GONE)


def say(line: str) -> None:
    """Print a line about the work."""
    put(sys.stderr, line)
