"""An empty name, as a variable leaves that is not set, is wrong use: it never means the working folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command import called
from imgshrink import Session, SettingsError, hook, load_settings
from places import IMAGES

COMMANDS = (
    ("optimize", ""),
    ("optimize", "a.jpg", ""),
    ("optimize", "--output", "", "a.jpg"),
    ("optimize", "-f", "", "a.jpg"),
    ("warm", ""),
    ("check", ""),
    ("check", "--baseline", "", "a.jpg"),
    ("check", "--write-baseline", "", "a.jpg"),
    ("restore", ""),
    ("compare", ""),
    ("compare", "--output", "", "a.jpg"),
    ("explain", ""),
    ("pages", ""),
    ("cache", "export", ""),
    ("cache", "import", ""),
    ("server", "--data", ""),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image."""
    shutil.copyfile(IMAGES / "photo.jpg", tmp_path / "a.jpg")
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_refuse_it(folder: Path, words: tuple[str, ...]) -> None:
    """Every command that takes a path refuses an empty one, and writes nothing."""
    done = called(*words, cwd=folder)
    assert done.returncode == 2
    assert "the name is empty; is a variable not set?" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["a.jpg"]
    assert (folder / "a.jpg").read_bytes() == (IMAGES / "photo.jpg").read_bytes()


@pytest.mark.parametrize("paths", ["", ["a.jpg", ""]])
def test_sessions_refuse_it(folder: Path, monkeypatch: pytest.MonkeyPatch, paths: str | list[str]) -> None:
    """The methods of a session raise for it."""
    monkeypatch.chdir(folder)
    with Session(load_settings(".")) as session, pytest.raises(SettingsError, match="an empty name"):
        session.optimize(paths)


def test_the_hook_passes_over_it() -> None:
    """For the hook it is no name at all."""
    assert hook.parse(["", "a.jpg", "--", "b.jpg", ""]) == ({}, ["a.jpg", "b.jpg"])
