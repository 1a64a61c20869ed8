"""The blocks of lines that the hook and the check print, with commands to copy."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..core.model import Outcome, Status
from .messages import dropped
from .quoting import folder_of, pathspec, quoted, shown, with_variable
from .summary import savings
from .tables import LISTED, sizes, table
from .units import counted, share, size

KIB = 1024


@dataclass(frozen=True)
class UndoCommands:
    """The commands that restore originals: `git restore` for those that are `restorable`, `program` for the others.

    `base` is the top of the work tree if git was called from a folder below it, else "". `compare` is the command that
    shows images beside their originals, "" where there is none.
    """

    restorable: Collection[str]
    program: str
    base: str = ""
    compare: str = ""


def rewritten(outcomes: Iterable[Outcome], ways: UndoCommands) -> list[str]:
    """Return the block about the files that the hook rewrote, empty if it rewrote none."""
    rows = list(outcomes)
    shrunk = savings(rows)
    sealed = sorted(row.path for row in rows if row.status is Status.SEALED)
    if not shrunk:
        return [f"{_sealed(len(sealed))}: git add {_targets(sealed, ways)}"] if sealed else []
    names = [row.path for row in shrunk] + sealed
    return [
        *summed_up(rows),
        *_side_by_side([row.path for row in shrunk], ways),
        f"Check the result, then add and commit again:   git add {_targets(names, ways)}",
        *_back(names, ways),
        f"Commit without shrinking:                      {with_variable('SKIP', 'imgshrink', 'git commit')}",
    ]


def summed_up(rows: Iterable[Outcome]) -> list[str]:
    """Return the lines about what was rewritten, without commands; empty if nothing was."""
    rows = list(rows)
    shrunk = savings(rows)
    sealed = sum(row.status is Status.SEALED for row in rows)
    gained = [_headline(shrunk), *table(shrunk)] if shrunk else []
    if lost := sum(row.dropped for row in rows):
        gained.append(f"imgshrink: {dropped(lost)}")
    return gained + ([_sealed(sealed)] if sealed else [])


def _side_by_side(names: Sequence[str], ways: UndoCommands) -> list[str]:
    """Return the command that shows images beside their originals, the largest savings if there are many."""
    if not ways.compare:
        return []
    words = "See them beside the originals:" if len(names) <= LISTED else "See the largest beside the originals:"
    listed = " ".join(quoted(posixpath.join(ways.base, name)) for name in names[:LISTED])
    return [f"{words:<47}{ways.compare} {listed}"]


def _back(names: Sequence[str], ways: UndoCommands) -> list[str]:
    """Return the commands that undo the run; none of them restores anything but what was there before."""
    staged = [name for name in names if name in ways.restorable]
    if LISTED < len(staged) < len(names):  # the folder that they share holds the others too
        staged = []
    others = [name for name in names if name not in staged]
    lines = [f"Get the originals back:                        git restore {_restored(staged, ways)}"] if staged else []
    if others:
        words = "Get the other originals back:" if staged else "Get the originals back:"
        targets = others if len(others) <= LISTED else [folder_of(others) or "."]
        places = " ".join(quoted(posixpath.join(ways.base, target)) for target in targets)
        lines.append(f"{words:<47}{ways.program} restore {places}")
    return lines


def _headline(shrunk: Sequence[Outcome]) -> str:
    before, after = sum(row.before for row in shrunk), sum(row.after for row in shrunk)
    return (
        f"imgshrink: {counted(len(shrunk), 'image')} shrunk, {size(before)} -> {size(after)} ({share(before, after)})"
    )


def _sealed(count: int) -> str:
    return f"imgshrink: {counted(count, 'image')} cannot get smaller; sealed (53 bytes at most, pixels unchanged)"


def _targets(names: Sequence[str], ways: UndoCommands) -> str:
    """Return the arguments of `git add`: a few files, or the folder that many share, or their endings in the root."""
    if len(names) <= LISTED:
        return " ".join(pathspec(name, top=bool(ways.base)) for name in names)
    return f"-u -- {_wide(names, ways)}"


def _restored(names: Sequence[str], ways: UndoCommands) -> str:
    if len(names) <= LISTED:
        return " ".join(pathspec(name, top=bool(ways.base)) for name in names)
    return f"-- {_wide(names, ways)}   (and with them all unstaged changes there)"


def _wide(names: Sequence[str], ways: UndoCommands) -> str:
    folder = folder_of(names)
    if folder:
        return pathspec(folder, top=bool(ways.base))
    endings = sorted({"*." + name.rpartition(".")[2] for name in names if "." in name})
    top = ":/" if ways.base else ""
    return " ".join(quoted(top + ending) for ending in endings) or top or "."


def partly_staged(names: Sequence[str], runner: str = "pre-commit", *, others: int = 0) -> str:
    """Say that `runner` is about to undo the whole run, `others` of its results included, and what to do."""
    have = "has" if len(names) == 1 else "have"
    undone = "the shrinking of all images" if others else "the shrinking"
    return (
        f"imgshrink: {_listed(names)} {have} both staged and unstaged changes, so {runner} undid {undone}. "
        "Stage or stash the rest, then commit again."
    )


def _listed(names: Sequence[str]) -> str:
    first = [shown(name) for name in names[:LISTED]]
    rest = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    words = first + rest
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def not_shrunk(
    rows: Sequence[Outcome],
    images: int,
    *,
    hook: bool,
    runner: str = "pre-commit",
    file: str = "imgshrink.toml",
    listed: int = LISTED,
) -> list[str]:
    """Return the block of a check that found `rows` not shrunk, of `images`.

    With `hook` only git, pre-commit and prek are named: `imgshrink` is not on the PATH of a hook's users.
    """
    largest = sorted(rows, key=lambda row: (-row.before, row.path))
    return [
        f"imgshrink: {len(rows)} of {counted(images, 'image')} {'is' if len(rows) == 1 else 'are'} not shrunk "
        f"({size(sum(row.before for row in rows))})",
        *sizes(largest, listed=listed),
        f"Shrink them:   {_cure([row.path for row in largest], hook=hook, runner=runner)}",
        f"Keep as is:    add them to `exclude` in {file}",
    ]


def too_large(rows: Sequence[Outcome], limit: int, *, listed: int = LISTED) -> list[str]:
    """Return the block of a check that found `rows` larger than `limit` bytes."""
    largest = sorted(rows, key=lambda row: (-row.before, row.path))
    are = "is" if len(rows) == 1 else "are"
    return [
        f"imgshrink: {counted(len(rows), 'image')} {are} larger than {size(limit)} (--max-size)",
        *sizes(largest, listed=listed),
    ]


def _cure(names: Sequence[str], *, hook: bool, runner: str) -> str:
    few = len(names) <= LISTED
    if hook:
        return f"{runner} run imgshrink " + ("--files " + " ".join(map(quoted, names)) if few else "--all-files")
    return "imgshrink optimize " + (" ".join(map(quoted, names)) if few else quoted(folder_of(names) or "."))


def all_shrunk(images: int, passed: Mapping[str, int], *, excluded: int = 0, paths: str = "") -> str:
    """Return the line of a check that found nothing to shrink in `paths`.

    `passed` counts those of `images` that are not shrunk, by the words for why they pass; `excluded` ones come on top.
    """
    if not images:
        apart = f" ({excluded} excluded)" if excluded else ""
        return f"imgshrink: no images found{f' in {paths}' if paths else ''}{apart}"
    passing = [f"{count} {words}" for words, count in passed.items() if count]
    out = [f"{excluded} excluded"] if excluded else []
    shrunk = images - sum(passed.values())
    if not shrunk:
        return f"imgshrink: nothing new: {', '.join(passing + out)}"
    if passing:
        words = f"{counted(shrunk, 'image')} {'is' if shrunk == 1 else 'are'} shrunk"
    else:
        words = "1 image, shrunk" if images == 1 else f"all {images} images are shrunk"
    return f"imgshrink: {words}" + (f" ({', '.join(passing + out)})" if passing + out else "")


def under(min_size: int) -> str:
    """Return the words for files smaller than `min_size` bytes, such as `under 1 KiB`."""
    return f"under {min_size // KIB} KiB" if min_size >= KIB and min_size % KIB == 0 else f"under {size(min_size)}"
