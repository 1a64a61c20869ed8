"""What git remembers of a file, read without running anything that the repository names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

MOST = 20
SECONDS = 20
SAFE = ("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never")


def versions(path: Path) -> Iterator[bytes]:
    """Yield the last 20 committed versions of the file at `path`, the newest first; none where git knows of none."""
    name = f"./{path.name}"
    commits = _git(path.parent, "rev-list", f"--max-count={MOST}", "HEAD", "--", name)
    for commit in commits.decode("ascii", "replace").split():
        blob = _git(path.parent, "cat-file", "blob", f"{commit}:{name}")
        if blob:
            yield blob


def present() -> bool:
    """Return whether there is a git to ask."""
    return _program() is not None


def _program() -> str | None:
    git = shutil.which("git")
    # One that lies in the working folder is not the system's.
    return git if git is not None and Path(git).is_absolute() else None


def _git(folder: Path, *arguments: str) -> bytes:
    program = _program()
    if program is None:
        return b""
    command: Sequence[str] = [program, *SAFE, "--literal-pathspecs", "-C", os.fspath(folder), *arguments]
    # What git sets for its hooks would point at another repository than the one that is asked.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, env=environment, check=False)  # noqa: S603  a fixed command
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout if done.returncode == 0 else b""
