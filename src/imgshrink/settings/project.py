"""The project file: the nearest `imgshrink.toml`, or `pyproject.toml` with `[tool.imgshrink]`, upward from a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import SettingsError
from .toml import parse_toml, read, read_toml

OWN = "imgshrink.toml"
SHARED = "pyproject.toml"


@dataclass(frozen=True)
class Project:
    """The project file's settings. `file` is None where there is none; `folder` is then the folder searched from."""

    folder: Path
    file: Path | None = None
    values: Mapping[str, object] = field(default_factory=dict)


def find_project(start: Path, home: Path) -> Project:
    """Return the nearest project file's settings; raises `SettingsError` where one folder holds two."""
    for folder in _upward(start, home):
        own, shared = _own(folder / OWN), _shared(folder / SHARED)
        if own is not None and shared is not None:
            raise SettingsError(
                f"{folder / OWN} and {folder / SHARED} ([tool.imgshrink]) both hold settings: keep one of them"
            )
        if own is not None:
            return Project(folder, folder / OWN, own)
        if shared is not None:
            return Project(folder, folder / SHARED, shared)
    return Project(start)


def _upward(start: Path, home: Path) -> Iterator[Path]:
    yield start
    for inner, folder in zip((start, *start.parents), start.parents, strict=False):
        if os.path.exists(inner / ".git") or folder == home or folder == folder.parent:
            return
        yield folder


def _own(file: Path) -> Mapping[str, object] | None:
    if not os.path.isfile(file):
        return None
    values = read_toml(file)
    if "tool" in values or "imgshrink" in values:
        raise SettingsError(
            f"{file}: settings belong at the top of this file, without a [tool.imgshrink] line above them"
        )
    return values


def _shared(file: Path) -> Mapping[str, object] | None:
    # Most pyproject.toml hold no settings of imgshrink, and a broken one is another tool's problem: don't parse those.
    data = read(file) if os.path.isfile(file) else b""
    if b"imgshrink" not in data:
        return None
    tools = parse_toml(file, data).get("tool")
    values = tools.get("imgshrink") if isinstance(tools, Mapping) else None
    if values is not None and not isinstance(values, Mapping):
        raise SettingsError(f"{file}: tool.imgshrink must be a table: [tool.imgshrink]")
    return values
