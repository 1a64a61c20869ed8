"""Images that are much wider than the pages show them: what is said is what the HTML gives, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import png
from imgshrink.core.model import Format, Outcome, Recipe, Source, Status
from imgshrink.pages.widths import _references, shown_widths, with_widths
from imgshrink.report.documents import to_json
from imgshrink.report.messages import wider
from imgshrink.report.summary import summarize
from real_tools import OTHER_PNG, build, make_site

A = PurePosixPath("a.png")


def written(site: Path, *pages: str) -> Path:
    """A site of these pages."""
    for number, page in enumerate(pages):
        (site / f"{number}.html").write_text(page, encoding="utf-8")
    return site


@pytest.mark.parametrize(
    ("pages", "width"),
    [
        (['<img src="a.png" width="100">'], 100),
        (['<img src=a.png width="100px">'], 100),
        (['<img src="a.png" style="width: 80px" width="100">'], 80),
        (['<img src="a.png" style="max-width:90.5px">'], 90),
        (['<img src="/a.png" width="100">', '<p><img src="./a.png?x#y" width="120">'], 120),
        (['<img src="a.png" width="50%">'], None),
        (['<img src="a.png" style="width: 50%" width="100">'], None),
        (['<img src="a.png" width="100">', '<img src="a.png">'], None),
        (['<img src="a.png" width="100" srcset="b.png 2x">'], None),
        (['<img src="a.png" width="100"><a href="a.png">large</a>'], None),
        (['<picture><source srcset="b.png 1x, a.png 2x"><img src="a.png" width="100"></picture>'], None),
        (['<!-- <img src="a.png"> --><img src="a.png" width="100">'], 100),
        (["<p>nothing</p>"], None),
    ],
)
def test_width_that_pages_give(tmp_path: Path, pages: list[str], width: int | None) -> None:
    """The largest width of all pages counts; one page without a width, or a link to the image, and nothing is said."""
    assert shown_widths(written(tmp_path, *pages)).get(A) == width


@given(st.binary(max_size=400))
def test_any_page_is_read(page: bytes) -> None:
    """Bytes that are no HTML are no error."""
    list(_references(b"<img src=a.png width=3" + page, PurePosixPath(), "/"))


@pytest.mark.parametrize(("given", "times"), [("20", 4.8), ("48", 0.0), ("50", 0.0), ("200", 0.0)])
def test_more_than_twice(tmp_path: Path, given: str, times: float) -> None:
    """Only an image that is more than twice as wide is named: 96 pixels here."""
    (tmp_path / "a.png").write_bytes(png(1))
    site = written(tmp_path, f'<img src="https://x.y/a.png"><img src="/docs/a.png" width="{given}">')
    rows = [Outcome(name, Status.OPTIMIZED, 9000, 4000, Format.PNG, "builtin") for name in ("docs/a.png", "b.png")]
    sources = [Source(site / "a.png", "docs/a.png", Recipe(), ()), Source(Path("/b.png"), "b.png", Recipe(), ())]
    found = with_widths(rows, sources, site, "https://x.y/docs/")
    assert [round(row.wider, 1) for row in found] == [times, 0.0]


def test_report_and_line() -> None:
    """The JSON report has the number, null where nothing is known; the line names the image."""
    row = Outcome("docs/a.png", Status.OPTIMIZED, 9000, 4000, Format.PNG, "builtin", wider=4.08)
    assert '"wider_than_shown": 4.1' in to_json([row], summarize([row]))
    assert wider(row) == "docs/a.png is 4.1 x wider than shown"


@pytest.mark.slow
def test_build(tmp_path: Path) -> None:
    """A verbose build names the image, and the HTML report says it beside the image."""
    site = make_site(
        tmp_path, {"a.png": OTHER_PNG}, options="report: report.html", config="theme: {name: null, custom_dir: theme}"
    )
    (site / "theme").mkdir()
    (site / "theme/main.html").write_text("{{ page.content }}")
    (site / "docs/index.md").write_text('# A\n\n<img src="a.png" width="200">\n')
    done = build(site, "--verbose")
    assert " x wider than shown" in done.stdout
    assert " x wider than shown" in (site / "report.html").read_text(encoding="utf-8")
