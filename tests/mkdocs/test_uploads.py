"""Which images of a build may be uploaded: those of the docs, and others only where the settings say so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mkdocs.config import load_config
from mkdocs.structure.files import File, Files

from imgshrink.mkdocs_plugin import ImgshrinkPlugin
from imgshrink.session import Session
from places import IMAGES

BOTH, BUILTIN = ("hosted", "builtin"), ("builtin",)


@pytest.mark.parametrize(("option", "elsewhere"), [("false", BUILTIN), ("true", BOTH)])
def test_images_of_the_theme_and_of_other_plugins(tmp_path: Path, option: str, elsewhere: tuple[str, ...]) -> None:
    """An image of the docs may be uploaded; one of the theme, or one that just appears in the site, if asked for."""
    for folder in ("docs", "theme", "site"):
        (tmp_path / folder).mkdir()
    for path in ("docs/own.png", "theme/logo.png", "site/own.png", "site/logo.png", "site/made.png"):
        shutil.copy(IMAGES / "still.png", tmp_path / path)
    (tmp_path / "mkdocs.yml").write_text(
        f"site_name: x\nplugins:\n  - imgshrink:\n      upload_generated: {option}\n", encoding="utf-8"
    )
    config = load_config(str(tmp_path / "mkdocs.yml"))
    plugin = config.plugins["imgshrink"]
    assert isinstance(plugin, ImgshrinkPlugin)
    plugin.on_config(config)
    files = [File(name, str(tmp_path / folder), config.site_dir, use_directory_urls=False)
             for folder, name in (("docs", "own.png"), ("theme", "logo.png"))]  # fmt: skip
    plugin.on_files(Files(files), config=config)
    with Session(plugin._settings) as session:
        found = {source.path.name: source.engines for source in plugin._sources(config, session)}
    assert found == {"own.png": BOTH, "logo.png": elsewhere, "made.png": elsewhere}
