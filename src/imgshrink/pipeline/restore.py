"""Having originals back: what was kept when a file was replaced, else what git remembers of the same picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..core.keys import content_hash
from ..files.atomic import replace
from ..files.git import versions
from ..files.originals import Originals
from ..image.seal import read_seal, unseal
from ..image.sniff import sniff

KEPT = "the kept original"
GIT = "git"

# same(original, output, quality): whether two images show the same picture
Same = Callable[[bytes, bytes, int], bool]


@dataclass(frozen=True)
class Original:
    """The original of what now stands at `path`, which holds `now`; `source` says where it was found."""

    path: Path
    now: bytes
    data: bytes
    source: str

    def put_back(self) -> None:
        """Put it in place of the file; raises `FileChanged` or `Unwritable`."""
        replace(self.path, self.data, self.now)


def find_original(path: Path, originals: Originals, same: Same) -> Original | None:
    """Return the original of the file at `path`, or None where none is known or the file is no output of ours.

    `same` judges whether two images show the same picture: git may hold an older one only.
    """
    try:
        now = path.read_bytes()
    except OSError:
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
