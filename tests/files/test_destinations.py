"""Where results go, and what is kept of what was there."""

from __future__ import annotations

import ntpath
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

from fakes import deflated, png, source
from imgshrink.core.errors import SettingsError, Unwritable
from imgshrink.files.destinations import InPlace, in_build, mirror, nowhere
from imgshrink.files.originals import Originals
from imgshrink.image.seal import seal

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


def test_images_on_two_drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that share no folder, as on two drives of Windows, are wrong use of `--output`, with the way out."""
    paths = [PureWindowsPath("C:/a/b.png"), PureWindowsPath("D:/c.png")]
    monkeypatch.setattr(os.path, "commonpath", lambda _: ntpath.commonpath([str(path) for path in paths]))
    with pytest.raises(SettingsError, match="images of one drive: run it once for each drive"):
        mirror(tmp_path / "out", [tmp_path / "a.png", tmp_path / "b.png"])


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
    subprocess.run(["git", "-C", str(picture.parent), "add", picture.name], check=True)
    store = unkept(tmp_path)
    InPlace(lambda: store)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL


def test_a_repository_is_no_copy_of_what_it_does_not_hold(picture: Path, tmp_path: Path) -> None:
    """A file that git does not know is not replaced where its original can't be kept."""
    subprocess.run(["git", "init", "--quiet", str(picture.parent)], check=True)
    store = unkept(tmp_path)
    with pytest.raises(Unwritable, match="no git repository holds it"):
        InPlace(lambda: store)(source(picture), BIG, SMALL)
    assert picture.read_bytes() == BIG


def test_a_repository_that_git_does_not_answer_for(picture: Path, kept: Originals) -> None:
    """A broken repository is treated like any folder: the original is kept."""
    (picture.parent / ".git").write_text("gitdir: /nowhere\n")
    InPlace(lambda: kept)(source(picture), BIG, SMALL)
    assert kept.find(picture) == BIG


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often git was asked so far: a git on PATH that counts, and then is the real one."""
    log, programs = tmp_path / "log", tmp_path / "bin"
    programs.mkdir()
    counting = programs / "git"
    counting.write_text(f'#!/bin/sh\necho x >> "{log}"\nexec "{shutil.which("git")}" "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return lambda: log.read_text().count("x") if log.exists() else 0


def with_images(folder: Path, *names: str) -> list[Path]:
    """A repository with these pictures, which ignores those whose names begin with `out`."""
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".gitignore").write_text("out*\n")
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(BIG)
    return paths


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script as a program")
def test_git_is_asked_once_a_repository(tmp_path: Path, kept: Originals, questions: Callable[[], int]) -> None:
    """Files of two repositories and of none: two questions, and each file is kept or not as when asked alone."""
    one = with_images(tmp_path / "one", "a.png", "out.png", "img/b.png")
    other = with_images(tmp_path / "other", "c.png", "out/d.png")
    (tmp_path / "plain.png").write_bytes(BIG)
    paths = [*one, *other, tmp_path / "plain.png"]
    sources = [source(path) for path in paths]
    begun = questions()
    place = InPlace(lambda: kept, sources)
    assert questions() == begun
    for each in sources:
        place(each, BIG, SMALL)
    assert questions() == begun + 2
    assert {row.path.name for row in kept.listing()} == {"a.png", "b.png", "c.png", "plain.png"}
    stranger = with_images(tmp_path / "one", "out-later.png")[0]
    place(source(stranger), BIG, SMALL)
    assert stranger not in {row.path for row in kept.listing()}


def test_one_file_does_not_silence_git_about_others(tmp_path: Path, kept: Originals) -> None:
    """Where git refuses to answer about one file, the others are asked about alone."""
    paths = with_images(tmp_path / "one", "a.png", "out.png")
    (tmp_path / "one/real").mkdir()
    (tmp_path / "one/link").symlink_to("real")
    beyond = tmp_path / "one/link/c.png"
    beyond.write_bytes(BIG)
    sources = [source(path) for path in (*paths, beyond)]
    place = InPlace(lambda: kept, sources)
    for each in sources:
        place(each, BIG, SMALL)
    assert {row.path.name for row in kept.listing()} == {"a.png", "c.png"}


def test_a_build_keeps_nothing(picture: Path) -> None:
    """A built site's copy is replaced, nothing else happens; and nowhere is nowhere."""
    nowhere(source(picture), BIG, SMALL)
    assert picture.read_bytes() == BIG
    in_build(source(picture), BIG, SMALL)
    assert picture.read_bytes() == SMALL
