"""Where results go: over the originals, over a build's copies, into another folder, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import SettingsError, Unreadable, Unwritable
from ..core.model import Source
from ..core.text import shown
from ..image.seal import unseal
from .atomic import write
from .discovery import ENDINGS
from .git import holds
from .paths import absolute
from .reader import read

if TYPE_CHECKING:
    from .originals import Originals


class InPlace:
    """Rewrites the original file; its bytes are backed up first, unless only the seal changes.

    Files that git ignores are not backed up, except those that are `named` explicitly; `unkept` collects their names.
    `sources` are those of the run: git is asked about all files of a repository together, when the first one is
    replaced.
    """

    def __init__(
        self, originals: Callable[[], Originals], sources: Iterable[Source] = (), *, named: Iterable[Path] = ()
    ) -> None:
        self.unkept: set[str] = set()
        self._originals = originals
        self._named = {absolute(path) for path in named}
        self._places = [place for source in sources if (place := absolute(source.path)) not in self._named]
        self._asked: dict[Path, _Answer] = {}

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace the file's bytes `seen` by `data`; raises `FileChanged` or `Unwritable`."""
        from .atomic import replace

        if unseal(seen) != unseal(data):
            self._keep(source, seen, data)
        replace(source.path, data, seen)

    def _keep(self, source: Source, seen: bytes, data: bytes) -> None:
        """Back up the original, unless git ignores the file; raises `Unwritable` where neither we nor git hold it."""
        from .git import Silent
        from .gitignore import repository_of

        place = absolute(source.path)
        repository = repository_of(place.parent)
        try:
            if repository is not None and place not in self._named and self._is_ignored(repository, place):
                self.unkept.add(source.name)
                return
        except Silent:  # without an answer of git, its files are backed up like those of any folder
            repository = None
        if not self._originals().store(seen, data, place) and not (repository and holds(repository, seen)):
            raise Unwritable("left as it is: its original can't be kept, and no git repository holds it")

    def _is_ignored(self, repository: Path, place: Path) -> bool:
        """Whether git ignores a file; asked about it alone where the common question failed. Raises `Silent`."""
        from .gitignore import ignored

        if repository not in self._asked:
            self._asked[repository] = _ask(repository, self._places)
        answer = self._asked[repository]
        return place in answer.ignored if place in answer.about else bool(ignored(repository, [place]))


@dataclass(frozen=True)
class _Answer:
    about: frozenset[Path] = frozenset()
    ignored: frozenset[Path] = frozenset()


def _ask(repository: Path, places: Iterable[Path]) -> _Answer:
    """Ask git about those of `places` that `repository` holds; an empty answer where git fails for any of them."""
    from .git import Silent
    from .gitignore import ignored, repository_of

    holders = {folder: repository_of(folder) for folder in {place.parent for place in places}}
    held = frozenset(place for place in places if holders[place.parent] == repository)
    try:
        return _Answer(held, frozenset(ignored(repository, sorted(held))))
    except Silent:
        return _Answer()


def in_build(source: Source, seen: bytes, data: bytes) -> None:
    """Replace the copy in a built site; nothing is backed up, because the original is elsewhere."""
    from .atomic import replace

    replace(source.path, data, seen, durable=False)


def nowhere(source: Source, seen: bytes, data: bytes) -> None:
    """Write nothing: the result is in the cache already."""


class Elsewhere:
    """Writes images to other files; `target_of` tells where each goes."""

    def __init__(self, target_of: Callable[[Source], Path]) -> None:
        self._target_of = target_of
        self._written: set[Source] = set()

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:  # noqa: ARG002 - the signature of Destination
        """Write `data` to its target, whole or not at all; raises `Unwritable`."""
        self._write(source, data)
        self._written.add(source)

    def complete(self, sources: Iterable[Source]) -> list[str]:
        """Copy the `sources` that have no result; return a line for each that failed."""
        notes = []
        for source in sources:
            try:
                if source not in self._written:
                    self._write(source, read(source.path, follow=False))
            except (Unreadable, Unwritable) as error:
                notes.append(f"{shown(source.path)} can't be copied: {error}")
        return notes

    def _write(self, source: Source, data: bytes) -> None:
        target = self._target_of(source)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unwritable(f"can't make {shown(target.parent)}: {error.strerror}") from error
        write(target, data)


def mirror(folder: Path, paths: Sequence[Path]) -> Elsewhere:
    """Return what writes the images at `paths` below `folder`, each at its path relative to their common folder.

    Raises `SettingsError` where `folder` is something else, and where it lies inside one of `paths` or contains one, so
    that no image is overwritten.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise SettingsError(f"{shown(folder)} is not a folder: name one, or a file with the ending of an image")
    for path in paths:
        if os.path.isdir(path) and _within(folder, path):
            raise SettingsError(
                f"{shown(folder)} lies inside of {shown(path)}, so that the next run would take its own results: "
                "choose a folder beside it"
            )
        if _within(path, folder):
            raise SettingsError(
                f"{shown(path)} lies inside of {shown(folder)}, where results could be written over images: "
                "choose a folder beside it"
            )
    top, base = absolute(folder), _base(paths)
    return Elsewhere(lambda source: top / absolute(source.path).relative_to(base))


def destination_at(output: Path, paths: Sequence[Path]) -> Elsewhere:
    """Return what writes the images at `paths` to `output`: into a folder, or to a file with the ending of an image.

    Raises `SettingsError` where such a file is meant for more than one image, or is the image itself.
    """
    if output.suffix.lower() not in ENDINGS or os.path.isdir(output):
        return mirror(output, paths)
    if len(paths) != 1 or os.path.isdir(paths[0]):
        raise SettingsError(f"{shown(output)} is a file for one image, and more are named: name a folder")
    if _within(output, paths[0]):
        raise SettingsError(f"{shown(output)} is the image itself: leave --output out to shrink it in place")
    if output.suffix.lower() not in _same_format(paths[0].suffix.lower()):
        raise SettingsError(
            f"{shown(output)}: images keep their format, so that the name must end like {shown(paths[0].name)}"
        )
    target = absolute(output)
    return Elsewhere(lambda _source: target)


def _same_format(suffix: str) -> tuple[str, ...]:
    """Return the endings of the format that `suffix` belongs to; all of them for an ending that names none."""
    formats = ((".png", ".apng"), (".jpg", ".jpeg", ".jpe", ".jfif"), (".gif",), (".webp",))
    return next((endings for endings in formats if suffix in endings), ENDINGS)


def _base(paths: Sequence[Path]) -> Path:
    folders = [absolute(path) if os.path.isdir(path) else absolute(path).parent for path in paths]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # two drives of Windows
        raise SettingsError("--output takes images of one drive: run it once for each drive") from None


def _within(folder: Path, outer: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(outer))
