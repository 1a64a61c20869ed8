"""Runs git, without starting a program that the repository names, and without a secret in its environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from ..core.environment import GIT, inherited
from ..core.text import shown
from . import git

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
"""Added to what `core.environment` lets through, which has none of the variables that git sets for its hooks: those
would name another repository, or another index, than that of the folder."""


class Silent(Exception):
    """Git gave no answer; the text says why."""


def program() -> str | None:
    """Return the absolute path of git, or None; a program of that name in the working folder does not count."""
    git = shutil.which("git")
    return git if git is not None and os.path.isabs(git) else None  # noqa: PTH117  a name, not yet a path


def ask(folder: Path, *arguments: str, given: bytes = b"", fine: Collection[int] = (0,)) -> bytes:
    """Return what git prints in `folder`, with `given` on its standard input; `fine` are the exit codes of an answer.

    Raises `Silent` where there is no git, no answer within 20 seconds, or an error.
    """
    git = program()
    if git is None:
        raise Silent("there is no git")
    command = [git, *_SAFE, "-C", os.fspath(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603  fixed words; names go through its input or behind `--`
            command,
            input=given,
            capture_output=True,
            timeout=SECONDS,
            env=inherited(os.environ, GIT) | _ENVIRONMENT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Silent(f"no answer within {SECONDS} s") from error
    except OSError as error:
        raise Silent(str(error)) from error
    if done.returncode not in fine:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Silent(shown(lines[0]) if lines else f"git {arguments[0]} ended with {done.returncode}")
    return done.stdout


MOST = 20


def versions(path: Path) -> Iterator[bytes]:
    """Yield the last 20 committed versions of the file at `path`, the newest first; none where git has none."""
    name = f"./{path.name}"
    commits = _git(path.parent, "rev-list", f"--max-count={MOST}", "HEAD", "--", name)
    for commit in commits.decode("ascii", "replace").split():
        blob = _git(path.parent, "cat-file", "blob", f"{commit}:{name}")
        if blob:
            yield blob


def staged(path: Path) -> bytes:
    """Return what the index holds for the file at `path`, nothing where it holds none."""
    return _git(path.parent, "cat-file", "blob", f":./{path.name}")


def revision(folder: Path, word: str) -> str:
    """Return the hash of the commit that `word` names in the repository of `folder`, "" where it names none."""
    names = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    return _git(folder, *names).decode("ascii", "replace").strip()


def version_at(path: Path, commit: str) -> bytes:
    """Return the file at `path` as `commit` holds it, nothing where it holds none."""
    return _git(path.parent, "cat-file", "blob", f"{commit}:./{path.name}")


def modified_since(folder: Path, commit: str) -> list[Path]:
    """Return the files below `folder` that `commit` holds too, with other content."""
    words = ("--name-only", "-z", "--relative", "--diff-filter=M", "--no-renames", "--no-ext-diff", "--no-textconv")
    return _names(folder, _git(folder, "diff", *words, commit, "--", "."))


def holds(folder: Path, data: bytes) -> bool:
    """Whether the repository of `folder` holds a file with these bytes, committed or staged."""
    name = _git(folder, "hash-object", "--stdin", given=data).decode("ascii", "replace").strip()
    return bool(name) and _git(folder, "cat-file", "-t", name) == b"blob\n"


def _git(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    try:
        return git.ask(folder, "--literal-pathspecs", *arguments, given=given)
    except git.Silent:
        return b""


def tracked(folder: Path) -> list[Path]:
    """Return the files below `folder` that its git repository tracks; raises `Silent` outside of a repository."""
    return _names(folder, git.ask(folder, "ls-files", "-z"))


def changed_since(folder: Path, ref: str) -> list[Path]:
    """Return the files below `folder` that differ from where `ref` and HEAD parted, and those git does not track yet.

    Uncommitted changes count; deleted files do not. Raises `Silent` where git does not know `ref`.
    """
    commit = git.ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    parted = git.ask(folder, "merge-base", commit.decode("ascii"), "HEAD").strip().decode("ascii")
    changed = git.ask(
        folder, "diff", "--no-ext-diff", "--name-only", "-z", "--relative", "--diff-filter=ACMRT", parted, "--"
    )
    return _names(folder, changed + git.ask(folder, "ls-files", "-z", "--others", "--exclude-standard"))


def _names(folder: Path, listed: bytes) -> list[Path]:
    return [folder / os.fsdecode(name) for name in listed.split(b"\0") if name]
