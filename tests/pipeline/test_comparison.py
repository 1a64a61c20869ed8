"""Pairing images with what they were; most of it is tested with the command `compare`."""

from __future__ import annotations

from pathlib import Path

from imgshrink.files.git import modified_since, revision, staged, version_at
from imgshrink.files.originals import Originals
from imgshrink.image.seal import seal
from imgshrink.pipeline.comparison import NOT_SHRUNK, Pair, Unpaired, with_original, with_revision
from places import IMAGES
from real_tools import git

PHOTO = (IMAGES / "photo.jpg").read_bytes()


def never(original: bytes, output: bytes, quality: int) -> bool:
    raise AssertionError("no image should be compared")


def test_files_that_can_not_be_read(repository: Path) -> None:
    """A file that is gone or is no plain file has its reason, and no exception."""
    gone = Unpaired(repository / "a.png", "can't be read: No such file or directory")
    assert with_original(repository / "a.png", Originals(repository / "kept"), never) == gone
    assert with_revision(repository / "a.png", "0" * 40, "HEAD") == gone


def test_what_is_no_image_any_more(repository: Path) -> None:
    """A file that was an image once is said to be none now."""
    path = repository / "a.jpg"
    path.write_bytes(PHOTO)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "One")
    path.write_text("text")
    commit = revision(repository, "HEAD")
    assert with_revision(path, commit, "HEAD") == Unpaired(path, "not an image that imgshrink knows")


def test_an_original_that_is_the_file_itself(repository: Path) -> None:
    """An image whose only known original is what it holds has not been shrunk."""
    path = repository / "a.jpg"
    path.write_bytes(PHOTO)
    originals = Originals(repository / "kept")
    originals.store(PHOTO, PHOTO, path)
    assert with_original(path, originals, never) == Unpaired(path, NOT_SHRUNK)


def test_a_pair(repository: Path) -> None:
    """A pair holds both images as they are."""
    path = repository / "a.jpg"
    originals = Originals(repository / "kept")
    output = seal(PHOTO, 80)
    path.write_bytes(output)
    originals.store(PHOTO, output, path)
    found = with_original(path, originals, never)
    assert isinstance(found, Pair)
    assert (found.before, found.after, found.info.format.value) == (PHOTO, output, "jpeg")


def test_git_outside_of_a_repository(tmp_path: Path) -> None:
    """Where there is no repository, nothing is staged, committed or changed."""
    assert (staged(tmp_path / "a.png"), version_at(tmp_path / "a.png", "HEAD")) == (b"", b"")
    assert (revision(tmp_path, "HEAD"), modified_since(tmp_path, "HEAD")) == ("", [])


def test_a_word_that_is_an_option(repository: Path) -> None:
    """A word that looks like an option names no revision."""
    assert revision(repository, "--all") == ""
