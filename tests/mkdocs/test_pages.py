"""Pages rewritten in real builds of MkDocs: the setting, the files around them, and `mkdocs serve`."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from mkdocs.commands.build import build as build_in_process
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from imgshrink.pages import site as pages_site
from real_tools import JPEG, PNG, build, lines, make_site

CONFIG = "site_url: https://example.org/docs/\ntheme: readthedocs\n"


def site_with(folder: Path, options: str) -> Path:
    site = make_site(folder, {"img/photo.jpg": JPEG, "a.png": PNG}, options=options, config=CONFIG)
    (site / "docs" / "sub").mkdir()
    (site / "docs" / "sub" / "page.md").write_text(
        "# Page\n\n![](../a.png)\n\n<img src=/docs/a.png>\n\n![](../img/photo.jpg)\n"
    )
    return site


@pytest.mark.usefixtures("warmed")
@pytest.mark.slow
def test_pages_of_a_build(tmp_path: Path) -> None:
    """With `reserve` sizes and lazy loading are written, `--strict` passes, and the report says so."""
    site = site_with(tmp_path, "pages: reserve\npages_eager: 1\nreport: report.json")
    plain = site_with(tmp_path / "plain", "pages: off")
    assert build(plain).returncode == 0
    done = build(site, "--strict")
    assert done.returncode == 0, done.stdout
    said = [line for line in lines(done) if line.startswith("pages: ")]
    assert said[0].startswith("pages: 3 read, 2 changed; 5 images with a size of ours, 3 of all load lazily.")
    page = (site / "site/sub/page/index.html").read_text()
    assert page.count('data-imgshrink="lazy size" loading="lazy" width=') == 2
    changed = json.loads((site / "report.json").read_text())["pages"]
    assert (changed["changed"], changed["sized"]) == (2, 5)
    files = {path.relative_to(site / "site") for path in (site / "site").rglob("*") if path.is_file()}
    for name in files - {Path("index.html"), Path("sub/page/index.html"), Path("sitemap.xml.gz")}:
        assert (site / "site" / name).read_bytes() == (plain / "site" / name).read_bytes(), name


@pytest.mark.usefixtures("warmed")
@pytest.mark.slow
def test_excluded_pages_are_named_by_their_source(tmp_path: Path) -> None:
    """`pages_exclude` names pages by their source, `exclude` images; a dirty build keeps what is written."""
    site = site_with(tmp_path, "pages: reserve\npages_exclude: [docs/sub/]\nexclude: [docs/a.png]")
    for arguments in ((), ("--dirty",)):
        done = build(site, *arguments)
        assert done.returncode == 0
        assert b"data-imgshrink" not in (site / "site/sub/page/index.html").read_bytes()
        assert (site / "site/index.html").read_text().count("data-imgshrink") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("pages: all", "pages in"),
        ("pages_formats: [png]", "one or more of webp, avif"),
        ("pages: reserve\npages_exclude: ['!']", "not a gitignore pattern"),
    ],
)
def test_wrong_settings_end_the_build_before_it_begins(tmp_path: Path, options: str, said: str, caplog) -> None:
    """Wrong settings of pages end the build, with the cure."""
    site = make_site(tmp_path, {"a.png": PNG}, options=options)
    with pytest.raises(Abort):
        served(site)
    assert said in caplog.text


def served(site: Path, times: int = 1, between=lambda: None) -> None:
    """Build a site as `mkdocs serve` does, `times` with one plugin object."""
    config = load_config(str(site / "mkdocs.yml"), site_dir=str(site / "served"))
    config.plugins.on_startup(command="serve", dirty=False)
    for number in range(times):
        if number:
            between()
        build_in_process(config)


@pytest.mark.slow
def test_serve_plans_pages_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """While serving, sizes are written at each rebuild, and only pages that changed are looked at again."""
    caplog.set_level(logging.INFO)
    site = site_with(tmp_path, "pages: reserve")
    planned: list[bytes] = []
    real = pages_site.plan
    monkeypatch.setattr(pages_site, "plan", lambda page, *rest: planned.append(page) or real(page, *rest))
    counts: list[int] = []

    def between() -> None:
        counts.append(len(planned))
        planned.clear()
        (site / "docs" / "index.md").write_text("# New\n\n![](a.png)\n")

    served(site, 2, between)
    assert counts == [3]
    assert len([page for page in planned if b'<h1 id="new">' in page]) == 1
    assert (site / "served/sub/page/index.html").read_text().count("data-imgshrink") == 3
    assert (site / "served/a.png").read_bytes() == PNG.read_bytes()
    assert [record for record in caplog.records if record.levelno > logging.INFO and "imgshrink" in record.name] == []
