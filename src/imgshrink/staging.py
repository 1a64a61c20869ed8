"""What pre-commit and prek have set aside for the time of a run: files with changes that are not staged."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

LONGEST_RUN = 3600


def set_aside(environ: Mapping[str, str]) -> set[str]:
    """Return the names of files whose unstaged changes the program that called us has set aside, and will bring back.

    pre-commit keeps them as `patchTIME-PID` in its folder, prek as `patches/TIME-PID.patch`; PID is that of our parent.
    """
    return {name for patch in _patches(environ) for name in _named(patch)}


def _patches(environ: Mapping[str, str]) -> Iterator[Path]:
    caches = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    since = time.time() - LONGEST_RUN
    for folder, pattern in (
        (Path(environ.get("PRE_COMMIT_HOME") or caches / "pre-commit"), f"patch*-{os.getppid()}"),
        (Path(environ.get("PREK_HOME") or caches / "prek") / "patches", f"*-{os.getppid()}.patch"),
    ):
        yield from (patch for patch in folder.glob(pattern) if patch.stat().st_mtime > since)


def _named(patch: Path) -> list[str]:
    """Let git read the patch: names may be quoted in it."""
    command = ["git", "apply", "--numstat", "-z", str(patch)]
    try:
        answer = subprocess.run(command, capture_output=True, check=False, timeout=10)  # noqa: S603  git, and a path
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = answer.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [row.split("\t", 2)[2] for row in rows if row.count("\t") >= 2]
