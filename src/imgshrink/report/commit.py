"""The blocks of the hook and of the check, with commands to copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..model import Outcome, Status
from .names import folder_of, pathspec, quoted, shown
from .numbers import counted, share, size
from .rows import LISTED, sizes, table
from .summary import savings

KIB = 1024


def rewritten(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the block about the files that a hook rewrote, empty where it rewrote none."""
    rows = list(outcomes)
    shrunk = savings(rows)
    sealed = sorted(row.path for row in rows if row.status is Status.SEALED)
    if not shrunk:
        return [f"{_sealed(len(sealed))}: git add {_targets(sealed)}"] if sealed else []
    names = [row.path for row in shrunk] + sealed
    return [
        _headline(shrunk),
        *table(shrunk),
        *([_sealed(len(sealed))] if sealed else []),
        f"Look at them, then add and commit again:   git add {_targets(names)}",
        f"Get the originals back:                    git restore {_restored(names)}",
        "Commit without shrinking:                  SKIP=imgshrink git commit",
    ]


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


def _targets(names: Sequence[str]) -> str:
    """The end of a `git add`: the files, or for many the folder that they share; in the root the kinds of files."""
    if len(names) <= LISTED:
        return " ".join(map(pathspec, names))
    return f"-u -- {_wide(names)}"


def _restored(names: Sequence[str]) -> str:
    if len(names) <= LISTED:
        return " ".join(map(pathspec, names))
    return f"-- {_wide(names)}   (and with them all unstaged changes there)"


def _wide(names: Sequence[str]) -> str:
    folder = folder_of(names)
    if folder:
        return pathspec(folder)
    endings = sorted({"*." + name.rpartition(".")[2] for name in names if "." in name})
    return " ".join(map(quoted, endings)) or "."


def partly_staged(names: Sequence[str]) -> str:
    """Say that pre-commit will roll our result back, and what to do."""
    have, them = ("has", "it") if len(names) == 1 else ("have", "them")
    return (
        f"imgshrink: {_listed(names)} {have} unstaged changes too; git add {them} or stash them, "
        "else pre-commit takes our result back each time"
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
