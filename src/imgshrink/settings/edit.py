"""Adding to the `exclude` of a project file without touching anything else in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import SettingsError
from .project import OWN, Project
from .toml import parse_toml

LIST = re.compile(r"^exclude[ \t]*=[ \t]*\[", re.MULTILINE)
TABLE = re.compile(r"^\[tool\.imgshrink\][^\n]*\n?", re.MULTILINE)
SPECIAL = re.compile(r"([\\*?\[\]!# ])")


def pattern_of(path: Path, base: Path) -> str:
    """Return the gitignore pattern that matches the file at `path` alone, for a file in `base`."""
    inner = path.absolute().relative_to(base.absolute()).as_posix()
    return "/" + SPECIAL.sub(r"\\\1", inner)


def add_excludes(project: Project, patterns: Iterable[str]) -> Path:
    """Add `patterns` to the `exclude` of the project file, or of a new one; return the file.

    Raises `SettingsError` with the line to add by hand where the file is written in a way that this does not know.
    """
    file = project.file or project.folder / OWN
    wanted = [pattern for pattern in patterns if pattern not in _listed(project.values)]
    if not wanted:
        return file
    if not all(map(_is_text, wanted)):
        raise SettingsError(f"a name that is not UTF-8 can't stand in {file}: rename the file, or exclude its folder")
    rows = "".join(f"\n  {_quoted(pattern)}," for pattern in wanted)
    text = file.read_text(encoding="utf-8") if project.file else ""
    written = _inserted(text, rows, shared=file.name != OWN)
    if _listed(_values(file, written)) != [*wanted, *_listed(project.values)]:
        raise SettingsError(f"add this to exclude in {file} by hand: {', '.join(map(_quoted, wanted))}")
    file.write_text(written, encoding="utf-8")
    return file


def _inserted(text: str, rows: str, *, shared: bool) -> str:
    start = 0
    if shared:
        table = TABLE.search(text)
        start = table.end() if table else len(text)
    found = LIST.search(text, start)
    if found:
        return text[: found.end()] + rows + "\n" * (text[found.end()] != "\n") + text[found.end() :]
    return f"{text[:start]}exclude = [{rows}\n]\n{text[start:]}"


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
