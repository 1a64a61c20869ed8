"""Adds patterns to the `exclude` of a project file; comments and layout of the file stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ..core.errors import SettingsError
from ..core.text import shown
from ..files.atomic import write
from ..files.paths import absolute, in_utf8
from ..report.quoting import double_quoted, literal_pattern
from ..settings.project import OWN, Project
from ..settings.toml import parse_toml, read, text_of


def pattern_of(path: Path, base: Path) -> str:
    """Return the gitignore pattern that matches only the file at `path`, for a project file in `base`.

    Raises `SettingsError` for a file outside of `base`.
    """
    file, folder = absolute(path), absolute(base)
    if not file.is_relative_to(folder):
        raise SettingsError(f"{shown(path)} lies outside of {shown(folder)}, whose settings can't exclude it")
    return literal_pattern(in_utf8(file.relative_to(folder).as_posix()))


def add_excludes(project: Project, patterns: Iterable[str]) -> Path:
    """Add `patterns` to the `exclude` of the project file, which is created if there is none; return the file.

    Raises `SettingsError` that says what to add by hand where the file can't be edited.
    """
    file = project.file or project.folder / OWN
    listed = project.values.get("exclude", [])
    new = [pattern for pattern in patterns if not isinstance(listed, list) or pattern not in listed]
    if not new:
        return file
    try:
        "".join(new).encode()
    except UnicodeEncodeError:
        raise SettingsError(
            f"a name that is not UTF-8 can't stand in {file}: rename the file, or exclude its folder"
        ) from None
    text = text_of(read(file)) if project.file else ""
    try:
        edited = _appended(text, new, file)
    except ValueError as error:  # tomlkit and tomllib both raise subclasses of it
        raise SettingsError(f"add this to exclude in {file} by hand: {', '.join(map(double_quoted, new))}") from error
    write(file, edited.encode())
    return file


def _appended(text: str, patterns: Iterable[str], file: Path) -> str:
    """Return `text` with `patterns` at the end of `exclude`; raises `ValueError` where something else would change."""
    import tomlkit

    document = tomlkit.parse(text)
    table: MutableMapping[str, Any] = document if file.name == OWN else document["tool"]["imgshrink"]
    before = table.unwrap()  # type: ignore[attr-defined]
    if "exclude" not in table:
        table["exclude"] = tomlkit.array().multiline(True)
    if not isinstance(table["exclude"], list):
        raise ValueError("exclude is no list")  # noqa: TRY004  the caller handles one kind of error
    for pattern in patterns:
        table["exclude"].append(tomlkit.value(double_quoted(pattern)))
    edited = tomlkit.dumps(document)
    if "\r\n" in text:
        edited = re.sub(r"\r?\n", "\r\n", edited)
    wanted = before | {"exclude": [*before.get("exclude", []), *patterns]}
    if _values(file, edited) != wanted:
        raise ValueError("the edited file would say something else")
    return edited


def _values(file: Path, text: str) -> Mapping[str, object]:
    values: Mapping[str, Any] = parse_toml(file, text.encode())
    return values if file.name == OWN else values["tool"]["imgshrink"]
