"""The folder of a report's images: made anew by each run, named by content, never larger than allowed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ...core.errors import Unwritable
from ...core.keys import content_hash
from ...core.text import REPORT_MARK, shown
from ...image.metadata import reduce
from ...image.sniff import sniff

SMALL, PART = "-small.webp", "-part.webp"
OURS = re.compile(r"[0-9a-f]{16}(-small|-part)?\.(webp|png|jpg|gif)|\.gitignore|" + re.escape(REPORT_MARK))


class ImagesFolder:
    """The images in `folder`, at most `room` bytes. Methods that write raise `OSError`."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self._left = room
        self._names: set[str] = set()

    def start(self) -> None:
        """Create the folder, or empty it; raises `Unwritable` where it was not made by a report."""
        folder = self._folder
        if os.path.lexists(folder):
            if not _ours(folder):
                raise Unwritable(f"{shown(folder)} holds something else; remove it, or give the report another name")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / REPORT_MARK).touch()
        (folder / ".gitignore").write_text("*\n")

    def write(self, *images: bytes, ending: str) -> tuple[str, ...]:
        """Write images that belong together and return their names; nothing where there is no room for them all."""
        return self._write([(data, ending) for data in images])

    def write_full_size(self, *images: bytes) -> tuple[str, ...]:
        """Do the same for files in full size, without the place where they were taken."""
        reduced = [reduce(data) for data in images]
        return self._write([(data, info.format.extension) for data in reduced if (info := sniff(data))])

    def _write(self, images: list[tuple[bytes, str]]) -> tuple[str, ...]:
        named = {content_hash(data)[:16] + ending: data for data, ending in images}
        new = {name: data for name, data in named.items() if name not in self._names}
        size = sum(map(len, new.values()))
        if size > self._left:
            return ()
        for name, data in new.items():
            (self._folder / name).write_bytes(data)
        self._left -= size
        self._names |= new.keys()
        return tuple(content_hash(data)[:16] + ending for data, ending in images)


def _ours(folder: Path) -> bool:
    """Return whether the folder was made by a report and holds nothing else."""
    if os.path.islink(folder) or not os.path.isfile(folder / REPORT_MARK):
        return False
    return all(OURS.fullmatch(path.name) for path in folder.iterdir())
