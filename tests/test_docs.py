"""The documentation can't drift: its commands, options, settings and links are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml

from imgshrink.cli import group
from imgshrink.core.keys import content_hash
from imgshrink.settings.schema import fields_of
from places import ROOT
from real_tools import PICTURES

DOCS = ROOT / "example_site" / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMAND = re.compile(r"(?:^    |`)imgshrink ([a-z][^`\n]*)", re.MULTILINE)
SETTING = re.compile(
    r"`(?:IMGSHRINK_)?([a-z]+_[a-z_]+|quality|exclude|include|seal|strict|report|engine)(?:[:= ][^`]*)?`"
)
IN_MKDOCS_OR_PYTHON = {"docs_dir", "site_dir", "node_modules", "pull_request_target", "workflow_run", "exclude_docs"}

# Their names in code are those of other things: images, an API, metrics, another plugin's options, modules, attributes.
ELSEWHERE = {
    *("licences.md", "self-hosting.md", "operating.md", "many-nodes.md"),
    *("material-optimize.md", "tested.md", "python.md"),
}


def commands() -> list[tuple[str, str]]:
    """Every command line that the pages show, with its page."""
    found = {(page.name, line) for page in PAGES for line in COMMAND.findall(page.read_text(encoding="utf-8"))}
    return sorted((page, line) for page, line in found)


@pytest.mark.parametrize(("page", "line"), commands())
def test_commands_of_the_pages_exist(page, line):
    """Every `imgshrink ...` of a page names a command that exists, and options that it has."""
    words = re.sub(r"\s#.*", "", line).split()
    command: click.Command = group
    known = {"--help"}
    for word in words:
        inner = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if inner is not None:
            command = inner
            known |= {name for option in inner.params for name in option.opts + option.secondary_opts}
    assert command is not group, line
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_settings_of_the_pages_exist():
    """What the pages call a setting is one."""
    known = {row.name for row in fields_of()} | {"api_key", "image_id", "wider_than_shown"} | IN_MKDOCS_OR_PYTHON
    pages = [page for page in PAGES if page.name not in ELSEWHERE]
    named = {name for page in pages for name in SETTING.findall(page.read_text(encoding="utf-8"))}
    assert named - known == set()


def test_every_page_is_in_the_navigation():
    """The navigation names every page once."""
    config = re.sub(r"!!\S+", "", (ROOT / "example_site/mkdocs.yml").read_text(encoding="utf-8"))
    nav = re.findall(r"\w[\w-]*\.md", str(yaml.safe_load(config)["nav"]))
    assert sorted(nav) == [page.name for page in PAGES]


def test_every_picture_has_its_licence_line():
    """Each picture of the site is listed with where it comes from, and each project's licence is there."""
    text = (DOCS / "licences.md").read_text(encoding="utf-8")
    pictures = [path for path in PICTURES.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".gif", ".webp")]
    assert len(pictures) >= 24
    assert {path.suffix.lower() for path in pictures} == {".png", ".jpg", ".gif", ".webp"}
    for path in pictures:
        assert f"| `images/{path.relative_to(PICTURES).as_posix()}` |" in text
    for licence in re.findall(r"\(images/(licences/\w+\.txt)\)", text):
        assert (PICTURES / licence).stat().st_size > 1000


def test_left_column_of_the_gallery_is_the_right_one_before():
    """Each excluded picture is, byte for byte, one that the site shrinks."""
    shrunk = {content_hash(path.read_bytes()) for path in PICTURES.glob("*/*.*") if path.parent.name != "before"}
    before = list((PICTURES / "before").iterdir())
    assert before
    assert {content_hash(path.read_bytes()) for path in before} <= shrunk


def links() -> list[tuple[Path, str]]:
    """Every link of a page to another file of the site."""
    return [
        (page, link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link
    ]


def test_links_lead_somewhere():
    """Every link leads to a file, and every anchor to a heading or to a named row."""
    for page, link in links():
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.is_file(), f"{page.name}: {link}"
        text = target.read_text(encoding="utf-8") if anchor else ""
        slugs = {
            re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        } | set(re.findall(r'<a id="([^"]+)">', text))
        assert not anchor or anchor in slugs, f"{page.name}: {link}"


def test_paths_of_the_guide_for_contributors_exist():
    """Each path that CONTRIBUTING.md names is there, and it names each top-level part of the package."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:python3? )?([\w.-]*/?[\w./-]*(?:/|\.(?:py|md|toml)))[^`]*`", text)) - {
        "example_site/docs"
    }
    rows = {cell for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for cell in re.findall(r"`([^`]+)`", row)}
    assert len(named) > 30
    places = (ROOT, ROOT / "src" / "imgshrink")
    assert [name for name in sorted(named) if "NAME" not in name and not any((p / name).exists() for p in places)] == []
    parts = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / "src/imgshrink").iterdir()}
    covered = {row.split("/")[0] + ("/" if "/" in row else "") for row in rows}
    assert parts - covered - {"__pycache__/", "py.typed", "__main__.py"} == set()
