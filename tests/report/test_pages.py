"""What a run over the pages of a site says, in the text and in each report."""

from __future__ import annotations

import json
from pathlib import Path

from imgshrink.core.pages import OfferedVariant, PagesSummary
from imgshrink.report import pages
from imgshrink.report.documents import to_json, to_markdown
from imgshrink.report.publish import publish
from imgshrink.report.summary import summarize

MANY = PagesSummary(
    read=391,
    changed=88,
    sized=381,
    lazy=300,
    varied=175,
    kept=14,
    variants={".webp": 44, ".avif": 131},
    waiting=2,
    left={f"{number}.html": "it has a <base> element" for number in range(5)} | {"x\n.html": "it is too large"},
    failed={"b.html": "b.html is read-only"},
    shown_before=282_000,
    shown_after=178_000,
    at_once=31_000,
)
LINE = (
    "pages: 391 read, 88 changed; 381 images with a size of ours, 300 of all load lazily, "
    "175 with a variant (131 AVIF, 44 WebP), 14 left as the site's CSS needs them. "
    "A page with images: 282 kB -> 178 kB, 31 kB at once"
)


def test_one_line_says_what_was_done() -> None:
    """The numbers, and what a reader's page weighs."""
    assert pages.result(MANY) == LINE
    few = PagesSummary(read=1, sized=1, shown_before=900, shown_after=900, at_once=900)
    assert pages.result(few, dry_run=True) == (
        "pages: 1 read, 0 to change; 1 image with a size of ours, 0 of all load lazily. A page with images: 900 bytes"
    )
    assert pages.result(PagesSummary(read=3)).endswith("0 of all load lazily")
    assert pages.taken_back(MANY, dry_run=True) == "pages: 391 read, 88 to be put back as they were"


def test_notes_name_what_was_left() -> None:
    """Pages by reason, three of them at most; only what failed is a failure."""
    notes = list(pages.notes(MANY, next_run="the next build"))
    assert [(note.text, note.failure) for note in notes] == [
        ("5 pages stay as they are, it has a <base> element: 0.html, 1.html, 2.html and 2 more", False),
        ("1 page stays as it is, it is too large: x\\n.html", False),
        ("b.html stays as it is: b.html is read-only", True),
        ("2 images wait for a variant: the next build goes on", False),
    ]
    assert next(iter(pages.notes(PagesSummary(waiting=1)))).text.startswith("1 image waits")


def test_reports_hold_the_numbers(tmp_path: Path) -> None:
    """JSON, Markdown and HTML hold them; reports of runs without pages are as they were."""
    summary = summarize([])
    assert json.loads(to_json([], summary, pages=MANY))["pages"]["variants"] == {"avif": 131, "webp": 44}
    assert "pages" not in json.loads(to_json([], summary))
    assert "391 read, 88 changed" in to_markdown([], summary, pages=MANY)
    for name in ("a.json", "a.md", "a.html"):
        assert publish([], summary, report=tmp_path / name, environ={}, pages=MANY) == []
        assert "391" in (tmp_path / name).read_text()


def test_reports_list_the_variants(tmp_path: Path) -> None:
    """Each variant is named with both sizes, how it looks and how many pages show it."""
    offered = [OfferedVariant(f"a|{number}.png", f"a|{number}.png.webp", 9000, 4000, None, 3) for number in range(24)]
    photo = OfferedVariant("<b>.jpg", "<b>.jpg.avif", 50_000, 20_000, 78.24, 1)
    many = PagesSummary(read=4, varied=25, variants={".webp": 24, ".avif": 1}, offered=(photo, *offered))
    summary = summarize([])
    assert json.loads(to_json([], summary, pages=many))["pages"]["offered"][0] == {
        "image": "<b>.jpg", "variant": "<b>.jpg.avif", "before": 50_000, "after": 20_000, "score": 78.24, "pages": 1,
    }  # fmt: skip
    lines = to_markdown([], summary, pages=many).splitlines()
    assert lines[-24:-20] == [
        "| image | published | variant | score | pages |",
        "|---|--:|--:|--:|--:|",
        r"| \<b\>.jpg | 50 kB | 20 kB AVIF | 78 | 1 |",
        r"| a\|0.png | 9 kB | 4 kB WebP | the same pixels | 3 |",
    ]
    assert lines[-1] == "and 5 more"
    publish([], summary, report=tmp_path / "a.html", environ={}, pages=many)
    page = (tmp_path / "a.html").read_text()
    assert "<td>&lt;b&gt;.jpg</td><td>50 kB</td><td>20 kB AVIF</td><td>78</td><td>1</td>" in page
    assert page.count("<tr><td>") == 25
    publish([], summary, report=tmp_path / "b.html", environ={}, pages=MANY)
    assert "Modern variants" not in (tmp_path / "b.html").read_text()


def test_long_work_is_said() -> None:
    """A line after five seconds, then one every half minute."""
    times = iter([0.0, 1.0, 6.0, 20.0, 36.5])
    said: list[str] = []
    patience = pages.Patience(said.append, clock=lambda: next(times))
    for _ in range(4):
        patience()
    assert [line.split(",")[1].split(";")[0] for line in said] == [" 6.0 s so far", " 36 s so far"]
