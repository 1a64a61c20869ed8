"""Adding to the exclude of a project file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from imgshrink.cli.exclude import add_excludes, pattern_of
from imgshrink.core.errors import SettingsError
from imgshrink.files.patterns import Patterns
from imgshrink.settings.project import find_project

OWN = "imgshrink.toml"
SHARED = "pyproject.toml"


def added(folder: Path, *patterns: str) -> str:
    """Add `patterns` to the project file in `folder`, and return what the file holds then."""
    return add_excludes(find_project(folder, folder), patterns).read_bytes().decode()


NEW = 'exclude = [\n    "/a.png",\n]\n'


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (OWN, None, NEW),
        (OWN, "# ours\nquality = 70\n", f"# ours\nquality = 70\n{NEW}"),
        (OWN, "quality = 70\r\n", "quality = 70\r\n" + NEW.replace("\n", "\r\n")),
        (OWN, "[[overrides]]\npaths = ['b']\nquality = 9\n", f"{NEW}[[overrides]]\npaths = ['b']\nquality = 9\n"),
        (OWN, "exclude = ['b']\n", "exclude = ['b', \"/a.png\"]\n"),
        (OWN, "exclude = [\n  'b', # why\n]\n", "exclude = [\n  'b', # why\n  \"/a.png\",\n]\n"),
        (OWN, "exclude = [\r\n  'b',\r\n]\r\n", "exclude = [\r\n  'b',\r\n  \"/a.png\",\r\n]\r\n"),
        (OWN, "exclude = []", 'exclude = ["/a.png"]'),
        (SHARED, "[tool.x]\nexclude = [1]\n[tool.imgshrink]\n", f"[tool.x]\nexclude = [1]\n[tool.imgshrink]\n{NEW}"),
        (SHARED, "[tool.imgshrink]\n[tool.x]\nexclude = [1]\n", f"[tool.imgshrink]\n{NEW}[tool.x]\nexclude = [1]\n"),
        (SHARED, "[tool.imgshrink] # us\nexclude = ['b']\n", "[tool.imgshrink] # us\nexclude = ['b', \"/a.png\"]\n"),
        (SHARED, "[tool]\nimgshrink.quality = 70\n", f"[tool]\nimgshrink.quality = 70\nimgshrink.{NEW}"),
        (SHARED, "tool.imgshrink = {quality = 70}\n", f"tool.imgshrink = {{quality = 70,{NEW[:-1]}}}\n"),
        (
            SHARED,
            "[tool.imgshrink]\nquality=1\n\n[[tool.imgshrink.overrides]]\npaths=['x'] # y\nquality=2\n",
            f"[tool.imgshrink]\nquality=1\n{NEW}\n[[tool.imgshrink.overrides]]\npaths=['x'] # y\nquality=2\n",
        ),
    ],
)
def test_adding(tmp_path: Path, name: str, before: str | None, after: str) -> None:
    """A pattern is added at the end of the list, which is made where there is none; everything else stays as it is."""
    if before is not None:
        (tmp_path / name).write_bytes(before.encode())
    assert added(tmp_path, "/a.png") == after
    assert find_project(tmp_path, tmp_path).values["exclude"][-1] == "/a.png"  # type: ignore[index]


def test_a_pattern_is_added_once(tmp_path: Path) -> None:
    """What is listed already is not added again."""
    assert added(tmp_path, "/a.png") == added(tmp_path, "/a.png")


def test_a_list_written_as_text_is_left_alone(tmp_path: Path) -> None:
    """Where `exclude` is no list, the error says what to add by hand, and the file stays as it is."""
    content = 'exclude = """\nb\n"""\n'
    (tmp_path / OWN).write_text(content)
    with pytest.raises(SettingsError, match=r'add this to exclude in .* by hand: "/a.png"'):
        added(tmp_path, "/a.png")
    assert (tmp_path / OWN).read_text() == content


@pytest.mark.parametrize(
    "name",
    ["a b.png", "[1]*?.png", "#a.png", "!a.png", 'say "x".png', "back\\slash.png", "\x1b\u202e.png", "grüße.png"],
)
def test_pattern_matches_that_very_file(tmp_path: Path, name: str) -> None:
    """The pattern for a file survives TOML and matches the file, but not one of the same name elsewhere."""
    text = added(tmp_path, pattern_of(tmp_path / "docs" / name, tmp_path))
    patterns = Patterns(tmp_path, tomllib.loads(text)["exclude"])
    assert patterns.match(tmp_path / "docs" / name)
    assert not patterns.match(tmp_path / "docs" / "docs" / name)
    assert not patterns.match(tmp_path / "docs" / "1x.png")


def test_name_that_toml_can_not_hold(tmp_path: Path) -> None:
    """A name that is not UTF-8 is an error with a cure."""
    with pytest.raises(SettingsError, match="rename the file"):
        added(tmp_path, "/a\udcff.png")
