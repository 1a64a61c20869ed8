"""Finding the images below the paths that a person names."""

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
MARKS = ("pyvenv.cfg", REPORT_MARK)
ENDINGS = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp")


class Rule(Protocol):
    """Says of an image whether it is meant."""

    def match(self, path: Path) -> bool:
        """Return whether the image at `path` is meant."""


@dataclass(frozen=True)
class Discovery:
    """What was found: images, those that the patterns leave out, and notes about named paths that are left alone."""

    found: list[Path] = field(default_factory=list)
    excluded: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def discover(paths: Sequence[Path], *, include: Rule | None = None, exclude: Rule | None = None) -> Discovery:
    """Find the images below `paths`, each once, in the order named and sorted below a folder.

    A file named itself is taken whatever it is called, a folder is searched for image endings. Raises `SettingsError`
    for a path that is not there.
    """
    result = Discovery()
    seen: set[str] = set()
    for named in paths:
        for path in _below(named, result.notes):
            place = _place(path)
            if place in seen:
                continue
            seen.add(place)
            out = (include is not None and not include.match(path)) or (exclude is not None and exclude.match(path))
            (result.excluded if out else result.found).append(path)
    return result


def _below(named: Path, notes: list[str]) -> list[Path]:
    try:
        status = named.lstat()
        folder = named.is_dir()
    except OSError as error:
        reason = "no such file or folder" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise SettingsError(f"{shown(named)}: {reason}") from error
    why = _why_not(named, status, folder=folder)
    if why:
        notes.append(f"{shown(named)} is {why}: left alone")
        return []
    return _walked(named, notes) if folder else [named]


def _why_not(named: Path, status: os.stat_result, *, folder: bool) -> str:
    """Why a path is left alone though it is named; "" if it is not."""
    if ".git" in {part.lower() for part in Path(os.path.realpath(named)).parts}:
        return "inside of .git"
    if folder or stat.S_ISREG(status.st_mode):
        return ""
    return "a symlink" if stat.S_ISLNK(status.st_mode) else "not a file"


def _walked(top: Path, notes: list[str]) -> list[Path]:
    """The images below a folder, without what git ignores there; all of them if git ignores the folder itself."""
    real = Path(os.path.realpath(top))
    scan = _Scan(notes)
    scan.run(top, real, gitignore.repository_of(real))
    out = scan.ignored(real)
    return [image.path for image in scan.images if image.place not in out and image.repository not in out]


@dataclass(frozen=True)
class _Image:
    path: Path
    place: Path
    repository: Path | None


@dataclass
class _Scan:
    """The images below a folder, and the repositories that hold them. Two paths: as named, and without symlinks."""

    notes: list[str]
    images: list[_Image] = field(default_factory=list)
    asked: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def run(self, top: Path, real: Path, repository: Path | None) -> None:
        todo = [(top, real, repository)]
        while todo:
            path, place, around = todo.pop()
            files, folders = _entries(path, self.notes)
            held = self._repository(place, around)
            for name in files:
                if name.lower().endswith(ENDINGS):
                    self._add(_Image(path / name, place / name, held))
            todo += [(path / name, place / name, held) for name in reversed(folders) if _entered(path / name)]

    def ignored(self, top: Path) -> set[Path]:
        """What git ignores of the images and of the repositories inside of repositories.

        Where it ignores `top` itself, which was named, its answer is not wanted.
        """
        answers = [_ask(repository, [top, *paths], self.notes) for repository, paths in self.asked.items()]
        return {path for answer in answers if top not in answer for path in answer}

    def _repository(self, place: Path, around: Path | None) -> Path | None:
        if place == around or not os.path.lexists(place / ".git"):
            return around
        if around is not None:
            self.asked[around].append(place)
        return place

    def _add(self, image: _Image) -> None:
        self.images.append(image)
        if image.repository is not None:
            self.asked[image.repository].append(image.place)


def _ask(repository: Path, paths: list[Path], notes: list[str]) -> set[Path]:
    try:
        return gitignore.ignored(repository, [path for path in paths if path.is_relative_to(repository)])
    except Silent as silent:
        notes.append(f"git does not say what it ignores in {shown(repository)}, so nothing of it is left out: {silent}")
        return set()


def _entries(folder: Path, notes: list[str]) -> tuple[list[str], list[str]]:
    """The names of plain files and of folders in a folder, sorted; what is a symlink or a device is neither."""
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
