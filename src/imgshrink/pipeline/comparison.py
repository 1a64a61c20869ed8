"""Pairs an image with what it was before: its known original, or what a git revision holds. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.errors import Unreadable
from ..core.model import ImageInfo
from ..files.git import version_at
from ..files.originals import Originals
from ..files.reader import read
from ..image.seal import read_seal
from ..image.sniff import describe, sniff
from .restore import Same, find_original

NOT_SHRUNK = "it has not been shrunk in place"
NO_ORIGINAL = "it was shrunk, but its original is neither among the backups nor in git"


@dataclass(frozen=True)
class Pair:
    """Two images of one size: what the file at `path` was before, and what it is now."""

    path: Path
    before: bytes
    after: bytes
    info: ImageInfo


@dataclass(frozen=True)
class Unpaired:
    """A file that can't be compared, and why."""

    path: Path
    reason: str


def with_original(path: Path, originals: Originals, same: Same) -> Pair | Unpaired:
    """Pair the image at `path` with its original, as `find_original` knows it."""
    found = find_original(path, originals, same)
    if found is not None and found.data != found.now:
        return _pair(path, found.data, found.now, "before")
    try:
        now = read(path, follow=False)
    except Unreadable as error:
        return Unpaired(path, str(error))
    if sniff(now) is None:
        return Unpaired(path, describe(now))
    return Unpaired(path, NOT_SHRUNK if read_seal(now) is None else NO_ORIGINAL)


def with_revision(path: Path, commit: str, word: str) -> Pair | Unpaired:
    """Pair the image at `path` with what `commit` holds there; people call the commit `word`."""
    try:
        now = read(path, follow=False)
    except Unreadable as error:
        return Unpaired(path, str(error))
    before = version_at(path, commit)
    if not before:
        return Unpaired(path, f"it is not in {word}")
    if before == now:
        return Unpaired(path, f"it is the same in {word}")
    return _pair(path, before, now, f"in {word}")


def _pair(path: Path, before: bytes, now: bytes, when: str) -> Pair | Unpaired:
    """Pair two images that can lie on each other; `when` says when the first was one."""
    old, new = sniff(before), sniff(now)
    if new is None:
        return Unpaired(path, describe(now))
    if old is None:
        return Unpaired(path, f"{when}: {describe(before)}")
    if old.displayed != new.displayed:
        return Unpaired(path, f"{when} it was another image: {_size(old)}, now {_size(new)} pixels")
    return Pair(path, before, now, old)


def _size(info: ImageInfo) -> str:
    return " x ".join(map(str, info.displayed))
