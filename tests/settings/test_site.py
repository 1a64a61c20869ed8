"""Settings of a build: what may be written where."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgshrink.core.errors import SettingsError
from imgshrink.settings.load import load
from imgshrink.settings.schema import Settings
from imgshrink.settings.site import for_site


def settings(folder: Path, **options: object) -> Settings:
    """The settings of a mkdocs.yml in `folder`."""
    file = folder / "mkdocs.yml"
    file.touch()
    return load(file, frontend="plugin", mkdocs=options, environ={"HOME": str(folder / "home")})


@pytest.mark.parametrize(
    ("name", "place"), [("report", "docs/r.md"), ("report", "docs/a/r.html"), ("cache_dir", "docs/cache")]
)
@pytest.mark.parametrize("serving", [False, True])
def test_nothing_is_written_into_the_docs_folder(tmp_path: Path, name: str, place: str, serving: bool) -> None:
    """A report or a cache in the docs folder is an error that names the setting, its place and the cure."""
    with pytest.raises(SettingsError, match=rf"{name} in .*mkdocs.yml names .*{place}, in the docs folder.* outside"):
        for_site(settings(tmp_path, on_serve=True, **{name: place}), tmp_path / "docs", serving=serving)


def test_a_hidden_cache_in_the_docs_folder(tmp_path: Path) -> None:
    """A cache below a name with a dot is not published, so that it may lie in a docs folder that nobody watches."""
    given = settings(tmp_path, cache_dir=".cache/imgshrink", on_serve="cache")
    assert for_site(given, tmp_path, serving=False) == given
    with pytest.raises(SettingsError, match="cache_dir"):
        for_site(given, tmp_path, serving=True)
    off = settings(tmp_path, cache_dir=".cache/imgshrink")
    assert for_site(off, tmp_path, serving=True) == off


@pytest.mark.parametrize("report", ["r.html", "r.md", "out/r.json"])
def test_serve_writes_no_report(tmp_path: Path, report: str) -> None:
    """`mkdocs serve` writes a report of no kind; a build does."""
    given = settings(tmp_path, report=report)
    assert for_site(given, tmp_path / "docs", serving=True).report is None
    assert for_site(given, tmp_path / "docs", serving=False).report == tmp_path / report
