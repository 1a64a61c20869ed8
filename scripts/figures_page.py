"""Write the measured tables into their page, from benchmarks/figures.json: `python scripts/figures_page.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "example_site" / "docs" / "how-small.md"
FIGURES = ROOT / "benchmarks" / "figures.json"
HEAD = ("tool", "files", "bytes out/in", "mean", "worst tenth", "minimum", "s/MB")
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def tables(name: str) -> str:
    """The tables of one set of images, as Markdown."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))[name]
    text = ""
    for title, lines in kept["tables"].items():
        rows = [HEAD, ("---",) + ("---:",) * (len(HEAD) - 1), *lines]
        if lines:
            text += f"\n### {title}, {name}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)
    return f"{text}\nMeasured on {kept['date']} with {kept['codecs']}.\n\n"


def renewed(page: str) -> str:
    """Return the page's text with the tables as they must be."""
    return BLOCK.sub(lambda block: block[1] + tables(block[2]) + block[3], page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
