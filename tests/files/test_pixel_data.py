"""Facts about images whose pixels are data: they stay lossless unless a person says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgshrink.files.pixel_data import holds_data
from imgshrink.session import Session
from imgshrink.settings.load import load


@pytest.mark.parametrize(
    "name",
    [
        "games/jelpi.p8.png", "JELPI.P8.PNG", "tests/__screenshots__/button/a.png", "__image_snapshots__/b-snap.png",
        "e2e/home.spec.ts-snapshots/home-linux.png", "home.test.mjs-snapshots/x.png",
    ],
)  # fmt: skip
def test_data(name: str) -> None:
    """Carts and the baselines of visual tests are known by their names."""
    assert holds_data(Path(name))


@pytest.mark.parametrize(
    "name", ["p8.png", "a.p8.png.png", "screenshots/a.png", "daily-snapshots/a.png", "docs/__screenshots__.png"]
)
def test_no_data(name: str) -> None:
    """Other images are not."""
    assert not holds_data(Path(name))


def test_quality(tmp_path: Path) -> None:
    """They are lossless whatever the project's quality, unless an override or the command line gives one."""
    (tmp_path / "imgshrink.toml").write_text('quality = 60\n[[overrides]]\npaths = ["lossy/"]\nquality = 70\n')
    names = ["a.png", "a.p8.png", "lossy/a.p8.png", "__screenshots__/b.png"]

    def qualities(**given: object) -> list[int]:
        with Session(load(tmp_path, environ={}, arguments=given)) as session:
            return [session.selection.source(tmp_path / name, name).recipe.quality for name in names]

    assert qualities() == [60, 100, 70, 100]
    assert qualities(quality="50") == [50, 50, 50, 50]
