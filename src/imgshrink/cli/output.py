"""Prints results to standard output, and everything else to standard error."""

from __future__ import annotations

import sys

import click

from ..report.console import put

READER_GONE = 141


def print_result(line: str) -> None:
    """Print a line of the result; where nobody reads it any more, end the command quietly."""
    if not put(sys.stdout, line):
        raise click.exceptions.Exit(READER_GONE)


def info(line: str) -> None:
    """Print a line about the run."""
    put(sys.stderr, line)
