"""The page of figures says what was measured, with the encoders as they are now."""

from __future__ import annotations

import html
import json
import sys

import pytest

from imgshrink.engines.builtin.versions import RULES
from places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import figures_page
import table as columns

KEPT = json.loads(figures_page.FIGURES.read_text(encoding="utf-8"))
OURS = "imgshrink q80"


def line(name: str, table: str, tool: str) -> dict[str, float]:
    """One tool's figures in one table."""
    (cells,) = [cells for cells in KEPT[name]["tables"][table] if cells[0] == tool]
    return dict(zip(columns.HEAD[1:], map(float, cells[1:]), strict=True))


def test_the_page_is_what_the_figures_make_of_it():
    """Nobody edits the tables by hand: `python scripts/figures_page.py` writes them."""
    text = figures_page.PAGE.read_text(encoding="utf-8")
    assert figures_page.renewed(text) == text
    assert text.count("| imgshrink q80 |") == 10


def test_the_first_sentence_and_the_chart():
    """The page begins with one sentence about images that nothing was fitted on, and one chart of every tool."""
    text = figures_page.PAGE.read_text(encoding="utf-8")
    ours = line("unseen", "All formats", OURS)
    sentence = text.partition("<!-- lead: unseen -->\n")[2].partition("\n")[0]
    assert f"leaves {100 * ours['bytes out/in']:.0f} % of the bytes" in sentence
    assert f"scores {ours['worst tenth']}" in sentence
    tools = {cells[0] for title, table in KEPT["unseen"]["tables"].items() if title != "All formats" for cells in table}
    drawing = text.partition('<div class="chart">')[2].partition("</div>")[0]
    assert all(f"<title>{html.escape(tool)}: " in drawing for tool in tools)
    assert "\n\n" not in drawing


@pytest.mark.parametrize("name", ["corpus", "unseen"])
def test_the_page_says_when_the_encoders_have_changed(name):
    """Figures of earlier rules are published as such."""
    text = figures_page.PAGE.read_text(encoding="utf-8")
    changed = f"The encoders have changed since: their rules were {KEPT[name]['rules']}, and are {RULES} now."
    assert (changed in text) is (KEPT[name]["rules"] != RULES)


@pytest.mark.parametrize(
    ("table", "most_bytes", "least_mean", "least"),
    [("JPEG", 0.57, 81.5, 70), ("PNG", 0.365, 93.5, 85), ("GIF", 0.83, 97, 90), ("WEBP", 0.875, 96, 79)],
)
def test_figures_of_the_corpus_at_80(table, most_bytes, least_mean, least):
    """What is published is what quality 80 promises: a change that makes it worse is seen here when it is measured."""
    ours = line("corpus", table, OURS)
    assert ours["bytes out/in"] <= most_bytes
    assert ours["mean"] >= least_mean
    assert ours["minimum"] >= least


@pytest.mark.parametrize("table", ["JPEG", "PNG", "GIF", "WEBP"])
def test_no_unseen_image_looks_bad_at_80(table):
    """No image at all falls below 55, tuned on or not."""
    assert line("unseen", table, OURS)["minimum"] >= 55


@pytest.mark.parametrize("name", ["corpus", "unseen"])
def test_quality_100_is_lossless(name):
    """The column says so too."""
    assert line(name, "All formats", "imgshrink q100")["minimum"] == 100
