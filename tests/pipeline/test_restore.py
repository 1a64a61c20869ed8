"""Having originals back: from what was kept, from git, and never another picture."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imgshrink.core.errors import SettingsError
from imgshrink.core.model import Recipe, Source
from imgshrink.files.destinations import mirror
from imgshrink.files.git import MOST, program, versions
from imgshrink.files.originals import Originals
from imgshrink.image.seal import seal
from imgshrink.pipeline.restore import GIT, KEPT, find_original
from places import IMAGES

PHOTO = (IMAGES / "photo.jpg").read_bytes()
OTHER = (IMAGES / "camera.jpg").read_bytes()


def git(folder: Path, *words: str) -> None:
    names = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, check=True)


def commit(path: Path, data: bytes) -> None:
    """Commit `data` as the file at `path`."""
    path.write_bytes(data)
    git(path.parent, "add", "-A")
    git(path.parent, "commit", "-qm", "change", "--allow-empty")


@pytest.fixture
def originals(tmp_path_factory: pytest.TempPathFactory) -> Originals:
    """A place for originals that holds none."""
    return Originals(tmp_path_factory.mktemp("originals"))


def never(original: bytes, output: bytes, quality: int) -> bool:
    raise AssertionError("no picture should be looked at")


@pytest.mark.parametrize("name", ["a.jpg", "a b.jpg", "-rf.jpg", ":(top)a.jpg", "*.jpg", "grüße.jpg"])
def test_versions_newest_first(repository: Path, name: str) -> None:
    """The committed versions of a file come newest first, whatever it is called; other files' do not."""
    for data in (b"one", b"two", b"three"):
        commit(repository / name, data)
        commit(repository / "b.jpg", b"other " + data)
    assert list(versions(repository / name)) == [b"three", b"two", b"one"]


def test_versions_are_bounded(repository: Path) -> None:
    """At most twenty versions are looked at."""
    for number in range(MOST + 3):
        commit(repository / "a.jpg", b"%d" % number)
    assert len(list(versions(repository / "a.jpg"))) == MOST


def test_a_removed_version_is_passed_over(repository: Path) -> None:
    """A commit that removed the file holds no version of it."""
    commit(repository / "a.jpg", b"one")
    git(repository, "rm", "-q", "a.jpg")
    git(repository, "commit", "-qm", "removed")
    assert list(versions(repository / "a.jpg")) == [b"one"]


def test_versions_without_a_repository(tmp_path: Path) -> None:
    """Outside of a repository there are no versions."""
    assert list(versions(tmp_path / "a.jpg")) == []


def test_versions_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git there are no versions; a program of that name in the working folder is not run."""
    commit(repository / "a.jpg", b"one")
    fake = repository / "git"
    fake.write_text("#!/bin/sh\ntouch owned\n")
    fake.chmod(0o755)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", ".")
    assert (program(), list(versions(repository / "a.jpg")), (repository / "owned").exists()) == (None, [], False)


@pytest.mark.skipif(os.name != "posix", reason="a program is a script there")
def test_git_that_can_not_run(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that does not start brings no versions and no error."""
    (tmp_path / "bin").mkdir()
    broken = tmp_path / "bin" / "git"
    broken.write_bytes(b"\x7fELF nothing")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert list(versions(repository / "a.jpg")) == []


def test_kept_original_comes_first(repository: Path, originals: Originals) -> None:
    """What was kept when the file was replaced is the original, whatever git holds."""
    path = repository / "a.jpg"
    commit(path, OTHER)
    output = seal(PHOTO, 80)
    path.write_bytes(output)
    originals.store(OTHER, output, path)
    found = find_original(path, originals, never)
    assert found is not None
    assert (found.data, found.source) == (OTHER, KEPT)
    found.put_back()
    assert path.read_bytes() == OTHER


def test_mark_alone_is_taken_away_by_git(repository: Path, originals: Originals) -> None:
    """A file that only got the mark is had back from git without looking at a pixel."""
    path = repository / "a.jpg"
    commit(path, PHOTO)
    commit(path, seal(PHOTO, 80))
    found = find_original(path, originals, never)
    assert found is not None
    assert (found.data, found.source) == (PHOTO, GIT)


def test_what_is_staged_comes_before_what_was_committed(repository: Path, originals: Originals) -> None:
    """A new image that was staged and then shrunk is had back from the index; else what was committed is tried."""
    path = repository / "a.jpg"
    commit(path, OTHER)
    path.write_bytes(PHOTO)
    git(repository, "add", "a.jpg")
    path.write_bytes(seal(PHOTO, 80))
    found = find_original(path, originals, never)
    assert found is not None
    assert (found.data, found.source) == (PHOTO, GIT)
    asked: list[bytes] = []

    def committed(original: bytes, output: bytes, quality: int) -> bool:
        asked.append(original)
        return original == OTHER

    path.write_bytes(seal((IMAGES / "progressive.jpg").read_bytes(), 80))
    found = find_original(path, originals, committed)
    assert asked == [PHOTO, OTHER]
    assert found is not None
    assert found.data == OTHER


@pytest.mark.parametrize("alike", [True, False])
def test_git_holds_the_original_only_if_it_is_the_same_image(
    repository: Path, originals: Originals, *, alike: bool
) -> None:
    """Another content in git is the original only where it shows the same picture; pointers are passed over."""
    path = repository / "a.jpg"
    commit(path, OTHER)
    commit(path, b"version https://git-lfs.github.com/spec/v1\n")
    commit(path, seal(PHOTO, 70))
    asked: list[tuple[bytes, bytes, int]] = []

    def same(original: bytes, output: bytes, quality: int) -> bool:
        asked.append((original, output, quality))
        return alike

    found = find_original(path, originals, same)
    assert asked == [(OTHER, PHOTO, 70)]
    assert (found is not None) is alike


def test_file_without_a_mark_is_its_own_original(repository: Path, originals: Originals) -> None:
    """A file that is no output of ours has no original."""
    path = repository / "a.jpg"
    commit(path, OTHER)
    path.write_bytes(PHOTO)
    assert find_original(path, originals, never) is None
    assert find_original(repository / "gone.jpg", originals, never) is None


def test_mirror_refuses_its_own_input(tmp_path: Path) -> None:
    """A folder inside of what is shrunk is refused, through a symlink too; one beside it is not."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "docs")
    for folder in (tmp_path / "docs", tmp_path / "docs" / "out", tmp_path / "link" / "out"):
        with pytest.raises(SettingsError, match="choose a folder beside it"):
            mirror(folder, [tmp_path / "docs"])
    mirror(tmp_path / "docs-out", [tmp_path / "docs"])


def test_mirror_keeps_the_paths_below_what_the_images_share(tmp_path: Path) -> None:
    """Images land at their paths below the folder that they share; what can't be copied is named."""
    for name in ("a/one.jpg", "b/two.jpg"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(IMAGES / "photo.jpg", tmp_path / name)
    paths = [tmp_path / "a", tmp_path / "b" / "two.jpg"]
    sources = [Source(tmp_path / name, name, Recipe(), ()) for name in ("a/one.jpg", "b/two.jpg", "b/gone.jpg")]
    written = mirror(tmp_path / "out", paths)
    written(sources[0], PHOTO, b"smaller")
    notes = written.complete(sources)
    assert (tmp_path / "out" / "a" / "one.jpg").read_bytes() == b"smaller"
    assert (tmp_path / "out" / "b" / "two.jpg").read_bytes() == PHOTO
    assert len(notes) == 1
    assert "gone.jpg can't be copied: " in notes[0]
