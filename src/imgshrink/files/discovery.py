"""Finds the images below the paths that a person names."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..core.errors import SettingsError
from ..core.text import REPORT_MARK, shown
from . import gitignore
from .git import Silent

MOUNT_POINT = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT: what Windows calls a junction
NAMED = 3
MARKS = ("pyvenv.cfg", REPORT_MARK)
ENDINGS = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp")


class Rule(Protocol):
    """Says of an image whether it is meant."""

    def match(self, path: Path) -> bool:
        """Return whether the image at `path` is meant."""


@dataclass(frozen=True)
class Discovery:
    """What was found: images, those that the patterns exclude, and notes about paths that are left alone.

    `nested` are the git repositories inside of another that were not named, and so not searched.
    """

    found: list[Path] = field(default_factory=list)
    excluded: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    nested: list[Path] = field(default_factory=list)

    @property
    def hints(self) -> list[str]:
        """What a person may want to know, and is no trouble: one line about all nested repositories, or none."""
        if not self.nested:
            return []
        names = ", ".join(shown(path) for path in self.nested[:NAMED])
        if len(self.nested) == 1:
            return [f"{names} is a git repository of its own: not searched; name it to have its images shrunk"]
        more = f", and {len(self.nested) - NAMED} more" if len(self.nested) > NAMED else ""
        return [
            f"{len(self.nested)} folders are git repositories of their own ({names}{more}): "
            "not searched; name them to have their images shrunk"
        ]


def discover(paths: Sequence[Path], *, include: Rule | None = None, exclude: Rule | None = None) -> Discovery:
    """Find the images below `paths`, each once, in the order named and sorted below a folder.

    A file that is named is taken whatever its ending, a folder is searched for image endings. A git repository inside
    of another (a submodule, a clone) is searched only where it is named. Raises `SettingsError` for a missing path.
    """
    result = Discovery()
    seen: set[str] = set()
    for named in paths:
        for path in _below(named, result):
            place = _place(path)
            if place in seen:
                continue
            seen.add(place)
            out = (include is not None and not include.match(path)) or (exclude is not None and exclude.match(path))
            (result.excluded if out else result.found).append(path)
    named_places = {_place(named) for named in paths}
    result.nested[:] = [path for path in dict.fromkeys(result.nested) if _place(path) not in named_places]
    return result


def _below(named: Path, result: Discovery) -> list[Path]:
    try:
        status = named.lstat()
        folder = os.path.isdir(named)
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise SettingsError(f"{shown(named)}: {reason}") from error
    why = _why_not(named, status, folder=folder)
    if why:
        result.notes.append(f"{shown(named)} is {why}: left alone")
        return []
    return _walked(named, result) if folder else [named]


def _why_not(named: Path, status: os.stat_result, *, folder: bool) -> str:
    """Return why a named path is left alone, "" if it is not."""
    if ".git" in {part.lower() for part in Path(os.path.realpath(named)).parts}:
        return "inside of .git"
    if folder or stat.S_ISREG(status.st_mode):
        return ""
    return "a symlink" if stat.S_ISLNK(status.st_mode) else "not a file"


def _walked(top: Path, result: Discovery) -> list[Path]:
    """Return the images below a folder, without those that git ignores; all of them if git ignores the folder."""
    real = Path(os.path.realpath(top))
    scan = _Scan(result.notes)
    scan.run(top, real, gitignore.repository_of(real))
    out = scan.ignored(real)
    result.nested.extend(path for path, place in scan.nested if place not in out)
    return [image.path for image in scan.images if image.place not in out]


@dataclass(frozen=True)
class _Image:
    path: Path
    place: Path


@dataclass
class _Scan:
    """The images below a folder, and the repositories that hold them. Paths come twice: as named, without symlinks."""

    notes: list[str]
    images: list[_Image] = field(default_factory=list)
    nested: list[tuple[Path, Path]] = field(default_factory=list)
    asked: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def run(self, top: Path, real: Path, repository: Path | None) -> None:
        todo = [(top, real, repository)]
        while todo:
            path, place, around = todo.pop()
            is_repository = place != around and os.path.lexists(place / ".git")
            if is_repository and around is not None:
                self.nested.append((path, place))
                self.asked[around].append(place)
                continue
            files, folders = _entries(path, self.notes)
            held = place if is_repository else around
            for name in files:
                if name.lower().endswith(ENDINGS):
                    self._add(_Image(path / name, place / name), held)
            todo += [(path / name, place / name, held) for name in reversed(folders) if _entered(path / name)]

    def ignored(self, top: Path) -> set[Path]:
        """Return what git ignores of images and nested repositories; nothing where it ignores the named `top`."""
        answers = [_ask(repository, [top, *paths], self.notes) for repository, paths in self.asked.items()]
        return {path for answer in answers if top not in answer for path in answer}

    def _add(self, image: _Image, repository: Path | None) -> None:
        self.images.append(image)
        if repository is not None:
            self.asked[repository].append(image.place)


def _ask(repository: Path, paths: list[Path], notes: list[str]) -> set[Path]:
    try:
        return gitignore.ignored(repository, [path for path in paths if path.is_relative_to(repository)])
    except Silent as silent:
        notes.append(f"git does not say what it ignores in {shown(repository)}, so nothing of it is left out: {silent}")
        return set()


def _entries(folder: Path, notes: list[str]) -> tuple[list[str], list[str]]:
    """Return the names of plain files and of folders in a folder, sorted; symlinks and devices are neither."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    files.append(entry.name)
                elif entry.is_dir(follow_symlinks=False) and not _is_junction(entry):
                    folders.append(entry.name)
    except OSError as error:
        notes.append(f"{shown(folder)} can't be searched: {error.strerror}")
    return sorted(files, key=os.fsencode), sorted(folders, key=os.fsencode)


def _is_junction(entry: os.DirEntry[str]) -> bool:
    return getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0) == MOUNT_POINT


def _entered(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name == "node_modules":
        return False
    return not any(os.path.lexists(folder / mark) for mark in MARKS)


def _place(path: Path) -> str:
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  the file itself may not be resolved
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118  as above
