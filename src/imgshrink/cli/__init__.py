"""The command: its groups, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from .. import __version__
from ..core.errors import ImgshrinkError, SettingsError
from .output import say

FINE, WRONG_USE, FAILURES, INTERRUPTED = 0, 2, 3, 130
COMMANDS = ("optimize", "warm", "check", "restore", "explain", "usage", "cache", "doctor", "server")
"""Each is defined in the module of its own name."""


class Commands(click.Group):
    """A group whose commands are imported when they are asked for: each then loads only what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's own
        """Return the names, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's own
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="imgshrink", message="%(prog)s %(version)s")
def group() -> None:
    """Shrink images once, and only once."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit: 0 fine, 1 unfinished images, 2 wrong use or settings, 3 failures, 130 interrupted."""
    sys.exit(_run(arguments))


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
    except Exception:  # noqa: BLE001  an error of ours must not look like the check's 1
        import traceback

        if sys.stderr is not None:
            traceback.print_exc()
        return FAILURES
