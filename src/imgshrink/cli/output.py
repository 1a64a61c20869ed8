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
        raise click.exceptions.Exit(reader_gone()) from None


def say(line: str) -> None:
    """Print a line about the work."""
    click.echo(fitting(line, sys.stderr.encoding), err=True)


def reader_gone() -> int:
    """Keep the interpreter from complaining about the closed pipe while it ends; return the exit code for that."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE
