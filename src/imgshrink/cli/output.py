"""Printing: results to standard output, everything else beside it, escaped where a stream can't hold a letter."""

from __future__ import annotations

import sys

import click

from ..report import fitting


def tell(line: str) -> None:
    """Print a line of the result."""
    click.echo(fitting(line, sys.stdout.encoding))


def say(line: str) -> None:
    """Print a line about the work."""
    click.echo(fitting(line, sys.stderr.encoding), err=True)
