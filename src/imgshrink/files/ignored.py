"""What git ignores, asked of git itself: once a repository, without running anything that the repository names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..names import shown

SECONDS = 20.0
# A repository's own configuration may name programs; these keep git from starting them, or from fetching.
_SAFE = (
    "--no-pager",
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "protocol.allow=never",
)  # fmt: skip
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
# Set by git for its hooks: they would point at another repository than the one that is asked.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")
_MAGIC = "_PATHSPECS"


class Silent(Exception):
    """git gave no answer; the text says why."""


def repository_of(folder: Path) -> Path | None:
    """Return the work tree that holds `folder`: the nearest folder from there upward with a `.git`, or None."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place / ".git"):
            return place
    return None


def ignored(repository: Path, paths: Sequence[Path]) -> set[Path]:
    """Return those of `paths`, all below `repository`, that git ignores; raises `Silent`."""
    git = shutil.which("git")
    if git is None or not os.path.isabs(git):  # noqa: PTH117  one found in the working folder is not the system's
        return set()
    asked = b"".join(b"./" + os.fsencode(path.relative_to(repository).as_posix()) + b"\0" for path in paths)
    records = _check_ignore(git, repository, asked).split(b"\0")
    # A record a path, in the order asked: source, line, pattern, path.
    patterns = records[2::4]
    if len(patterns) != len(paths):
        raise Silent("its answer is not complete")
    return {path for path, pattern in zip(paths, patterns, strict=True) if pattern and not pattern.startswith(b"!")}


def _check_ignore(git: str, repository: Path, asked: bytes) -> bytes:
    environment = {
        name: value for name, value in os.environ.items() if name not in _FOREIGN and not name.endswith(_MAGIC)
    } | _ENVIRONMENT
    command = [git, *_SAFE, "-C", os.fspath(repository), "check-ignore", "-z", "--stdin", "--verbose", "--non-matching"]
    try:
        done = subprocess.run(  # noqa: S603  a fixed command; paths go through its input
            command, input=asked, capture_output=True, timeout=SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Silent(
            f"no answer within {SECONDS} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        ) from error
    if done.returncode not in (0, 1):
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Silent(shown(lines[0]) if lines else f"git check-ignore ended with {done.returncode}")
    return done.stdout
