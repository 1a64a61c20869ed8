"""Aligned tables of files and sizes: the first rows, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.model import Outcome
from .quoting import shown
from .units import share, size

LISTED = 5


def table(rows: Sequence[Outcome], *, listed: int = LISTED) -> list[str]:
    """Return a line for each of the first `rows` with both sizes, and one with the number of the others."""
    cells = [
        (shown(row.path), size(row.before), size(row.after), share(row.before, row.after)) for row in rows[:listed]
    ]
    name, before, after, saved = (_width(cells, column) for column in range(4))
    lines = [f"  {a:<{name}}   {b:>{before}} -> {c:>{after}}   {d:>{saved}}" for a, b, c, d in cells]
    return [*lines, *more(len(rows), listed)]


def sizes(rows: Sequence[Outcome], *, listed: int = LISTED) -> list[str]:
    """Return a line for each of the first `rows` with its size, and one with the number of the others."""
    cells = [(shown(row.path), size(row.before)) for row in rows[:listed]]
    name, right = (_width(cells, column) for column in range(2))
    return [*(f"  {a:<{name}}   {b:>{right}}" for a, b in cells), *more(len(rows), listed)]


def more(count: int, listed: int) -> list[str]:
    """Return the line with the number of rows that are not listed, if there are any."""
    return [f"  and {count - listed} more"] if count > listed else []


def _width(cells: Sequence[Sequence[str]], column: int) -> int:
    return max((len(cell[column]) for cell in cells), default=0)
