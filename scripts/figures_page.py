"""Write the measured tables into their page, from benchmarks/figures.json: `python scripts/figures_page.py`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
from table import markdown  # noqa: E402 - found there

from imgshrink.engines.builtin.versions import RULES  # noqa: E402 - as above

PAGE = ROOT / "example_site" / "docs" / "how-small.md"
FIGURES = ROOT / "benchmarks" / "figures.json"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def tables(name: str) -> str:
    """The tables of one set of images, as Markdown."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))[name]
    text = ""
    for title, lines in kept["tables"].items():
        if lines:
            text += f"\n### {title}, {name}\n\n{markdown(lines)}"
    since = f" The encoders have changed since: their rules were {kept['rules']}, and are {RULES} now."
    changed = "" if kept["rules"] == RULES else since
    return f"{text}\nMeasured on {kept['date']} with {kept['codecs']}.{changed}\n\n"


def renewed(page: str) -> str:
    """Return the page's text with the tables as they must be."""
    return BLOCK.sub(lambda block: block[1] + tables(block[2]) + block[3], page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
