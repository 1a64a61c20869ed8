"""What the report offers to copy: each text does what its label says, for this image alone."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.model import Outcome, Status
from imgshrink.report import advice
from imgshrink.selection import Selection
from imgshrink.settings.load import load
from outcomes import shrunk

STRANGE = "docs/a 'b' \"c\" [d] #1 !x\\*?\t\u202e\U0001f600.png"
PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
NAMES = st.lists(PARTS.filter(lambda part: part.strip(".")), min_size=1, max_size=3).map(
    lambda parts: "/".join(parts) + ".png"
)


def selection(folder: Path, toml: str = "", mkdocs: Mapping[str, object] | None = None) -> Selection:
    """The rules of a project with that imgshrink.toml and these options of mkdocs.yml."""
    (folder / "imgshrink.toml").write_text(toml, encoding="utf-8")
    return Selection(load(folder, frontend="plugin" if mkdocs else "command", mkdocs=mkdocs, environ={}))


def texts(actions: advice.Advice, name: str, quality: int = 80) -> list[str]:
    return [action.text for action in actions(shrunk(name, 9, 3), quality)]


def treated(rules: Selection, folder: Path, name: str) -> tuple[bool, int]:
    """Whether an image is excluded, and its quality."""
    path = folder / name
    return rules.excluded(path), rules.source(path, name).recipe.quality


def holds_for_this_one_alone(name: str, folder: Path) -> None:
    exclude, override = texts(advice.in_project, name)
    assert treated(selection(folder, exclude), folder, name) == (True, 80)
    assert treated(selection(folder, exclude), folder, f"{name}x") == (False, 80)
    assert treated(selection(folder, override), folder, name) == (False, 95)
    assert treated(selection(folder, override), folder, f"sub/{name}") == (False, 80)
    exclude, override = (yaml.safe_load(f"plugins:\n{lines}\n") for lines in texts(advice.in_mkdocs, name))
    (options,) = exclude["plugins"]
    assert treated(selection(folder, mkdocs=options["imgshrink"]), folder, name) == (True, 80)
    (options,) = override["plugins"]
    assert treated(selection(folder, mkdocs=options["imgshrink"]), folder, name) == (False, 95)


@pytest.mark.parametrize("name", ["a.png", "docs/img/photo.jpg", STRANGE])
def test_lines_hold_for_one_image(tmp_path: Path, name: str) -> None:
    """The lines for imgshrink.toml and for mkdocs.yml exclude or override that very image."""
    holds_for_this_one_alone(name, tmp_path)


@given(NAMES)
def test_lines_hold_for_any_name(name: str) -> None:
    """Whatever the image is called, the lines are TOML and YAML, and hold for it alone."""
    if os.sep != "/" and set(name) & set('<>:"|?*\\'):
        return
    with TemporaryDirectory() as folder:
        holds_for_this_one_alone(name, Path(folder))


def test_lines_for_an_image_elsewhere(tmp_path: Path) -> None:
    """An image beside the folder of mkdocs.yml is named from there."""
    inner = tmp_path / "config"
    inner.mkdir()
    exclude, _ = texts(advice.in_project, "../docs/a.png")
    rules = selection(inner, exclude)
    assert (rules.excluded(tmp_path / "docs/a.png"), rules.excluded(tmp_path / "docs/b.png")) == (True, False)


def test_commands() -> None:
    """The commands name the image as one word, whatever it is called."""
    undo, lines = texts(advice.in_place, "-a b.png")
    assert shlex.split(undo) == ["imgshrink", "restore", "--keep", "./-a b.png"]
    assert tomllib.loads(lines) == {"overrides": [{"paths": ["/-a\\ b.png"], "quality": 95}]}
    assert lines.endswith("# in imgshrink.toml; then run: imgshrink optimize --redo './-a b.png'")
    (git,) = texts(advice.by_git, "a b.png")
    assert shlex.split(git) == ["git", "restore", "a b.png"]


def test_the_next_quality() -> None:
    """What is at 95 already is offered lossless."""
    for actions in (advice.in_place, advice.in_project, advice.in_mkdocs):
        last = actions(shrunk("a.png", 9, 3), 95)[-1]
        assert last.label == "Keep it lossless"
        assert "100" in last.text


def test_names_that_no_file_of_settings_can_hold() -> None:
    """A name that is not UTF-8 has a command and no lines."""
    assert len(texts(advice.in_place, "a\udcff.png")) == 1
    assert texts(advice.in_project, "a\udcff.png") == texts(advice.in_mkdocs, "a\udcff.png") == []


def test_nothing_to_do() -> None:
    """What was not changed needs no advice."""
    kept = Outcome("a.png", Status.KEPT, 9, 9)
    for actions in (advice.in_place, advice.in_project, advice.in_mkdocs, advice.by_git, advice.none):
        assert list(actions(kept, 80)) == []
