"""Facts about the one reader of files: what it reads, what it does not, and that it never waits."""

from __future__ import annotations

import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from imgshrink.core.errors import Unreadable
from imgshrink.files import reader
from imgshrink.files.reader import LARGEST, read

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def why(path: Path, **options: object) -> str:
    """Return why a file is not read; within a few seconds, whatever it is."""
    reasons: list[str] = []

    def ask() -> None:
        try:
            read(path, **options)  # type: ignore[arg-type]
        except Unreadable as error:
            reasons.append(str(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(20)
    (reason,) = reasons
    return reason


def test_plain_file(tmp_path: Path) -> None:
    """A plain file is read whole, an empty one too."""
    for data in (b"", b"x", bytes(range(256)) * 5000):
        (tmp_path / "a.png").write_bytes(data)
        assert read(tmp_path / "a.png") == data


@POSIX
@pytest.mark.parametrize("linked", [False, True])
def test_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    """A FIFO, a socket, a device and a folder are named as what they are, behind a symlink too, and nobody waits."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    Path("folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        for name, reason in (
            ("pipe.png", "not a plain file"),
            ("socket.png", "not a plain file"),
            ("/dev/zero", "not a plain file"),
            ("/dev/tty", "not a plain file"),
            ("folder.png", "a folder"),
        ):
            path = Path(name)
            if linked:
                path = Path(f"link {path.name}")
                path.symlink_to(name)
            assert why(path) == f"can't be read: {reason}"


@POSIX
def test_symlinks(tmp_path: Path) -> None:
    """A symlink to a plain file is followed unless it may not be."""
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to("a.png")
    assert read(tmp_path / "link.png") == b"x"
    assert why(tmp_path / "link.png", follow=False) == "can't be read: a symlink"
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert why(tmp_path / "loop.png").startswith("can't be read: ")


@POSIX
def test_swapped_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that becomes a FIFO or a symlink between the look and the opening is not read, and nobody waits."""
    path = tmp_path / "a.png"
    (tmp_path / "secret").write_bytes(b"secret")
    status = Path.lstat
    for swap in (lambda: os.mkfifo(path), lambda: path.symlink_to("secret")):
        path.unlink(missing_ok=True)
        path.write_bytes(b"x")

        def look(self: Path, swap=swap) -> os.stat_result:  # type: ignore[no-untyped-def]
            found = status(self)
            path.unlink()
            swap()
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Path, "lstat", look)
            assert why(path, follow=False).startswith("can't be read: ")


def test_missing(tmp_path: Path) -> None:
    """A missing file is a reason too."""
    assert why(tmp_path / "a.png") == "can't be read: No such file or directory"


def test_large(tmp_path: Path) -> None:
    """A file of more than 256 MiB is not read; the error tells it from one that can't be."""
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(Unreadable, match=r"^larger than 256 MiB$") as caught:
        read(path)
    assert caught.value.large
    path.write_bytes(b"xyz")
    assert read(path, largest=3) == b"xyz"
    with pytest.raises(Unreadable):
        read(path, largest=2)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that says it is empty, and is not")
def test_growing() -> None:
    """A file that holds more than its size says is not taken for whole."""
    assert why(Path("/proc/self/status")) == "can't be read: it is still being written"


def test_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short, the file is not read, and the reason is said."""
    (tmp_path / "a.png").write_bytes(b"x")

    def full(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr(reader, "_require_readable", full)
    assert why(tmp_path / "a.png") == "can't be read: not enough memory"
