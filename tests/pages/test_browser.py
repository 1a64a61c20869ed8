"""Real Chromium shows a rewritten page as it was: no box moves, and each image comes from the file that is planned."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pyvips

import stress_site
from browser import CHROMIUM
from imgshrink.core.model import Variant, VariantRequest
from imgshrink.pages.options import Options
from imgshrink.pages.sheets import Guard
from imgshrink.pages.site import rewrite
from site_server import SiteServer, served
from webdriver import DRIVER, Browser, browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]

WIDTHS = (1400, 390)
WRAPPED, SIZED = 20, 30
NEAR = 0.5
"""CSS pixels by which a box may differ: Chromium computes a width from a rounded height where it has no other."""

SETTLE = """
for (const image of document.images) image.loading = "eager";
const style = document.createElement("style");
style.textContent = "* { transition: none !important; animation: none !important }";
document.head.append(style);
"""
LOADED = "return document.readyState === 'complete' && [...document.images].every(image => image.complete)"
BOXES = """
const rows = [];
for (const element of document.body.querySelectorAll("*")) {
  if (element.matches("picture[data-imgshrink], picture[data-imgshrink] > source")) continue;
  const box = element.getBoundingClientRect();
  rows.push([element.tagName + "." + element.className, box.x + scrollX, box.y + scrollY, box.width, box.height]);
}
return rows;
"""
SOURCES = """
return [...document.images].map(image => [
  image.getAttribute("src"), image.currentSrc, image.closest("picture[data-imgshrink]") !== null, image.naturalWidth
]);
"""


def webp(requests: Sequence[VariantRequest]) -> Mapping[Path, Variant | None]:
    """A real lossless WebP of each image."""
    images = {one.published: pyvips.Image.new_from_buffer(one.published.read_bytes(), "") for one in requests}
    return {
        path: Variant(".webp", "image/webp", image.webpsave_buffer(lossless=True), None)
        for path, image in images.items()
    }


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SiteServer, Path]]:
    """The stress page by theme: `THEME/site` as it was built, `THEME/new` rewritten."""
    folder = tmp_path_factory.mktemp("stress")
    for theme in stress_site.THEMES:
        shutil.copytree(stress_site.build(folder / theme, theme), folder / theme / "new")
    with served(folder) as server:
        yield server, folder


def boxes(window: Browser, address: str, width: int) -> list[list[Any]]:
    """The boxes of all elements of a page once all of its images are there."""
    window.resize(width, 900)
    window.ask("/url", {"url": address})
    window.run(SETTLE)
    window.until(LOADED)
    last: list[list[Any]] = []
    while (now := window.run(BOXES)) != last:  # scripts of themes and late fonts move things for a while
        last = now
        window.run("return new Promise(done => setTimeout(done, 300))")
    return last


def moved(before: list[list[Any]], after: list[list[Any]]) -> list[tuple[list[Any], list[Any]]]:
    pairs = list(zip(before, after, strict=True))
    return [pair for pair in pairs if pair[0][0] != pair[1][0] or not _near(pair[0][1:], pair[1][1:])]


def _near(one: list[float], other: list[float]) -> bool:
    return all(abs(left - right) <= NEAR for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize("theme", stress_site.THEMES)
def test_no_box_moves(window: Browser, sites: tuple[SiteServer, Path], theme: str) -> None:
    """With both guards no box of the stress page moves, and every image comes from the file that is planned."""
    server, folder = sites
    summary = rewrite(folder / theme / "new", Options(variants=webp))
    assert summary.varied >= WRAPPED
    assert summary.sized >= (0 if theme == "mkdocs" else SIZED)
    window.complaints()
    for width in WIDTHS:
        before = boxes(window, server.url(f"{theme}/site/index.html"), width)
        complaints = len(window.complaints())
        after = boxes(window, server.url(f"{theme}/new/index.html"), width)
        assert moved(before, after) == []
        assert len(window.complaints()) == complaints
        rows = window.run(SOURCES)
        assert sum(row[2] for row in rows) == summary.varied
        for src, shown, wrapped, natural in rows:
            assert (".webp" in shown) == wrapped, src
            assert natural or not shown, src


@pytest.mark.parametrize("guard", ["fixed", "sizable"])
def test_boxes_move_without_a_guard(
    window: Browser, sites: tuple[SiteServer, Path], monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """The stress page is one: without either guard many boxes move."""
    server, folder = sites
    naked = folder / f"without-{guard}"
    shutil.copytree(folder / "material" / "site", naked)
    every = (lambda *_: set()) if guard == "fixed" else (lambda self, tree, page: set(range(len(tree.images))))
    monkeypatch.setattr(Guard, guard, every)
    rewrite(naked, Options(variants=webp if guard == "fixed" else None))
    before = boxes(window, server.url("material/site/index.html"), 1400)
    assert len(moved(before, boxes(window, server.url(f"{naked.name}/index.html"), 1400))) > 50


def test_original_where_variants_are_switched_off(window: Browser, sites: tuple[SiteServer, Path]) -> None:
    """A browser without WebP and AVIF gets the very original, and no other file is asked for."""
    server, folder = sites
    site = folder / "old"
    shutil.copytree(folder / "readthedocs" / "site", site)
    assert rewrite(site, Options(variants=webp)).varied >= WRAPPED
    disabled = {"cmd": "Emulation.setDisabledImageTypes", "params": {"imageTypes": ["webp", "avif"]}}
    window.ask("/goog/cdp/execute", disabled)
    try:
        server.clear()
        before = boxes(window, server.url("readthedocs/site/index.html"), 1400)
        assert moved(before, boxes(window, server.url("old/index.html"), 1400)) == []
        assert [name for name, _ in server.images() if name.endswith(".webp")] == []
        rows = window.run(SOURCES)
        assert all(natural for _, shown, wrapped, natural in rows if wrapped)
        assert [shown for _, shown, wrapped, _ in rows if wrapped and ".webp" in shown] == []
    finally:
        window.ask("/goog/cdp/execute", {**disabled, "params": {"imageTypes": []}})


def test_lazy_images_come_when_they_are_near(window: Browser, tmp_path: Path) -> None:
    """Images far below are not asked for before a reader comes near, and those in closed tabs not at all."""
    for name in ("first.png", "far.png", "hidden.png"):
        pyvips.Image.black(600, 300, bands=3).copy(interpretation="srgb").write_to_file(str(tmp_path / name))
    body = "<style>img{max-width:100%;height:auto}</style><main><img src=first.png><div style='height:20000px'></div>"
    (tmp_path / "index.html").write_text(f"<!doctype html>{body}<img src=far.png><p hidden><img src=hidden.png></p>")
    assert rewrite(tmp_path, Options(eager=1)).lazy == 2
    with served(tmp_path) as server:
        window.ask("/url", {"url": server.url("index.html")})
        window.until("return document.readyState === 'complete'")
        assert {name for name, _ in server.images()} == {"first.png"}
        window.run("scrollTo(0, 20000)")
        window.until("return document.images[1].complete && document.images[1].naturalWidth === 600")
        assert "hidden.png" not in {name for name, _ in server.images()}
