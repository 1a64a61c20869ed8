"""Finds the original of a shrunk file: the backup made when it was replaced, else a version that git holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Unreadable
from ..core.keys import content_hash
from ..files.atomic import replace
from ..files.git import versions
from ..files.originals import Originals
from ..files.reader import read
from ..image.seal import read_seal, unseal
from ..image.sniff import sniff

KEPT = "the kept original"
GIT = "git"

# same(original, output, quality): whether verify accepts the output for the original
Same = Callable[[bytes, bytes, int], bool]


@dataclass(frozen=True)
class Original:
    """The original of the file at `path`, which holds the bytes `now`; `source` says where it was found."""

    path: Path
    now: bytes
    data: bytes
    source: str

    def put_back(self) -> None:
        """Replace the file by it; raises `FileChanged` or `Unwritable`."""
        replace(self.path, self.data, self.now)


def find_original(path: Path, originals: Originals, same: Same) -> Original | None:
    """Return the original of the file at `path`, or None where none is known or the file is no output of ours.

    `same` decides whether a version from git belongs to the file: git may hold only an older image.
    """
    try:
        now = read(path, follow=False)
    except Unreadable:
        return None
    kept = originals.find(path)
    if kept is not None:
        return Original(path, now, kept, KEPT)
    quality = read_seal(now)
    if quality is None:
        return None
    found = next((blob for blob in versions(path) if _is_image(blob) and read_seal(blob) is None), None)
    if found is None or not (content_hash(found) == content_hash(unseal(now)) or same(found, unseal(now), quality)):
        return None
    return Original(path, now, found, GIT)


def _is_image(blob: bytes) -> bool:
    info = sniff(blob)
    return info is not None and info.complete
