"""Builds a command's options from the table of settings, and loads its settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..settings.load import load
from ..settings.schema import Settings, fields_of

F = TypeVar("F", bound=Callable[..., Any])

LISTS = ("include", "exclude")
SWITCHES = ("strict",)


def settings_options(*names: str) -> Callable[[F], F]:
    """Return a decorator that adds the options of the settings `names`; each is passed as text, or None."""

    def add(command: F) -> F:
        for row in reversed([row for row in fields_of("argument") if row.name in names]):
            command = _option(row.name, row.flag, f"{row.meaning} [{row.shown}]".replace("`", ""))(command)
        return command

    return add


def _option(name: str, flag: str, text: str) -> Callable[[F], F]:
    if name in SWITCHES:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if name in LISTS:
        return click.option(flag, name, multiple=True, metavar="PATTERN", help=text)
    return click.option(flag, name, metavar="VALUE", help=text)


def settings_of(
    arguments: Mapping[str, Any], *, start: Path | None = None, mkdocs: Mapping[str, object] | None = None
) -> Settings:
    """Load the settings for the working folder, or for a mkdocs.yml at `start`."""
    names = {row.name for row in fields_of("argument")}
    given = {name: value for name, value in arguments.items() if name in names and value not in (None, ())}
    return load(start or Path.cwd(), frontend="command", mkdocs=mkdocs, environ=os.environ, arguments=given)


def paths_argument(example: str) -> Callable[[F], F]:
    """Return a decorator that adds the files and folders; without any, wrong use with an example."""

    def required(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:  # noqa: ARG001  click's own
        if not value and not context.params.get("config_file"):
            raise click.UsageError(f"Name files or folders, for example: imgshrink {example}", context)
        return tuple(map(Path, value))

    return click.argument("paths", nargs=-1, type=click.Path(), callback=required)


def verbose_option(command: F) -> F:
    """Add `-v`, which lists every file and the sources of the settings."""
    return click.option("-v", "--verbose", is_flag=True, help="List every file, and where each setting comes from.")(
        command
    )
