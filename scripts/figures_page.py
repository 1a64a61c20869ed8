"""Write the measured tables into their page, from benchmarks/figures.json: `python scripts/figures_page.py`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
from figures_chart import chart  # noqa: E402 - found beside this file
from table import markdown  # noqa: E402 - found there

from imgshrink.engines.builtin.versions import RULES  # noqa: E402 - as above

PAGE = ROOT / "example_site" / "docs" / "how-small.md"
FIGURES = ROOT / "benchmarks" / "figures.json"
BLOCK = re.compile(r"(<!-- (figures|lead): (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
PEERS = ("Material's optimize", "sharp q80")
"""Of the tools that treat all formats, those in the first sentence, where they were measured."""


def lead(name: str) -> str:
    """Return one sentence about all formats of a set of images, and the chart."""
    kept = json.loads(FIGURES.read_text(encoding="utf-8"))[name]["tables"]
    lines = {line[0]: line for line in kept["All formats"]}
    ours = lines["imgshrink q80"]
    peers = [f"{_bytes(line)} and {line[4]} with {tool}" for tool in PEERS if (line := lines.get(tool))]
    beside = f", beside {' and '.join(peers)}" if peers else ""
    return (
        f"**On {ours[1]} images that are not among the tuning images, `quality: 80` leaves {_bytes(ours)} "
        f"of the bytes, and the worst-looking tenth still scores {ours[4]}{beside}.**\n\n{chart(kept)}\n\n"
        "Further left: fewer bytes of those before. Further up: the worst-looking tenth looks better (SSIMULACRA2).\n\n"
    )


def _bytes(line: list[str]) -> str:
    return f"{100 * float(line[2]):.0f} %"


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
    make = {"figures": tables, "lead": lead}
    return BLOCK.sub(lambda block: block[1] + make[block[2]](block[3]) + block[4], page)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
