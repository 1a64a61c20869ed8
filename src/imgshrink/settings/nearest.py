"""The settings of each image: those of the nearest project file above it, as linters take them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .project import find_project

if TYPE_CHECKING:
    from .schema import Settings

PER_IMAGE = ("engine", "quality", "embedded", "include", "exclude", "overrides")
"""The settings that a nested project file decides for the images below it; the others hold for a whole run."""


class NearestSettings:
    """Finds the settings for images. `root` holds where no project file is nearer than its own.

    Raises `SettingsError` for a nested project file that is wrong.
    """

    def __init__(self, root: Settings) -> None:
        self._root = root
        self._by_folder: dict[Path, Settings] = {}
        self._by_file: dict[Path, Settings] = {}
        self._notes: list[str] = []

    def of(self, path: Path) -> Settings:
        """Return the settings for the image at `path`, relative or absolute."""
        folder = path.absolute().parent
        if folder not in self._by_folder:
            self._by_folder[folder] = self._find(folder)
        return self._by_folder[folder]

    def notes(self) -> list[str]:
        """Return a line for each nested project file that asks for what only a whole run can decide."""
        return list(self._notes)

    def _find(self, folder: Path) -> Settings:
        root = self._root
        if root.near is None or not os.path.isdir(folder):
            return root
        file = find_project(folder, root.home).file
        if file is None or file == root.project_file:
            return root
        if file not in self._by_file:
            self._by_file[file] = self._load(file)
        return self._by_file[file]

    def _load(self, file: Path) -> Settings:
        assert self._root.near is not None
        nested = self._root.near(file.parent)
        name = f"{file.parent.name}/{file.name}"
        ignored = [
            setting for setting, source in nested.sources.items() if str(file) in source and setting not in PER_IMAGE
        ]
        if ignored:
            self._notes.append(f"{name}: {', '.join(ignored)} hold only for runs that start in that folder")
        if self._root.privacy and not nested.privacy:
            nested = replace(nested, privacy=True)
        return nested
