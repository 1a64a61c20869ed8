"""Where results go, and what is kept of what was there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imgshrink.errors import Unwritable
from imgshrink.originals import Originals
from imgshrink.place import InPlace, in_build, nowhere
from imgshrink.seal import seal
from parts import deflated, png, source

BIG = png(1)
SMALL = deflated(BIG)


@pytest.fixture
def kept(tmp_path: Path) -> Originals:
    """An empty store of originals."""
    return Originals(tmp_path / "state")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture outside any repository."""
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    path.write_bytes(BIG)
    return path


def ignored(picture: Path) -> None:
    """Put the picture into a repository that ignores it."""
    subprocess.run(["git", "init", "--quiet", str(picture.parent)], check=True)
    (picture.parent / ".gitignore").write_text("*.png\n")


def test_original_is_kept_before_it_is_replaced(picture: Path, kept: Originals) -> None:
    """What a lossy result replaces can be had back."""
    InPlace(lambda: kept)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL
    assert kept.find(picture) == BIG


def test_seal_alone_keeps_nothing(picture: Path, kept: Originals) -> None:
    """A file that only gets its seal needs no copy: unsealing it gives it back."""
    InPlace(lambda: kept)(source(picture), BIG, seal(BIG, 80))
    assert kept.listing() == []


def test_nothing_is_kept_of_what_git_ignores(picture: Path, kept: Originals) -> None:
    """A file that git ignores is made anew by whoever made it."""
    ignored(picture)
    InPlace(lambda: kept)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL
    assert kept.listing() == []


def unkept(tmp_path: Path) -> Originals:
    """A store that can't be written: a file stands where its folder should be."""
    (tmp_path / "state").write_text("")
    return Originals(tmp_path / "state")


def test_without_a_copy_the_file_stays(picture: Path, tmp_path: Path) -> None:
    """Where the original can't be kept and no repository holds it, it is not replaced, and the error says why."""
    store = unkept(tmp_path)
    with pytest.raises(Unwritable, match="its original can't be kept"):
        InPlace(lambda: store)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == BIG


def test_a_repository_is_a_copy_too(picture: Path, tmp_path: Path) -> None:
    """In a git repository a commit goes through where the state folder can't be written."""
    subprocess.run(["git", "init", "--quiet", str(picture.parent)], check=True)
    store = unkept(tmp_path)
    InPlace(lambda: store)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL


def test_a_repository_that_git_does_not_answer_for(picture: Path, kept: Originals) -> None:
    """A broken repository is treated like any folder: the original is kept."""
    (picture.parent / ".git").write_text("gitdir: /nowhere\n")
    InPlace(lambda: kept)(source(picture), BIG, SMALL)
    assert kept.find(picture) == BIG


def test_a_build_keeps_nothing(picture: Path) -> None:
    """A built site's copy is replaced, nothing else happens; and nowhere is nowhere."""
    nowhere(source(picture), BIG, SMALL)
    assert picture.read_bytes() == BIG
    in_build(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL
