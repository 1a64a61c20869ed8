"""What `doctor` says of images whose pixels are data."""

from __future__ import annotations

import shutil
from pathlib import Path

from imgshrink.cli.doctor.folders import images
from imgshrink.session import Session
from imgshrink.settings.load import load
from places import IMAGES


def test_images_whose_pixels_are_data(tmp_path: Path) -> None:
    """They are counted and named, with the ways to leave them out; where there are none, nothing is said."""
    shutil.copyfile(IMAGES / "still.png", tmp_path / "a.png")
    with Session(load(tmp_path, environ={})) as session:
        assert not any("data" in line for line in list(images(session, tmp_path, {}))[1:])
        shutil.copyfile(IMAGES / "still.png", tmp_path / "game.p8.png")
        (line,) = [line for line in images(session, tmp_path, {}) if "pixels are data" in line]
    assert line.startswith("1 image whose pixels are data, lossless by default: game.p8.png. `files: ^docs/` keeps")
