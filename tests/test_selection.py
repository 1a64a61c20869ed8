"""Which engines an image may go to: a promise that nothing is uploaded holds for every image below it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from imgshrink.selection import Selection, wanted_engines
from imgshrink.settings.load import load

BOTH = ("hosted", "builtin")
BUILTIN = ("builtin",)


def engines(start: Path, *, image: str = "image.png", upload: bool = True, **more: Any) -> tuple[str, ...]:
    """The engines of an image for a run that starts at a folder."""
    selection = Selection(load(start, environ={"HOME": os.environ["HOME"]}, **more))
    return selection.source(start / image, image, upload=upload).engines


@pytest.fixture
def nested(repository: Path) -> Path:
    """A folder of a repository, with a project file of its own to come."""
    folder = repository / "nested"
    folder.mkdir()
    return folder


def test_as_the_setting_says(repository: Path) -> None:
    """Where nothing is promised an image goes to the API first, unless it is one that must not be uploaded."""
    assert engines(repository) == BOTH
    assert engines(repository, arguments={"engine": "hosted"}) == ("hosted",)
    assert engines(repository, upload=False) == BUILTIN


@pytest.mark.parametrize("engine", ["auto", "hosted"])
def test_promise_of_the_repository(repository: Path, nested: Path, engine: str) -> None:
    """What a nested project file says does not widen the promise of the file that the run starts with."""
    (repository / "imgshrink.toml").write_text('engine = "builtin"\n')
    (nested / "imgshrink.toml").write_text(f'engine = "{engine}"\n[[overrides]]\npaths = ["a"]\nengine = "auto"\n')
    assert engines(repository, image="nested/image.png") == BUILTIN
    assert engines(repository, image="nested/a") == BUILTIN
    assert wanted_engines(load(repository, environ={"HOME": os.environ["HOME"]})) == {"builtin"}


def test_promise_of_a_nested_file(repository: Path, nested: Path) -> None:
    """A nested promise holds for the images below it, against the command line too, and for no others."""
    (repository / "imgshrink.toml").write_text('engine = "auto"\n')
    (nested / "imgshrink.toml").write_text('engine = "builtin"\n')
    assert engines(repository, image="nested/image.png", arguments={"engine": "hosted"}) == BUILTIN
    assert engines(repository) == BOTH
