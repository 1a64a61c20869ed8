"""The hook's last resort: whatever goes wrong in imgshrink itself, the commit goes on, and one line says so."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from imgshrink.files import staging
from imgshrink.hook import main
from imgshrink.image.seal import read_seal
from imgshrink.report import hook_messages
from imgshrink.report.progress import ProgressReporter
from places import IMAGES
from real_tools import run

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
PNG = IMAGES / "still.png"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warmed: None) -> Path:
    """A working folder with two images."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(PNG, tmp_path / "a.png")
    shutil.copyfile(IMAGES / "photo.jpg", tmp_path / "b.jpg")
    return tmp_path


def trouble(*_: object, **__: object) -> object:
    """What a fault of ours does."""
    raise RuntimeError("a fault\nof two lines")


def test_before_the_first_rewrite(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error before any file was rewritten: exit 0, one line, every file as it was."""
    monkeypatch.setattr(staging, "restorable", trouble)
    assert main(["a.png", "b.jpg"]) == 0
    assert capsys.readouterr().out == (
        "imgshrink: stopped by an error of its own, nothing was changed: RuntimeError: a fault of two lines\n"
    )
    assert (folder / "a.png").read_bytes() == PNG.read_bytes()


@pytest.mark.parametrize("fault", [(hook_messages, "rewritten"), (ProgressReporter, "replaced")])
def test_after_the_first_rewrite(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: tuple[object, str]
) -> None:
    """An error after a file was rewritten: exit 1, so that the commit stops and shows it, and one line."""
    monkeypatch.setattr(*fault, trouble)
    assert main(["a.png", "b.jpg"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    rewritten = [name for name in ("a.png", "b.jpg") if read_seal((folder / name).read_bytes())]
    assert line.startswith(f"imgshrink: stopped by an error of its own, after {len(rewritten)} rewritten (")


def test_no_memory(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Lack of memory in the hook itself is one line as well."""

    def full(*_: object) -> set[str]:
        raise MemoryError

    monkeypatch.setattr(staging, "restorable", full)
    assert main(["a.png"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@POSIX
def test_no_home(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A user without a home, whom the system does not know, is served: nothing there is needed."""
    import pwd

    def unknown(_: object) -> object:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "USERPROFILE", "PRE_COMMIT_HOME"):
        monkeypatch.delenv(name, raising=False)
    code = main(["a.png"])
    assert (code, read_seal((folder / "a.png").read_bytes())) == (1, 80)
    assert "error" not in capsys.readouterr().out


@POSIX
def test_patch_that_vanishes(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A patch that its owner removes while we look for it is no patch."""
    patches = tmp_path / "pre-commit"
    patches.mkdir()
    (patches / f"patch1-{os.getppid()}").symlink_to("gone")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(patches))
    assert main(["a.png"]) == 1
    assert read_seal((folder / "a.png").read_bytes()) == 80


@POSIX
def test_unreadable_folder(
    unprivileged: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that may not be entered: exit 0, one line that names the file and the reason; others are looked at."""
    monkeypatch.chdir(unprivileged)
    Path("docs").mkdir()
    shutil.copyfile(PNG, "docs/a.png") if os.geteuid() == 0 else Path("docs/a.png").write_bytes(b"x")
    Path("docs").chmod(0)
    Path("b.png").write_bytes(b"x" * 2000)
    assert main(["docs/a.png", "b.png"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "docs/a.png (can't be read: Permission denied)" in line
    assert "b.png" in line


@POSIX
def test_working_folder_that_is_gone(tmp_path: Path) -> None:
    """A working folder that was removed: exit 0, one line, no traceback."""
    (tmp_path / "gone").mkdir()
    code = "import os, sys; from imgshrink.hook import main; os.rmdir(os.getcwd()); sys.exit(main(['a.png']))"
    done = run(sys.executable, "-c", code, cwd=tmp_path / "gone")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert "stopped by an error of its own, nothing was changed" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux tells it")
def test_large_file(tmp_path: Path) -> None:
    """A file of 2 GB that calls itself an image is left alone with a line, unread: in less than 300 MB of memory."""
    with (tmp_path / "big.png").open("wb") as file:
        file.write(PNG.read_bytes())
        file.truncate(2 * 10**9)
    code = (
        "import sys; from pathlib import Path; from imgshrink.hook import main; code = main(sys.argv[1:]);"
        "print('peak', Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]); sys.exit(code)"
    )
    done = run(sys.executable, "-c", code, "big.png", cwd=tmp_path)
    said, peak = done.stdout.rsplit("peak", 1)
    assert (done.returncode, said) == (0, "imgshrink: left alone: big.png (larger than 256 MiB)\n")
    assert int(peak) < 300 * 1024


@pytest.mark.slow
@POSIX
def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """A FIFO, a socket, and symlinks to a device and to a FIFO pass every command, and nobody waits for them."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "link.png").symlink_to("pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.png"))
        names = ["pipe.png", "device.png", "link.png", "socket.png"]
        for words in (["imgshrink.hook"], ["imgshrink", "check"], ["imgshrink", "optimize"], ["imgshrink", "warm"]):
            done = run(sys.executable, "-m", *words, *names, cwd=tmp_path)
            assert done.returncode == 0, done.stdout
            assert "Traceback" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@POSIX
def test_read_only_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that its owner may not write, as git-lfs leaves those that must be locked, is left alone with a line."""
    (folder / "a.png").chmod(0o444)
    before = (folder / "a.png").read_bytes()
    assert main(["a.png"]) == 0
    assert capsys.readouterr().out == ("imgshrink: left alone: a.png (read-only: make it writable to have it shrunk)\n")
    assert (folder / "a.png").read_bytes() == before
