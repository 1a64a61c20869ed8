"""Finds the original of a shrunk file: the backup made when it was replaced, else what git has staged or committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Unreadable
from ..core.keys import content_hash
from ..files.atomic import replace
from ..files.git import staged, versions
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
    output = unseal(now)
    for found in _in_git(path):
        if content_hash(found) == content_hash(output) or same(found, output, quality):
            return Original(path, now, found, GIT)
    return None


def _in_git(path: Path) -> Iterator[bytes]:
    """Yield the unsealed image that is staged, then the one that was committed last, if that is another."""
    index = staged(path)
    if _is_original(index):
        yield index
    committed = next((blob for blob in versions(path) if _is_original(blob)), index)
    if committed != index:
        yield committed


def _is_original(blob: bytes) -> bool:
    info = sniff(blob)
    return info is not None and info.complete and read_seal(blob) is None
