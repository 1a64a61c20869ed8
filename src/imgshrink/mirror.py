"""Another folder that gets every image: shrunk where something was gained, else as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .errors import SettingsError, Unwritable
from .files import write
from .model import Source
from .names import absolute, shown


class Mirror:
    """A `Place` below `folder` for the images at `paths`, each at the path it has below the folder that they share.

    Raises `SettingsError` where `folder` lies inside of `paths` or holds one of them, so that no image is written over.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        for path in paths:
            if path.is_dir() and _within(folder, path):
                raise SettingsError(
                    f"{shown(folder)} lies inside of {shown(path)}, so that the next run would take its own results: "
                    "choose a folder beside it"
                )
            if _within(path, folder):
                raise SettingsError(
                    f"{shown(path)} lies inside of {shown(folder)}, where results could be written over images: "
                    "choose a folder beside it"
                )
        self._folder = absolute(folder)
        self._base = _base(paths)
        self._written: set[Source] = set()

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:  # noqa: ARG002 - the signature of Place
        """Write `data` to its target, whole or not at all; raises `Unwritable`."""
        self._write(source, data)
        self._written.add(source)

    def complete(self, sources: Iterable[Source]) -> list[str]:
        """Copy those of `sources` that no result was written for; return a line for each that failed."""
        notes = []
        for source in sources:
            try:
                if source not in self._written:
                    self._write(source, source.path.read_bytes())
            except (OSError, Unwritable) as error:
                notes.append(f"{shown(source.path)} can't be copied: {error}")
        return notes

    def _write(self, source: Source, data: bytes) -> None:
        target = self._folder / absolute(source.path).relative_to(self._base)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unwritable(f"can't make {shown(target.parent)}: {error.strerror}") from error
        write(target, data)


def _base(paths: Sequence[Path]) -> Path:
    folders = [absolute(path) if path.is_dir() else absolute(path).parent for path in paths]
    return Path(os.path.commonpath(folders))


def _within(folder: Path, outer: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(outer))
