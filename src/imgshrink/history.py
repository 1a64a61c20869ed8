"""What git remembers of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import git

MOST = 20


def versions(path: Path) -> Iterator[bytes]:
    """Yield the last 20 committed versions of the file at `path`, the newest first; none where git knows of none."""
    name = f"./{path.name}"
    commits = _git(path.parent, "rev-list", f"--max-count={MOST}", "HEAD", "--", name)
    for commit in commits.decode("ascii", "replace").split():
        blob = _git(path.parent, "cat-file", "blob", f"{commit}:{name}")
        if blob:
            yield blob


def holds(folder: Path, data: bytes) -> bool:
    """Whether the repository of `folder` holds a file of these bytes: committed or staged."""
    name = _git(folder, "hash-object", "--stdin", given=data).decode("ascii", "replace").strip()
    return bool(name) and _git(folder, "cat-file", "-t", name) == b"blob\n"


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        return git.ask(folder, "--literal-pathspecs", *arguments, given=given)
    except git.Silent:
        return b""
