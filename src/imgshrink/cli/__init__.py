"""The command: its groups, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .. import __version__
from ..errors import ImgshrinkError, SettingsError
from .cache import cache
from .check import check
from .look import doctor, explain
from .output import reader_gone, say
from .server import server
from .shrink import optimize, warm
from .undo import restore

FINE, WRONG_USE, FAILURES, INTERRUPTED = 0, 2, 3, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="imgshrink", message="%(prog)s %(version)s")
def group() -> None:
    """Shrink images once, and only once."""


for command in (optimize, warm, check, restore, explain, cache, doctor, server):
    group.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 fine, 1 unfinished images, 2 wrong use or settings, 3 failures, 130 interrupted."""
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = reader_gone()
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return int(group.main(arguments, prog_name="imgshrink", standalone_mode=False) or FINE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SettingsError as error:
        say(f"imgshrink: {error}")
        return WRONG_USE
    except ImgshrinkError as error:
        say(f"imgshrink: {error}")
        return FAILURES
    except (click.Abort, KeyboardInterrupt):
        say("imgshrink: interrupted; every file is whole")
        return INTERRUPTED
