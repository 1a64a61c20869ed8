"""During a hook: which files git could restore, and which changes pre-commit or prek has set aside."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from . import git

LONGEST_RUN = 3600
_AT_ONCE = 200


def restorable(names: Sequence[str]) -> set[str]:
    """Return those of `names` that `git restore` would bring back as they are now.

    These are the files that are in the index and equal to it. During `git commit -a` and `git commit FILE` the index of
    the repository is still the old one.
    """
    found: set[str] = set()
    with suppress(git.Silent):  # without an answer of git, nothing is promised
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            staged = _listed("ls-files", "-z", "--", *some)
            found |= staged - _listed(
                "diff", "--name-only", "-z", "--relative", "--no-ext-diff", "--no-textconv", "--", *some
            )
    return found


def _listed(*words: str) -> set[str]:
    answer = git.ask(Path.cwd(), "--literal-pathspecs", *words)
    return {os.fsdecode(name) for name in answer.split(b"\0") if name}


def set_aside(environ: Mapping[str, str]) -> set[str]:
    """Return the names of the files whose unstaged changes our parent process has set aside and will bring back.

    pre-commit keeps them as `patchTIME-PID` in its folder, prek as `patches/TIME-PID.patch`; PID is the parent's.
    """
    return {name for patch in _patches(environ) for name in _named(patch)}


def _patches(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  Path's own raises for a user whom the system does not know
    caches = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    since = time.time() - LONGEST_RUN
    for folder, pattern in (
        (Path(environ.get("PRE_COMMIT_HOME") or caches / "pre-commit"), f"patch*-{os.getppid()}"),
        (Path(environ.get("PREK_HOME") or caches / "prek") / "patches", f"*-{os.getppid()}.patch"),
    ):
        with suppress(OSError):  # the program that called us may be removing it
            yield from (patch for patch in folder.glob(pattern) if patch.stat().st_mtime > since)


def _named(patch: Path) -> list[str]:
    """Return the names in a patch, read by git because they may be quoted."""
    try:
        answer = git.ask(Path.cwd(), "apply", "--numstat", "-z", str(patch))
    except git.Silent:
        return []
    rows = answer.decode("utf-8", "surrogateescape").split("\0")
    return [row.split("\t", 2)[2] for row in rows if row.count("\t") >= 2]
