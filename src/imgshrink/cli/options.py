"""Builds a command's options from the table of settings, and loads its settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..files.paths import absolute
from ..settings.load import load
from ..settings.parsers import InvalidValue, RawValue, size
from ..settings.schema import Settings, fields_of
from .output import info

if TYPE_CHECKING:
    from .mkdocs_config import Build
    from .site_file import SiteFile


class PathName(click.Path):
    """A path. An empty word, as a variable leaves that is not set, is none: it would mean the working folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path; an empty word is wrong use."""
        if not value:
            self.fail("the name is empty; is a variable not set?", param, ctx)
        return super().convert(value, param, ctx)


F = TypeVar("F", bound=Callable[..., Any])

LISTS = ("include", "exclude", "pages_exclude")
SHORT = {"pages_formats": "--formats"}
SWITCHES = ("strict",)
METAVARS = {
    "engine": "auto|hosted|builtin",
    "quality": "1-100",
    "min_saving": "PERCENT",
    "min_size": "SIZE",
    "seal": "all|outputs|none",
    "embedded": "keep|drop",
    "jobs": "NUMBER",
    "max_uploads": "NUMBER",
    "max_time": "SECONDS",
    "cache_dir": "FOLDER",
    "cache_size": "SIZE",
    "report": "FILE",
    "pages": "off|reserve|modern",
    "pages_formats": "webp,avif",
    "pages_saving": "PERCENT",
    "pages_eager": "NUMBER",
    "shared_url": "URL",
    "shared_key": "KEY",
}
"""What stands for the value of an option in the help; the settings' own parsers say what is allowed."""


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
    flags = (flag, SHORT[name]) if name in SHORT else (flag,)
    return click.option(*flags, name, metavar=METAVARS[name], help=text)


def settings_of(arguments: Mapping[str, Any], *, build: Build | None = None) -> Settings:
    """Load the settings for the working folder, or for a `build`.

    The site's file in the working folder counts too. A hook does not look for it: its users have no MkDocs beside it.
    """
    names = {row.name for row in fields_of("argument")}
    given = {name: value for name, value in arguments.items() if name in names and value not in (None, ())}
    here = Path.cwd()
    site = build or (None if os.environ.get("PRE_COMMIT") else _found(here))
    if site is None:
        return load(here, environ=os.environ, arguments=given)
    return load(
        site.file, mkdocs=site.options, environ=os.environ, arguments=given, here=here, docs=absolute(site.docs)
    )


def _found(folder: Path) -> SiteFile | None:
    from .site_file import NoReader, find_site

    try:
        return find_site(folder)
    except NoReader as error:
        info(f"imgshrink: {error}")
        return None


def examples(*lines: str) -> str:
    """Return the end of a command's help: lines that can be copied."""
    return "\b\nExamples:\n" + "\n".join(f"  imgshrink {line}" for line in lines)


def build_option(command: F) -> F:
    """Add `-f`, the site's file; the command gets it as `config_file`."""
    text = "Use the docs folder and the settings of this mkdocs.yml or properdocs.yml."
    return click.option("-f", "--config-file", type=PathName(path_type=Path), is_eager=True, help=text)(command)


def build_from(config_file: Path | None) -> Build | None:
    """Return the build that `-f` names, None without it."""
    if config_file is None:
        return None
    from .mkdocs_config import build_of

    return build_of(config_file)


def named_or_docs(paths: tuple[Path, ...], build: Build | None) -> tuple[Path, ...]:
    """Return the `paths` that a person named, without any the docs folder of the build."""
    return paths or ((build.docs,) if build is not None else ())


INSTEAD_OF_PATHS = ("config_file", "files_from", "since")


def paths_argument(example: str, *, all_tracked: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds the files and folders; without any, wrong use with an example.

    With `all_tracked` none is needed: the command takes all that git tracks in the working folder.

    The options of `INSTEAD_OF_PATHS` say which files are meant; they must be eager, to be known by then.
    """

    def required(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:  # noqa: ARG001  click's own
        if not (value or all_tracked) and not any(context.params.get(name) for name in INSTEAD_OF_PATHS):
            raise click.UsageError(f"Name files or folders, for example: imgshrink {example}", context)
        return tuple(map(Path, value))

    return click.argument("paths", nargs=-1, type=PathName(), callback=required)


def size_of_option(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return the bytes of an option such as `500kB`; a callback of click."""
    try:
        return None if value is None else size(RawValue(value, text=True))
    except InvalidValue as error:
        raise click.BadParameter(f"{value!r}; it must be {error}", context, parameter) from None


def quiet_option(command: F) -> F:
    """Add `-q`, which leaves notes and errors only."""
    return click.option("-q", "--quiet", is_flag=True, help="Print only notes and errors.")(command)


def json_option(command: F) -> F:
    """Add `--json`, which replaces the text on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def verbose_option(command: F) -> F:
    """Add `-v`, which lists every file and the sources of the settings."""
    return click.option("-v", "--verbose", is_flag=True, help="List every file, and where each setting comes from.")(
        command
    )
