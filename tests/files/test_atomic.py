"""Facts about putting bytes in a file's place: whole or not at all, and never anywhere else."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imgshrink.core.errors import FileChanged, Unwritable
from imgshrink.core.text import shown
from imgshrink.files import atomic
from imgshrink.files.atomic import replace, sweep, write
from imgshrink.files.attributes import ACCESS_LIST, carry_attributes
from patience import until

OLD = b"the old bytes" * 1000
NEW = b"the new bytes" * 900
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that holds OLD, in a folder of its own."""
    path = tmp_path / "folder" / "image.png"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_replacing(image: Path) -> None:
    """The file holds the new bytes, and nothing else is left in its folder."""
    replace(image, NEW, OLD)
    assert image.read_bytes() == NEW
    assert names(image.parent) == ["image.png"]


def test_what_need_not_last(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be made again is replaced without waiting for the disk, and as whole."""

    def wait(_: int) -> None:
        raise AssertionError("nobody waits")

    monkeypatch.setattr(os, "fsync", wait)
    replace(image, NEW, OLD, durable=False)
    assert image.read_bytes() == NEW
    assert names(image.parent) == ["image.png"]


PUTS = {
    "replaced": lambda path: replace(path, b"new", OLD),
    "replaced, and not waited for": lambda path: replace(path, b"new", OLD, durable=False),
    "written": lambda path: write(path, b"new"),
    "written anew": lambda path: (path.unlink(), write(path, b"new")),
}


@POSIX
@pytest.mark.parametrize("put", PUTS.values(), ids=list(PUTS))
def test_the_order_of_things(image: Path, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None]) -> None:
    """The new bytes are all in their file, and on the disk, before it gets the old one's name, which lasts then."""
    happened: list[str] = []
    sync, rename = os.fsync, os.replace

    def synced(file: int) -> None:
        sync(file)
        status = os.fstat(file)
        happened.append("folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes")

    def renamed(name: str, to: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        assert (image.parent / name).read_bytes() == b"new"
        happened.append("renamed")
        rename(name, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    put(image)
    waits = put is not PUTS["replaced, and not waited for"]
    assert happened == (["3 bytes", "renamed", "folder"] if waits else ["renamed"])


@POSIX
@pytest.mark.parametrize("locks", [True, False])
def test_open_until_it_is_renamed(image: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    """A temporary file stays open, and so locked, until it is renamed; but where an open file can't be renamed."""
    opened: list[int] = []
    real, rename = os.open, os.replace

    def noted(path: str, *arguments: object, **options: object) -> int:
        file = real(path, *arguments, **options)
        if str(path).startswith(".imgshrink-"):
            opened.append(file)
        return file

    def renamed(*arguments: object, **options: object) -> None:
        for file in opened:
            with contextlib.nullcontext() if locks else pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(file)
        rename(*arguments, **options)

    monkeypatch.setattr(os, "open", noted)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(atomic, "_LOCKS", locks)
    replace(image, NEW, OLD)
    assert len(opened) == 1
    assert image.read_bytes() == NEW


@POSIX
def test_nobody_else_reads_it_before_it_takes_over(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file is the user's alone until it has the old one's owner and rights."""
    image.chmod(0o640)
    modes: list[int] = []
    give = os.fchown

    def given(file: int, user: int, group: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(file).st_mode))
        give(file, user, group)

    monkeypatch.setattr(os, "fchown", given)
    replace(image, NEW, OLD)
    assert modes == [0o600]


def descriptors() -> set[int]:
    """What this process has open."""
    found = set()
    for file in range(256):
        with contextlib.suppress(OSError):
            os.fstat(file)
            found.add(file)
    return found


def test_nothing_stays_open(image: Path) -> None:
    """A run over many images does not run out of descriptors."""
    before = descriptors()
    replace(image, NEW, OLD)
    write(image, OLD)
    with pytest.raises(FileChanged):
        replace(image, OLD, NEW)
    assert descriptors() == before


def test_a_relative_path(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may be relative to the working folder, and a bare name."""
    monkeypatch.chdir(image.parent)
    replace(Path(image.name), NEW, OLD)
    assert image.read_bytes() == NEW


@POSIX
@pytest.mark.parametrize("mode", [0o604, 0o600, 0o644, 0o664, 0o755])
def test_the_mode_stays(image: Path, mode: int) -> None:
    """The new file has the old one's mode, a read-only one's too, whatever the umask."""
    image.chmod(mode)
    before = os.umask(0o027)
    try:
        replace(image, NEW, OLD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(image.stat().st_mode) == mode
    assert image.read_bytes() == NEW


@POSIX
def test_the_owner_stays(image: Path) -> None:
    """Where the user may give files away, the new file belongs to the old one's owner."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to give files away")
    os.chown(image, 65534, 65534)
    replace(image, NEW, OLD)
    assert (image.stat().st_uid, image.stat().st_gid) == (65534, 65534)


@pytest.mark.skipif(sys.platform != "linux", reason="user namespaces are Linux")
def test_an_owner_without_a_number_is_not_kept(image: Path) -> None:
    """In a container that has no number for a file's owner and group, the file is replaced all the same."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs another user's file, and a user namespace")
    os.chown(image, 1, 2)
    image.chmod(0o666)
    image.parent.chmod(0o777)
    code = (
        f"from pathlib import Path; from imgshrink.files.atomic import replace; replace(Path({str(image)!r}), b'new', "
    )
    script = [sys.executable, "-c", f"{code}Path({str(image)!r}).read_bytes())"]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", *script], capture_output=True, text=True, check=False
    )
    if done.stderr.startswith("unshare"):
        pytest.skip("user namespaces are off")
    assert (done.stderr, image.read_bytes()) == ("", b"new")


@POSIX
def test_the_group_stays_where_it_is_one_of_ours() -> None:
    """Where only the owner can't be kept, the group is: its members go on reading."""
    if os.geteuid() != 0:
        pytest.skip("needs another user's file, and a second group")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    image = folder / "image.png"
    image.write_bytes(OLD)
    os.chown(image, 1, 65534)
    image.chmod(0o660)
    before = os.getgroups()
    os.setgroups([65534])
    os.setegid(65533)
    os.seteuid(65533)
    try:
        replace(image, NEW, OLD)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)
    assert (image.stat().st_uid, image.stat().st_gid) == (65533, 65534)
    shutil.rmtree(folder)


@POSIX
def test_a_file_of_somebody_else(unprivileged: Path) -> None:
    """Where the user may not give files away, the file is replaced all the same, and is theirs."""
    path = unprivileged / "image.png"
    path.write_bytes(OLD)
    if os.geteuid() != 65534:
        pytest.skip("needs another user's file")
    os.seteuid(0)
    os.chown(path, 0, 0)
    os.seteuid(65534)
    replace(path, NEW, OLD)
    assert path.read_bytes() == NEW
    assert path.stat().st_uid == 65534


@POSIX
def test_another_hard_link_keeps_the_old_bytes(image: Path) -> None:
    """What lies behind another name of the same file is not touched."""
    other = image.with_name("other.png")
    other.hardlink_to(image)
    replace(image, NEW, OLD)
    assert (image.read_bytes(), other.read_bytes()) == (NEW, OLD)


@pytest.mark.parametrize(
    "now", [OLD[:-1], OLD + b"x", b"X" + OLD[1:], b""], ids=["shorter", "longer", "edited", "emptied"]
)
def test_an_edited_file_is_left_alone(image: Path, now: bytes) -> None:
    """A file that does not hold what was read is left as it is, and the message names it."""
    image.write_bytes(now)
    with pytest.raises(FileChanged, match=r"image\.png was changed"):
        replace(image, NEW, OLD)
    assert image.read_bytes() == now
    assert names(image.parent) == ["image.png"]


def test_a_removed_file_stays_removed(image: Path) -> None:
    """A file that was removed since it was read does not come back."""
    image.unlink()
    with pytest.raises(FileChanged, match="was removed"):
        replace(image, NEW, OLD)
    assert names(image.parent) == []


@pytest.mark.parametrize("moment", ["written", "edited again"])
def test_an_edit_while_the_new_bytes_are_written(image: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """An edit made while the new file is being written survives: the last look comes right before the rename."""
    real = os.fsync

    def edit(file: int) -> None:
        real(file)
        if moment == "written":
            image.write_bytes(b"an edit")
        else:
            image.unlink()
            image.write_bytes(b"an edit")

    monkeypatch.setattr(os, "fsync", edit)
    with pytest.raises(FileChanged):
        replace(image, NEW, OLD)
    assert image.read_bytes() == b"an edit"
    assert names(image.parent) == ["image.png"]


@POSIX
@pytest.mark.parametrize("edit", [b"X" + OLD[1:], b"an edit", None], ids=["same size", "another size", "removed"])
def test_an_edit_of_what_need_not_last(image: Path, monkeypatch: pytest.MonkeyPatch, edit: bytes | None) -> None:
    """An edit made while a copy is being written survives too, though the copy is read only once."""
    real = os.fchmod

    def then_edit(file: int, mode: int) -> None:
        real(file, mode)
        image.unlink()
        if edit is not None:
            image.write_bytes(edit)

    monkeypatch.setattr(os, "fchmod", then_edit)
    with pytest.raises(FileChanged):
        replace(image, NEW, OLD, durable=False)
    assert (image.read_bytes() if image.exists() else None) == edit
    assert names(image.parent) == ([] if edit is None else ["image.png"])


def test_what_need_not_last_is_read_once(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither size nor times have changed, a copy is not read a second time."""
    looks = []
    real = atomic._Folder.check

    def count(folder: atomic._Folder, name: str, seen: bytes) -> atomic._Old:
        looks.append(name)
        return real(folder, name, seen)

    monkeypatch.setattr(atomic._Folder, "check", count)
    replace(image, NEW, OLD, durable=False)
    assert looks == ["image.png"]
    replace(image, OLD, NEW)
    assert looks == ["image.png"] * 3


def test_an_edit_that_changes_nothing(image: Path) -> None:
    """A file that was written again with the same bytes is replaced: nothing of anybody's is lost."""
    image.unlink()
    image.write_bytes(OLD)
    replace(image, NEW, OLD)
    assert image.read_bytes() == NEW


@POSIX
class TestSymlinks:
    """Nothing is ever written through a symlink."""

    def test_a_symlink_is_left_alone(self, image: Path) -> None:
        """A symlink stays one, and what it leads to stays as it is."""
        link = image.with_name("link.png")
        link.symlink_to(image)
        with pytest.raises(Unwritable, match="is a symlink"):
            replace(link, NEW, OLD)
        with pytest.raises(Unwritable, match="is not a plain file"):
            write(link, NEW)
        assert link.is_symlink()
        assert image.read_bytes() == OLD

    def test_a_symlink_swapped_in(self, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A symlink that takes the file's place while the new bytes are written is left alone too."""
        target = tmp_path / "target"
        target.write_bytes(OLD)
        real = os.fsync

        def swap(file: int) -> None:
            real(file)
            image.unlink()
            image.symlink_to(target)

        monkeypatch.setattr(os, "fsync", swap)
        with pytest.raises(Unwritable, match="is a symlink"):
            replace(image, NEW, OLD)
        assert target.read_bytes() == OLD
        assert names(image.parent) == ["image.png"]

    def test_a_symlink_swapped_in_for_the_folder(
        self, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A folder that is swapped for a symlink does not lead the new bytes astray."""
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "image.png").write_bytes(OLD)
        moved = tmp_path / "moved"
        real = os.fsync

        def swap(file: int) -> None:
            real(file)
            if not moved.exists():
                image.parent.rename(moved)
                image.parent.symlink_to(elsewhere)

        monkeypatch.setattr(os, "fsync", swap)
        replace(image, NEW, OLD)
        assert (elsewhere / "image.png").read_bytes() == OLD
        assert (moved / "image.png").read_bytes() == NEW
        assert names(elsewhere) == names(moved) == ["image.png"]

    def test_below_a_symlinked_folder(self, image: Path, tmp_path: Path) -> None:
        """A file that was named by way of a symlinked folder is replaced where it lies."""
        (tmp_path / "link").symlink_to(image.parent)
        replace(tmp_path / "link" / "image.png", NEW, OLD)
        assert image.read_bytes() == NEW


@POSIX
def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder and a named pipe are left alone, and nobody waits for the pipe."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(Unwritable, match="not a plain file"):
            replace(tmp_path / name, NEW, OLD)
    assert names(tmp_path) == ["folder", "pipe"]


@POSIX
class TestUnwritable:
    """A file that can't be replaced is left alone; the error says why, and nothing is left behind."""

    def test_a_folder_that_is_not_writable(self, unprivileged: Path) -> None:
        """The folder's permissions decide."""
        path = unprivileged / "image.png"
        path.write_bytes(OLD)
        unprivileged.chmod(0o500)
        with pytest.raises(Unwritable, match=r"image\.png can't be replaced: Permission denied"):
            replace(path, NEW, OLD)
        assert path.read_bytes() == OLD
        assert names(unprivileged) == ["image.png"]

    def test_an_unreadable_file(self, unprivileged: Path) -> None:
        """A file that can't be compared is not replaced."""
        path = unprivileged / "image.png"
        path.write_bytes(OLD)
        path.chmod(0)
        with pytest.raises(Unwritable, match="Permission denied"):
            replace(path, NEW, OLD)
        assert names(unprivileged) == ["image.png"]

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is not made."""
        for put in (lambda path: replace(path, NEW, OLD), lambda path: write(path, NEW)):
            with pytest.raises(Unwritable, match="No such file"):
                put(tmp_path / "missing" / "image.png")

    def test_a_full_disk(self, image: Path) -> None:
        """Where the new bytes do not fit, the old ones stay, and the half file goes."""
        code = (
            "import resource, sys; from pathlib import Path; from imgshrink.files.atomic import replace\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); path = Path(sys.argv[1])\n"
            "try: replace(path, b'x' * 10000, path.read_bytes())\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        command = [sys.executable, "-c", code, str(image)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout == f"Unwritable {image} can't be replaced: File too large\n"
        assert image.read_bytes() == OLD
        assert names(image.parent) == ["image.png"]

    def test_an_interruption(self, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C in the middle of writing leaves the old file and no other."""

        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            replace(image, NEW, OLD)
        assert image.read_bytes() == OLD
        assert names(image.parent) == ["image.png"]


@POSIX
@pytest.mark.parametrize("name", ["-rf.png", "a b.png", "a\nb.png", "u\u0308.png", b"\xff\xfe.png", "x" * 251 + ".png"])
def test_names_of_all_kinds(tmp_path: Path, name: str | bytes) -> None:
    """Any name that the file system takes is replaced, and shown on one line."""
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(OLD)
    replace(path, NEW, OLD)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == [path.name]
    assert shown(path).isprintable()
    shown(path).encode()


def test_writing_a_new_file(tmp_path: Path) -> None:
    """`write` makes a file, or puts its bytes in place of an old one's, with the old one's mode."""
    path = tmp_path / "new.png"
    write(path, OLD)
    assert path.read_bytes() == OLD
    path.chmod(0o600)
    write(path, NEW)
    assert path.read_bytes() == NEW
    assert names(tmp_path) == ["new.png"]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@POSIX
@pytest.mark.parametrize(("umask", "mode"), [(0o027, 0o640), (0o022, 0o644)])
def test_a_new_file_obeys_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    """A new file has the mode that any program's would have."""
    before = os.umask(umask)
    try:
        write(tmp_path / "new.png", OLD)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == mode


@POSIX
def test_writing_over_what_can_not_be_read(unprivileged: Path) -> None:
    """A file of ours that nobody may read is written all the same, and stays so."""
    path = unprivileged / "new.png"
    path.write_bytes(OLD)
    path.chmod(0o200)
    write(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o200
    path.chmod(0o600)
    assert path.read_bytes() == NEW


@POSIX
@pytest.mark.timeout(60)
def test_a_pipe_for_a_folder(tmp_path: Path) -> None:
    """A named pipe in the place of the folder is an error at once: nobody waits for its other end."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unwritable, match="Not a directory"):
        replace(tmp_path / "pipe" / "image.png", NEW, OLD)


@pytest.mark.parametrize("relative", [True, False])
def test_without_relative_paths(image: Path, monkeypatch: pytest.MonkeyPatch, relative: bool) -> None:
    """The same happens on systems that can't work relative to an open folder, or can't lock."""
    monkeypatch.setattr(atomic, "_RELATIVE", relative and atomic._RELATIVE)
    monkeypatch.setattr(atomic, "_LOCKS", False)
    replace(image, NEW, OLD)
    assert image.read_bytes() == NEW
    assert names(image.parent) == ["image.png"]
    image.write_bytes(b"an edit")
    with pytest.raises(FileChanged):
        replace(image, NEW, OLD)


REPLACE = """
import sys
from pathlib import Path
from imgshrink.files.atomic import replace
path = Path(sys.argv[1])
old, new = path.read_bytes(), bytes(reversed(path.read_bytes()))
print("begun", flush=True)
while True:
    replace(path, new, old)
    old, new = new, old
"""


def kill_while_replacing(image: Path, seconds: float) -> bool:
    """Kill a process that replaces a file over and over; whether a temporary file was left."""
    content = image.read_bytes()
    process = subprocess.Popen([sys.executable, "-c", REPLACE, str(image)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert image.read_bytes() in (content, bytes(reversed(content)))
    left = len(names(image.parent)) - 1
    assert sweep(image.parent) == left
    assert names(image.parent) == [image.name]
    return left > 0


@POSIX
def test_kill_while_replacing(image: Path) -> None:
    """Killed at any moment, the file is whole, and the next sweep removes what was left."""
    image.write_bytes(os.urandom(2_000_000))
    for _ in range(6):
        kill_while_replacing(image, random.random() / 30)


@POSIX
@pytest.mark.slow
def test_kill_while_replacing_many_times(image: Path) -> None:
    """The same at 60 moments, and at more until one has left a temporary file."""
    image.write_bytes(os.urandom(2_000_000))
    if not sum(kill_while_replacing(image, random.random() / 30) for _ in range(60)):
        until(lambda: kill_while_replacing(image, random.random() / 30))


LEFT = ".imgshrink-0123456789abcdef.tmp"


@POSIX
def test_sweeping(tmp_path: Path) -> None:
    """A sweep removes our temporary files and nothing else."""
    kept = [".imgshrink-0123.tmp", "imgshrink-0123456789abcdef.tmp", f"{LEFT}.png", ".imgshrink-0123456789ABCDEF.tmp"]
    for name in (LEFT, *kept):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".imgshrink-1111111111111111.tmp").mkdir()
    (tmp_path / ".imgshrink-2222222222222222.tmp").symlink_to(tmp_path / kept[0])
    assert sweep(tmp_path) == 1
    assert sweep(tmp_path) == 0
    assert names(tmp_path) == sorted([*kept, ".imgshrink-1111111111111111.tmp", ".imgshrink-2222222222222222.tmp"])


def test_sweeping_what_is_not_there(tmp_path: Path) -> None:
    """A sweep of a folder that is not there, or is none, removes nothing and raises nothing."""
    (tmp_path / "file").write_bytes(b"x")
    assert sweep(tmp_path / "missing") == sweep(tmp_path / "file") == 0


@POSIX
def test_sweeping_spares_the_living(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that is being written by a living process is not swept away."""
    real, swept = os.fsync, []

    def look(file: int) -> None:
        real(file)
        swept.append(sweep(image.parent))

    monkeypatch.setattr(os, "fsync", look)
    replace(image, NEW, OLD)
    assert image.read_bytes() == NEW
    assert set(swept) == {0}


@POSIX
def test_sweeping_in_an_unwritable_folder(unprivileged: Path) -> None:
    """What can't be removed or read stays, and nothing is raised."""
    (unprivileged / LEFT).write_bytes(b"x")
    unprivileged.chmod(0o500)
    assert sweep(unprivileged) == 0
    unprivileged.chmod(0o700)
    (unprivileged / LEFT).chmod(0)
    assert sweep(unprivileged) == 0
    (unprivileged / LEFT).chmod(0o600)
    assert sweep(unprivileged) == 1


@POSIX
def test_where_there_are_no_locks(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without locks files are replaced, and only old temporary files are swept."""
    import errno
    import fcntl

    def missing(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", missing)
    replace(image, NEW, OLD)
    assert image.read_bytes() == NEW
    left = image.with_name(LEFT)
    left.write_bytes(b"x")
    assert sweep(image.parent) == 0
    os.utime(left, (1, 1))
    assert sweep(image.parent) == 1


@pytest.mark.parametrize("locks", [True, False])
def test_an_hour_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    """Where there are no locks, a temporary file is swept when it is an hour old, and not a second before."""
    monkeypatch.setattr(atomic, "_LOCKS", locks)
    monkeypatch.setattr(atomic, "_lock", lambda _: None)
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    left = tmp_path / LEFT
    left.write_bytes(b"x")
    os.utime(left, (996_401, 996_401))
    assert sweep(tmp_path) == 0
    os.utime(left, (996_400, 996_400))
    assert sweep(tmp_path) == 1


@POSIX
def test_swept_while_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep holds the lock of what it removes: whoever made it and locks it then finds it gone."""
    (tmp_path / LEFT).write_bytes(b"x")
    before, real, locked = descriptors(), Path.unlink, []

    def unlink(path: Path) -> None:
        with path.open("rb") as file:
            locked.append(atomic._lock(file.fileno()))
        real(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert sweep(tmp_path) == 1
    assert locked == [False]
    assert descriptors() == before


def test_sweeping_where_open_files_can_not_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that can't remove an open file, a temporary file is removed once it is closed."""
    monkeypatch.setattr(atomic, "_LOCKS", False)
    monkeypatch.setattr(atomic, "_lock", lambda _: None)
    left = tmp_path / LEFT
    left.write_bytes(b"x")
    assert sweep(tmp_path) == 0
    os.utime(left, (1, 1))
    assert sweep(tmp_path) == 1
    assert not left.exists()


@POSIX
def test_a_sweep_at_the_worst_moment(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new temporary file that a sweep takes before it is locked is made again."""
    real, swept = os.open, []

    def opened(path: str, *arguments: object, **options: object) -> int:
        file = real(path, *arguments, **options)
        if str(path).startswith(".imgshrink-") and not swept:
            swept.append(sweep(image.parent))
        return file

    before = descriptors()
    monkeypatch.setattr(os, "open", opened)
    replace(image, NEW, OLD)
    assert swept == [1]
    assert descriptors() == before
    assert image.read_bytes() == NEW
    assert names(image.parent) == ["image.png"]


# Entries of an access control list as the kernel stores it: tag, rights, id.
OWNER, USER, GROUP, MASK, OTHER, NOBODY = 1, 2, 4, 16, 32, 2**32 - 1
WITH_A_USER = [(OWNER, 6, NOBODY), (USER, 6, 1234), (GROUP, 4, NOBODY), (MASK, 6, NOBODY), (OTHER, 0, NOBODY)]


def access_list(entries: list[tuple[int, int, int]]) -> bytes:
    """The value of the attribute that holds an access control list."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def attributed(image: Path) -> Path:
    """A file on a file system that has extended attributes and access control lists."""
    try:
        os.setxattr(image, "user.origin", b"drawn by hand")
        os.setxattr(image, ACCESS_LIST, access_list(WITH_A_USER))
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")
    return image


def attributes(path: Path) -> dict[str, bytes]:
    """The extended attributes of a file."""
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@pytest.mark.parametrize("put", [lambda path: replace(path, NEW, OLD), lambda path: write(path, NEW)])
def test_attributes_are_carried_over(attributed: Path, put: Callable[[Path], None]) -> None:
    """Extended attributes, the access control list and the mode of a file stay when it is replaced."""
    before, mode = attributes(attributed), attributed.stat().st_mode
    assert set(before) >= {"user.origin", ACCESS_LIST}
    put(attributed)
    assert (attributed.read_bytes(), attributes(attributed), attributed.stat().st_mode) == (NEW, before, mode)


def test_list_of_the_folder_gives_no_rights(attributed: Path) -> None:
    """A file without a list gets none from its folder, whose default list would let others write."""
    os.removexattr(attributed, ACCESS_LIST)
    attributed.chmod(0o664)
    os.setxattr(attributed.parent, "system.posix_acl_default", access_list(WITH_A_USER))
    replace(attributed, NEW, OLD)
    assert attributes(attributed) == {"user.origin": b"drawn by hand"}
    assert stat.S_IMODE(attributed.stat().st_mode) == 0o664


@pytest.mark.parametrize(("name", "what"), [("user.origin", "its attribute user.origin"), (ACCESS_LIST, "its access")])
def test_attribute_that_cannot_be_carried(
    attributed: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    """Where an attribute or the list can't be set, the file stays as it is, and the reason is given."""
    put = os.setxattr

    def set_others(file: int, attribute: str, value: bytes) -> None:
        if attribute == name:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        put(file, attribute, value)

    monkeypatch.setattr(os, "setxattr", set_others)
    with pytest.raises(Unwritable, match=f"can't be replaced: {what}.*can't be carried over"):
        replace(attributed, NEW, OLD)
    assert attributed.read_bytes() == OLD
    assert names(attributed.parent) == ["image.png"]


def test_attributes_of_the_system(image: Path) -> None:
    """What is bound to the old bytes is not carried over; what only the system may set is no reason to refuse."""
    with image.open("r+b") as file:
        carry_attributes(file.fileno(), {"security.ima": b"hash", "security.selinux": b"not permitted\0"})
        assert "security.ima" not in os.listxattr(file.fileno()) if hasattr(os, "listxattr") else True


@POSIX
def test_read_only_file_is_left_alone(image: Path) -> None:
    """A file that its owner may not write is not replaced, though its folder would let us, and we are root."""
    image.chmod(0o464)
    with pytest.raises(Unwritable, match="is read-only"):
        replace(image, NEW, OLD)
    assert image.read_bytes() == OLD
    assert names(image.parent) == ["image.png"]


@POSIX
@pytest.mark.parametrize("time", [1, 2])
def test_symlink_swapped_in_between_look_and_opening(image: Path, monkeypatch: pytest.MonkeyPatch, time: int) -> None:
    """A symlink to the very file, put in its place after it was looked at, is not followed when bytes are compared."""
    moved = image.with_name("moved.png")
    opened = []
    open_file = os.open

    def swap_then_open(name: str, flags: int, *rest: int, **options: int) -> int:
        if name == image.name:
            opened.append(name)
            if len(opened) == time:
                image.rename(moved)
                image.symlink_to(moved.name)
        return open_file(name, flags, *rest, **options)

    monkeypatch.setattr(os, "open", swap_then_open)
    with pytest.raises(Unwritable):
        replace(image, NEW, OLD)
    assert len(opened) == time
    assert (image.is_symlink(), moved.read_bytes()) == (True, OLD)
