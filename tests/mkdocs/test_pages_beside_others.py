"""Pages are rewritten beside other plugins: strict builds pass, and every file but the pages stays as it was."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from imgshrink.pages.marks import take_back
from real_tools import JPEG, PNG, build, lines

pytestmark = [pytest.mark.slow, pytest.mark.long]

CONFIG = """site_name: A site
site_url: https://example.org/
theme: {name: material, font: false}
markdown_extensions: [attr_list, md_in_html]
plugins:
"""
NEIGHBOURS = {
    "search": ("material", "  - search\n"),
    "blog": ("material", "  - blog\n"),
    "privacy": ("material", "  - privacy: {assets_exclude: [unpkg.com/*]}\n"),
    "offline": ("material", "  - offline\n"),
    "social": ("cairosvg", "  - social\n"),
    "minify": ("mkdocs_minify_plugin", "  - minify: {minify_html: true}\n"),
    "glightbox": ("mkdocs_glightbox", "  - glightbox\n"),
    "drawio": ("mkdocs_drawio", "  - drawio\n"),
    "rss": ("mkdocs_rss_plugin", "  - rss: {use_git: false, match_path: blog/.*}\n"),
    "print-site": ("mkdocs_print_site_plugin", "  - print-site: {add_cover_page: false}\n"),
    "i18n": (
        "mkdocs_static_i18n",
        "  - i18n: {languages: [{locale: en, name: English, default: true, build: true}]}\n",
    ),
}
ALONE = ("privacy", "i18n")
"""They log warnings of their own beside others: about scripts out of reach, about the pages of a blog."""

POST = """---
date: 2026-01-02
image: ../../photo.jpg
---
# A post

![](../../photo.jpg)

<!-- more -->

![](../../a.png)
"""
TIMES = re.compile(rb"<(lastBuildDate|pubDate|lastmod)>[^<]*<|\"date_(?:modified|published)\": \"[^\"]*\"")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache that all builds share."""
    folder = str(tmp_path_factory.mktemp("home"))
    return dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), folder)


def built(folder: Path, plugins: str, pages: str, home: dict[str, str]) -> tuple[Path, list[str]]:
    """Build the site strictly, and return its folder and what imgshrink said."""
    docs = folder / "docs"
    (docs / "blog" / "posts").mkdir(parents=True)
    shutil.copy(JPEG, docs / "photo.jpg")
    shutil.copy(PNG, docs / "a.png")
    (docs / "index.md").write_text("# A site\n\n" + "![](a.png) ![](photo.jpg)\n\n" * 3)
    (docs / "blog" / "index.md").write_text("# Blog\n")
    (docs / "blog" / "posts" / "one.md").write_text(POST)
    ours = f"  - imgshrink: {{engine: builtin, pages: {pages}}}\n"
    (folder / "mkdocs.yml").write_text(CONFIG + ours + plugins)
    done = build(folder, "--strict", environ=home)
    assert done.returncode == 0, done.stdout
    return folder / "site", lines(done)


def files(site: Path) -> dict[str, bytes]:
    """All files by name, without the times of a build; compressed ones hold theirs."""
    found = (path for path in sorted(site.rglob("*")) if path.is_file() and path.suffix != ".gz")
    return {path.relative_to(site).as_posix(): TIMES.sub(b"", path.read_bytes()) for path in found}


@pytest.mark.parametrize("name", [*NEIGHBOURS, "all"])
def test_only_pages_change(tmp_path: Path, home: dict[str, str], name: str) -> None:
    """Feeds, search index, sitemap, style sheets and images are the same bytes, and pages can be taken back."""
    chosen = [row for key, row in NEIGHBOURS.items() if key == name or (name == "all" and key not in ALONE)]
    there = [plugin for module, plugin in chosen if importlib.util.find_spec(module)]
    if not there:
        pytest.skip(f"{chosen[0][0]} is not installed")
    plain, _ = built(tmp_path / "plain", "".join(there), "off", home)
    site, said = built(tmp_path / "modern", "".join(there), "modern", home)
    before, after = files(plain), files(site)
    new = set(after) - set(before)
    assert {Path(file).suffix for file in new} <= {".webp", ".avif"}
    assert set(before) <= set(after)
    changed = {file for file in before if before[file] != after[file]}
    assert changed
    assert {Path(file).suffix for file in changed} == {".html"}
    for file in changed:
        assert b"data-imgshrink" in after[file]
        assert take_back(after[file]) == before[file], file
    assert [line for line in said if "internal error" in line] == []
