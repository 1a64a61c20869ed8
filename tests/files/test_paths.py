"""Paths as the file system takes them, and what is said of those that it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgshrink.files.paths import relative_name, why_missing


@pytest.mark.parametrize(
    ("name", "reason"),
    [("gone", "no such file"), ("file/below", "no such file"), (".", "not a file"), ("x" * 300, "File name too long")],
)
def test_why_a_file_is_missing(tmp_path: Path, name: str, reason: str) -> None:
    """The reason is that there is none, that it is something else, or the system's own."""
    (tmp_path / "file").touch()
    assert why_missing(tmp_path / name) == reason


def test_the_kind_is_named(tmp_path: Path) -> None:
    """What was looked for is part of the reason."""
    assert why_missing(tmp_path / "gone", kind="folder") == "no such folder"


def test_names_for_people(tmp_path: Path) -> None:
    """A path is shown relative to a folder, upward too."""
    assert relative_name(tmp_path / "a" / "b.png", tmp_path / "c") == "../a/b.png"
