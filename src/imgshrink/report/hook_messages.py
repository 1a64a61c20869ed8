"""The blocks of the hook and of the check, with commands to copy."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..core.model import Outcome, Status
from .messages import dropped
from .quoting import folder_of, pathspec, quoted, shown
from .summary import savings
from .tables import LISTED, sizes, table
from .units import counted, share, size

KIB = 1024


@dataclass(frozen=True)
class UndoCommands:
    """How originals come back: by `git restore` those that are `restorable`, the others by `program`.

    `base` is the folder that names count from, where a person called git from below it.
    """

    restorable: Collection[str]
    program: str
    base: str = ""


def rewritten(outcomes: Iterable[Outcome], ways: UndoCommands) -> list[str]:
    """Return the block about the files that a hook rewrote, empty where it rewrote none."""
    rows = list(outcomes)
    shrunk = savings(rows)
    sealed = sorted(row.path for row in rows if row.status is Status.SEALED)
    if not shrunk:
        return [f"{_sealed(len(sealed))}: git add {_targets(sealed, ways)}"] if sealed else []
    names = [row.path for row in shrunk] + sealed
    return [
        *summed_up(rows),
        f"Look at them, then add and commit again:   git add {_targets(names, ways)}",
        *_back(names, ways),
        "Commit without shrinking:                  SKIP=imgshrink git commit",
    ]


def summed_up(rows: Iterable[Outcome]) -> list[str]:
    """Return what was gained, and where, without anything to do; empty where nothing was rewritten."""
    rows = list(rows)
    shrunk = savings(rows)
    sealed = sum(row.status is Status.SEALED for row in rows)
    gained = [_headline(shrunk), *table(shrunk)] if shrunk else []
    if lost := sum(row.dropped for row in rows):
        gained.append(f"imgshrink: {dropped(lost)}")
    return gained + ([_sealed(sealed)] if sealed else [])


def _back(names: Sequence[str], ways: UndoCommands) -> list[str]:
    """Return the lines that undo it; never one that would bring back anything but what was there."""
    staged = [name for name in names if name in ways.restorable]
    if LISTED < len(staged) < len(names):  # the folder that they share holds the others too
        staged = []
    others = [name for name in names if name not in staged]
    lines = [f"Get the originals back:                    git restore {_restored(staged, ways)}"] if staged else []
    if others:
        words = "Get the other originals back:" if staged else "Get the originals back:"
        targets = others if len(others) <= LISTED else [folder_of(others) or "."]
        places = " ".join(quoted(posixpath.join(ways.base, target)) for target in targets)
        lines.append(f"{words:<43}{ways.program} restore {places}")
    return lines


def _headline(shrunk: Sequence[Outcome]) -> str:
    before, after = sum(row.before for row in shrunk), sum(row.after for row in shrunk)
    return (
        f"imgshrink: {counted(len(shrunk), 'image')} made smaller, "
        f"{size(before)} -> {size(after)} ({share(before, after)})"
    )


def _sealed(count: int) -> str:
    has = "has" if count == 1 else "have"
    return (
        f"imgshrink: {counted(count, 'image')} {has} nothing to gain; marked as done (35 to 55 bytes, pixels untouched)"
    )


def _targets(names: Sequence[str], ways: UndoCommands) -> str:
    """The end of a `git add`: the files, or for many the folder that they share; in the root the kinds of files."""
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
    """Say that `runner` is about to take the whole run back, `others` of our results too, and what to do."""
    have, them = ("has", "it") if len(names) == 1 else ("have", "them")
    result = "all our results" if others else "our result"
    return (
        f"imgshrink: {_listed(names)} {have} unstaged changes too; git add {them} or stash them, "
        f"else {runner} takes {result} back each time"
    )


def _listed(names: Sequence[str]) -> str:
    first = [shown(name) for name in names[:LISTED]]
    rest = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    words = first + rest
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def unfinished(
    rows: Sequence[Outcome],
    images: int,
    *,
    hook: bool,
    runner: str = "pre-commit",
    file: str = "imgshrink.toml",
    listed: int = LISTED,
) -> list[str]:
    """Return the block of a check that found `rows` unfinished.

    With `hook` only git, pre-commit and prek are named: its users have no command of ours at hand.
    """
    largest = sorted(rows, key=lambda row: (-row.before, row.path))
    return [
        f"imgshrink: {len(rows)} of {counted(images, 'image')} {'is' if len(rows) == 1 else 'are'} not shrunk "
        f"({size(sum(row.before for row in rows))})",
        *sizes(largest, listed=listed),
        f"Shrink them:   {_cure([row.path for row in largest], hook=hook, runner=runner)}",
        f"Keep as is:    add them to `exclude` in {file}",
    ]


def _cure(names: Sequence[str], *, hook: bool, runner: str) -> str:
    few = len(names) <= LISTED
    if hook:
        return f"{runner} run imgshrink " + ("--files " + " ".join(map(quoted, names)) if few else "--all-files")
    return "imgshrink optimize " + (" ".join(map(quoted, names)) if few else quoted(folder_of(names) or "."))


def finished(images: int, notes: Mapping[str, int]) -> str:
    """Return the line of a check that found nothing to do; `notes` are the counts of what it passed over."""
    passed = ", ".join(f"{count} {words}" for words, count in notes.items() if count)
    everything = f"all {images} images are" if images != 1 else "the only image is"
    return f"imgshrink: {everything} shrunk" + (f" ({passed})" if passed else "")


def under(min_size: int) -> str:
    """Return the words for files smaller than `min_size`: `under 1 KiB`."""
    return f"under {min_size // KIB} KiB" if min_size >= KIB and min_size % KIB == 0 else f"under {size(min_size)}"
