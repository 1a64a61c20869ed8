"""What to do about one image, as text to copy: the command that undoes it, or the lines that override its treatment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.model import Outcome, Status
from .quoting import double_quoted, literal_pattern, pathspec, quoted

HIGH, LOSSLESS = 95, 100


@dataclass(frozen=True)
class Action:
    """A command, or lines for a file, under a label; `short` is the word for it on a button."""

    label: str
    text: str
    short: str = ""


Advice = Callable[[Outcome, int], Sequence[Action]]
"""advice(outcome, quality): the actions for an image, the one to offer first at first; `quality` is what it has now."""


def none(row: Outcome, quality: int) -> Sequence[Action]:  # noqa: ARG001  an Advice
    """Return nothing."""
    return ()


def in_place(row: Outcome, quality: int) -> Sequence[Action]:
    """Return what undoes the rewriting of a file, and the lines of imgshrink.toml for a higher quality."""
    if row.status is not Status.OPTIMIZED:
        return ()
    undo = Action("Undo, and exclude it from now on", f"imgshrink restore --keep {quoted(row.path)}", "undo")
    redo = f"then run: imgshrink optimize --redo {quoted(row.path)}"
    return (undo, *_overrides_toml(row.path, quality, redo))


def by_git(row: Outcome, quality: int) -> Sequence[Action]:  # noqa: ARG001  an Advice
    """Return what undoes the rewriting of a staged file, for those who have no `imgshrink` at hand."""
    return (Action("Undo", f"git restore {pathspec(row.path)}", "undo"),) if row.status is Status.OPTIMIZED else ()


def from_revision(word: str) -> Advice:
    """Return the advice to bring back what a git revision holds."""

    def actions(row: Outcome, quality: int) -> Sequence[Action]:  # noqa: ARG001  an Advice
        return (Action("Undo", f"git restore --source={quoted(word)} -- {pathspec(row.path)}", "undo"),)

    return actions


def in_project(row: Outcome, quality: int) -> Sequence[Action]:
    """Return the lines of imgshrink.toml that treat an image otherwise in the next run."""
    if row.status is not Status.OPTIMIZED or not _utf8(row.path):
        return ()
    exclude = f"exclude = [{double_quoted(literal_pattern(row.path))}]  # in imgshrink.toml"
    return (Action("Leave it alone", exclude, "exclude"), *_overrides_toml(row.path, quality))


def in_mkdocs(row: Outcome, quality: int) -> Sequence[Action]:
    """Return the lines of mkdocs.yml that treat an image otherwise in the next build."""
    if row.status is not Status.OPTIMIZED or not _utf8(row.path):
        return ()
    pattern = double_quoted(literal_pattern(row.path))
    wanted = _higher(quality)
    return (
        Action("Leave it alone", f"  - imgshrink:  # in mkdocs.yml\n      exclude:\n        - {pattern}", "exclude"),
        Action(
            _better(wanted),
            "  - imgshrink:  # in mkdocs.yml\n      overrides:\n"
            f"        - paths: [{pattern}]\n          quality: {wanted}",
        ),
    )


def _overrides_toml(name: str, quality: int, then: str = "") -> Sequence[Action]:
    if not _utf8(name):
        return ()
    wanted = _higher(quality)
    lines = [
        "[[overrides]]",
        f"paths = [{double_quoted(literal_pattern(name))}]",
        f"quality = {wanted}",
        "# in imgshrink.toml" + (f"; {then}" if then else ""),
    ]
    return (Action(_better(wanted), "\n".join(lines)),)


def _higher(quality: int) -> int:
    return HIGH if quality < HIGH else LOSSLESS


def _better(quality: int) -> str:
    return "Keep it lossless" if quality == LOSSLESS else f"Shrink it less, at quality {quality}"


def _utf8(name: str) -> bool:
    """Whether a settings file, which is UTF-8, can hold the name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
