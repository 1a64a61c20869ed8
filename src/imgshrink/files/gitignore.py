"""Which files git ignores, asked of git itself, once for each repository."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import git


def repository_of(folder: Path) -> Path | None:
    """Return the work tree that holds `folder`: the nearest folder, upward from there, with a `.git`; or None."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place / ".git"):
            return place
    return None


def ignored(repository: Path, paths: Sequence[Path]) -> set[Path]:
    """Return those of `paths`, all below `repository`, that git ignores; raises `git.Silent`."""
    if git.program() is None:
        return set()
    asked = b"".join(b"./" + os.fsencode(path.relative_to(repository).as_posix()) + b"\0" for path in paths)
    words = ("check-ignore", "-z", "--stdin", "--verbose", "--non-matching")
    records = git.ask(repository, *words, given=asked, fine=(0, 1)).split(b"\0")
    # A record a path, in the order asked: source, line, pattern, path.
    patterns = records[2::4]
    if len(patterns) != len(paths):
        raise git.Silent("its answer is not complete")
    return {path for path, pattern in zip(paths, patterns, strict=True) if pattern and not pattern.startswith(b"!")}
