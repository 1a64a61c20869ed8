"""Facts about the first look at a file, and about the check, which sees no more than it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fakes import Bench, png, source
from imgshrink.core.model import Reason, Status
from imgshrink.files.reader import LARGEST
from imgshrink.pipeline import inspection
from imgshrink.pipeline.check import as_outcomes, check
from imgshrink.pipeline.inspection import State, inspect
from imgshrink.pipeline.run import Policy

BIG = png(1)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


@POSIX
def test_read_only(bench: Bench) -> None:
    """A file that its owner may not write is left alone in place, before anything is spent on it; else it is work."""
    path = bench.put("a.png", BIG)
    path.chmod(0o464)
    assert inspect(source(path), 0).state is State.OPEN
    assert inspect(source(path), 0, in_place=True).state is State.READ_ONLY
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.READ_ONLY)
    assert (path.read_bytes(), bench.engines[0].asked) == (BIG, [])
    assert bench.run(Policy())["a.png"].status is Status.OPTIMIZED


def test_gone_after_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that vanishes after it was read is no error here: it is told when it is to be replaced."""
    monkeypatch.setattr(inspection, "read", lambda _: BIG)
    assert inspect(source(tmp_path / "gone.png"), 0, in_place=True).state is State.OPEN


@POSIX
def test_what_is_not_read(tmp_path: Path) -> None:
    """What is too large or no plain file is never read, and never fails a check; the reason is told."""
    large, pipe, folder = (tmp_path / name for name in ("large.png", "pipe.png", "folder.png"))
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    os.mkfifo(pipe)
    folder.mkdir()
    found = [inspect(source(path), 0) for path in (large, pipe, folder)]
    assert [(image.state, image.reason, image.size) for image in found] == [
        (State.UNSUPPORTED, "larger than 256 MiB", 0),
        (State.UNREADABLE, "can't be read: not a plain file", 0),
        (State.UNREADABLE, "can't be read: a folder", 0),
    ]
    checked = check([source(path) for path in (large, pipe, folder)], min_size=0, seal="all")
    assert (checked.not_shrunk, len(checked.left)) == ((), 3)


@POSIX
def test_check(tmp_path: Path) -> None:
    """The check fails for images to shrink, passes those that are read-only, and names the reason of each."""
    for name, mode in (("open.png", 0o644), ("locked.png", 0o444)):
        (tmp_path / name).write_bytes(BIG)
        (tmp_path / name).chmod(mode)
    checked = check([source(path) for path in sorted(tmp_path.iterdir())], min_size=0, seal="all")
    assert [image.source.name for image in checked.not_shrunk] == ["open.png"]
    rows = as_outcomes([*checked.not_shrunk, *checked.left])
    assert [(row.path, row.reason) for row in rows] == [("open.png", "not shrunk"), ("locked.png", Reason.READ_ONLY)]


@POSIX
def test_check_of_sizes(tmp_path: Path) -> None:
    """Whatever an image is, it may be too large: not shrunk, locked, unreadable. Small, listed and absent ones pass."""
    for name in ("open.png", "locked.png", "listed.png", "empty.png", "large.png"):
        (tmp_path / name).write_bytes(BIG)
    (tmp_path / "listed.png").write_bytes(png(2))
    (tmp_path / "locked.png").chmod(0o444)
    (tmp_path / "empty.png").write_bytes(b"")
    with (tmp_path / "large.png").open("r+b") as file:
        file.truncate(LARGEST + 1)
    sources = [source(path) for path in [*sorted(tmp_path.iterdir()), tmp_path / "absent.png"]]
    baseline = frozenset({inspect(source(tmp_path / "listed.png"), 0).digest})
    checked = check(sources, min_size=0, seal="all", baseline=baseline, max_size=len(BIG) - 1)
    assert {image.source.name: image.size for image in checked.too_large} == {
        "open.png": len(BIG),
        "locked.png": len(BIG),
        "large.png": LARGEST + 1,
    }
    assert [image.source.name for image in checked.failing] == ["open.png", "large.png", "locked.png"]
    assert check(sources, min_size=0, seal="all", max_size=LARGEST + 1).too_large == ()
