"""Adding to the `exclude` of a project file without touching anything else in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import shown
from ..files.atomic import write
from ..files.paths import absolute
from ..settings.project import OWN, Project
from ..settings.toml import parse_toml, read, text_of

LIST = re.compile(r"^exclude[ \t]*=[ \t]*\[", re.MULTILINE)
NEXT = re.compile(r"^\[", re.MULTILINE)
TABLE = re.compile(r"^\[tool\.imgshrink\][^\n]*\n?", re.MULTILINE)
SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def pattern_of(path: Path, base: Path) -> str:
    """Return the gitignore pattern that matches the file at `path` alone, for a file in `base`.

    Raises `SettingsError` for what lies outside of `base`.
    """
    place, folder = absolute(path), absolute(base)
    if not place.is_relative_to(folder):
        raise SettingsError(f"{shown(path)} lies outside of {shown(folder)}, whose settings can't exclude it")
    inner = place.relative_to(folder).as_posix()
    return "/" + SPECIAL.sub(r"\\\1", inner)


def add_excludes(project: Project, patterns: Iterable[str]) -> Path:
    """Add `patterns` to the `exclude` of the project file, or of a new one; return the file.

    Raises `SettingsError` with what to add by hand where the file is written in a way that this does not know.
    """
    file = project.file or project.folder / OWN
    listed = _listed(project.values)
    wanted = [pattern for pattern in patterns if pattern not in listed]
    if not all(map(_is_text, wanted)):
        raise SettingsError(f"a name that is not UTF-8 can't stand in {file}: rename the file, or exclude its folder")
    text = text_of(read(file)) if project.file else ""
    written = _inserted(text, "".join(f"\n  {_quoted(pattern)}," for pattern in wanted), file.name) if wanted else text
    try:
        understood = _listed(_values(file, written)) == [*wanted, *listed]
    except SettingsError:
        understood = False
    if not understood:
        raise SettingsError(f"add this to exclude in {file} by hand: {', '.join(map(_quoted, wanted))}")
    write(file, written.encode())
    return file


def _inserted(text: str, rows: str, name: str) -> str:
    header = TABLE.search(text) if name != OWN else None
    start = header.end() if header else 0
    following = NEXT.search(text, start)
    found = LIST.search(text, start, following.start() if following else len(text))
    if not found:
        return f"{text[:start]}exclude = [{rows}\n]\n{text[start:]}"
    rest = text[found.end() :]
    return text[: found.end()] + rows + ("" if rest.startswith(("\n", "\r\n")) else "\n") + rest


def _values(file: Path, text: str) -> Mapping[str, object]:
    values = parse_toml(file, text.encode())
    if file.name == OWN:
        return values
    tools = values.get("tool")
    inner = tools.get("imgshrink") if isinstance(tools, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _listed(values: Mapping[str, object]) -> list[str]:
    listed = values.get("exclude", [])
    return [str(pattern) for pattern in listed] if isinstance(listed, list) else []


def _quoted(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in escaped) + '"'


def _is_text(pattern: str) -> bool:
    return pattern.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in pattern)
