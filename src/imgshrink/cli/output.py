"""Printing: results to standard output, everything else beside it, escaped where a stream can't hold a letter."""

from __future__ import annotations

import os
import sys

import click

from ..report import fitting

READER_GONE = 141


def tell(line: str) -> None:
    """Print a line of the result; where nobody reads any more, the command ends quietly."""
    try:
        click.echo(fitting(line, sys.stdout.encoding))
    except BrokenPipeError:
        # The interpreter must not complain about the closed pipe while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(READER_GONE) from None


def say(line: str) -> None:
    """Print a line about the work."""
    click.echo(fitting(line, sys.stderr.encoding), err=True)
