"""How tables of figures are written; imports nothing, so that the documentation's script can use it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HEAD = ("tool", "files", "bytes out/in", "mean", "worst tenth", "minimum", "s/MB")


def markdown(lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of lines with a cell for each word of `HEAD`."""
    rule = ("---",) + ("---:",) * (len(HEAD) - 1)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (HEAD, rule, *lines))
