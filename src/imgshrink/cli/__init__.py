"""The command line: its group of commands, and the mapping of errors to exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn

import click

from .. import __version__
from ..core.errors import ImgshrinkError, SettingsError
from ..report.console import occupy_standard_streams
from ..report.quoting import shown
from .output import info

FINE, WRONG_USE, FAILURES, INTERRUPTED = 0, 2, 3, 130
COMMANDS = ("optimize", "warm", "check", "restore", "compare", "explain", "pages", "usage", "cache", "doctor", "server")
"""Each is defined in the module of the same name."""

SYNONYMS = {"shrink": "optimize", "compress": "optimize", "undo": "restore", "diff": "compare", "serve": "server"}
"""Words that other tools have for our commands."""


class Commands(click.Group):
    """A group that imports a command when it is used, so that each loads only what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own
        """Return the names in the order of the help text."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's own
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for; for a name that is nearly one, the error says which."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(SYNONYMS.get(args[0], args[0]), COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{near[0]}'?", ctx) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="imgshrink", message="%(prog)s %(version)s")
def group() -> None:
    """Shrink images once, and only once."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 fine, 1 images not shrunk, 2 wrong use or settings, 3 failures, 130 interrupted."""
    occupy_standard_streams()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return int(group.main(arguments, prog_name="imgshrink", standalone_mode=False) or FINE)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SettingsError as error:
        info(f"imgshrink: {error}")
        return WRONG_USE
    except ImgshrinkError as error:
        info(f"imgshrink: {error}")
        return FAILURES
    except (click.Abort, KeyboardInterrupt) as error:
        done = str(error.__cause__ or error)  # click raises its own error from the interrupt
        info(f"imgshrink: interrupted; no file is damaged. {done}".rstrip(". "))
        return INTERRUPTED
    except OSError as error:
        info(f"imgshrink: {_where(error)}{error.strerror or error}")
        return FAILURES
    except Exception:  # noqa: BLE001  an internal error must not end with the exit code of a failed check
        import traceback

        if sys.stderr is not None:
            traceback.print_exc()
        return FAILURES


def _where(error: OSError) -> str:
    """Return what the system names in an error, with a colon, "" where it names no file."""
    return "" if error.filename is None else f"{shown(os.fsdecode(error.filename))}: "
