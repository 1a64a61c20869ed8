"""File names as people read and copy them. A name may hold anything that a repository can hold."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections.abc import Sequence

from ..core.text import shown

__all__ = [
    "called",
    "double_quoted",
    "fitting",
    "folder_of",
    "literal_pattern",
    "pathspec",
    "quoted",
    "shown",
    "with_variable",
]

GLOB = set("*?[\\")
SPECIAL = re.compile(r"([\\*?\[\]!# ])")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
POWERSHELL = os.name == "nt"
"""Commands are copied into PowerShell on Windows, and into a POSIX shell elsewhere."""

_PLAIN_IN_POWERSHELL = re.compile(r"[\w./\\:+-]+", re.ASCII)


def fitting(text: str, encoding: str | None) -> str:
    """Return `text` with control characters, and characters that `encoding` can't hold, escaped."""
    text = CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return text.encode(encoding or "ascii", "backslashreplace").decode(encoding or "ascii")


def quoted(name: str) -> str:
    """Return `name` as one word of a shell, never read as an option."""
    name = f"./{name}" if name.startswith("-") else name
    if POWERSHELL:
        return name if _PLAIN_IN_POWERSHELL.fullmatch(name) else "'" + name.replace("'", "''") + "'"
    if name.isprintable():
        return shlex.quote(name)
    # Bash, zsh and most other shells read this syntax, which spells out invisible characters.
    return "$'" + "".join(_spelled(letter) for letter in name) + "'"


def called(program: str) -> str:
    """Return `program` as the first word of a command: a quoted word is a text in PowerShell unless `&` calls it."""
    word = quoted(program)
    return f"& {word}" if POWERSHELL and word.startswith("'") else word


def with_variable(name: str, value: str, command: str) -> str:
    """Return `command` with an environment variable that is set for it."""
    return f"$env:{name}='{value}'; {command}; $env:{name}=$null" if POWERSHELL else f"{name}={value} {command}"


def _spelled(letter: str) -> str:
    if letter in "'\\":
        return "\\" + letter
    if letter.isprintable():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def pathspec(name: str, *, top: bool = False) -> str:
    """Return `name` as one word that git reads as this very file, whatever it begins with or holds.

    With `top` it is relative to the top of the work tree, wherever git is called.
    """
    if GLOB & set(name):
        return quoted(f":({'top,' if top else ''}literal){name}")
    if top:
        return quoted(f":/{name}")
    return quoted(f"./{name}" if name.startswith(":") else name)


def literal_pattern(name: str) -> str:
    """Return the gitignore pattern that matches only the file `name`, relative to the file that holds the pattern."""
    pattern = SPECIAL.sub(r"\\\1", name.replace(os.sep, "/"))
    return pattern if pattern.startswith("../") else "/" + pattern


def double_quoted(text: str) -> str:
    """Return `text` as a string of TOML and of YAML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in escaped) + '"'


def folder_of(names: Sequence[str]) -> str:
    """Return the deepest folder that holds all of `names`, "" if that is the root."""
    try:
        shared = posixpath.commonpath([posixpath.dirname(name.replace(os.sep, "/")) for name in names])
    except ValueError:  # absolute and relative names share nothing
        return ""
    return shared.rstrip("/")
