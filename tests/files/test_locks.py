"""Locks by key: one holder at a time, between threads and processes, whatever happens to a holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgshrink.files.locks import POLL, STALE, FileLocks

NEVER = threading.Event()
KEY = "a1" * 32


def take(folder: Path, key: str = KEY, *, wait: float = 0) -> bool:
    """Hold a key for a moment; return whether it could be held."""
    with FileLocks(folder).hold(key, deadline=time.monotonic() + wait, stop=NEVER) as held:
        return held


def test_a_free_key_is_held(tmp_path: Path) -> None:
    """A key that nobody holds can be held, and is free again afterwards."""
    assert take(tmp_path / "claims")
    assert take(tmp_path / "claims")


def test_a_held_key_is_refused(tmp_path: Path) -> None:
    """A key is held by one at a time; other keys are not touched by that."""
    with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER) as held:
        assert held
        with ThreadPoolExecutor(1) as another:
            assert another.submit(take, tmp_path).result() is False
            assert another.submit(take, tmp_path, wait=3 * POLL).result() is False
            assert another.submit(take, tmp_path, "another").result() is True
    assert take(tmp_path)


def test_it_is_free_after_an_error(tmp_path: Path) -> None:
    """A lock ends with its context, whatever ends that."""
    locks = FileLocks(tmp_path)
    with pytest.raises(ZeroDivisionError), locks.hold(KEY, deadline=None, stop=NEVER):
        1 / 0  # noqa: B018
    assert take(tmp_path)


def test_waiting_until_it_is_free(tmp_path: Path) -> None:
    """A lock waits, and gets the key when its holder releases it."""
    held, order = threading.Event(), []

    def wait() -> None:
        held.wait()
        assert take(tmp_path, wait=60)
        order.append("second")

    waiting = threading.Thread(target=wait)
    waiting.start()
    with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER):
        held.set()
        time.sleep(3 * POLL)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_stop_ends_the_wait(tmp_path: Path) -> None:
    """Who waits without end is let go when the event is set; a free key is taken even if it was set before."""
    stop = threading.Event()
    with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER), ThreadPoolExecutor(1) as another:

        def wait() -> bool:
            with FileLocks(tmp_path).hold(KEY, deadline=None, stop=stop) as held:
                return held

        waiting = another.submit(wait)
        time.sleep(2 * POLL)
        assert not waiting.done()
        stop.set()
        assert waiting.result() is False
    with FileLocks(tmp_path).hold(KEY, deadline=None, stop=stop) as held:
        assert held


def test_threads_of_one_process(tmp_path: Path) -> None:
    """Sixteen threads with one `FileLocks` hold a key one after another."""
    locks, inside, most = FileLocks(tmp_path), Counter[str](), []

    def work() -> None:
        with locks.hold(KEY, deadline=None, stop=NEVER) as held:
            assert held
            inside["now"] += 1
            most.append(inside["now"])
            time.sleep(0.001)
            inside["now"] -= 1

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work) for _ in range(16)]:
            done.result()
    assert most == [1] * 16


@pytest.mark.parametrize("folder", [False, True], ids=["no folder", "a folder that can't be made"])
def test_threads_without_files(folder: bool, tmp_path: Path) -> None:
    """Without lock files threads exclude each other still, wait until a deadline or a stop, and other keys are free."""
    (tmp_path / "file").write_bytes(b"in the way")
    locks = FileLocks(tmp_path / "file" / "claims" if folder else None)

    def attempt(key: str, wait: float | None, stop: threading.Event = NEVER) -> bool:
        with locks.hold(key, deadline=None if wait is None else time.monotonic() + wait, stop=stop) as held:
            return held

    stopped = threading.Event()
    stopped.set()
    with ThreadPoolExecutor(1) as another:
        with locks.hold(KEY, deadline=None, stop=NEVER) as held:
            assert held
            assert another.submit(attempt, KEY, 0).result() is False
            assert another.submit(attempt, KEY, 3 * POLL).result() is False
            assert another.submit(attempt, KEY, None, stopped).result() is False
            assert another.submit(attempt, "another", 0).result() is True
            waiting = another.submit(attempt, KEY, None)
        assert waiting.result() is True


ONCE = """
import sys, threading
from pathlib import Path
from imgshrink.files.locks import FileLocks
place = Path(sys.argv[1])
sys.stdin.read(1)
with FileLocks(place / "claims").hold("key", deadline=None, stop=threading.Event()) as held:
    assert held
    done = place / "done"
    if not done.exists():
        with (place / "work").open("a") as work:
            work.write("x")
        done.touch()
"""


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A process that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_sixteen_processes_do_the_work_once(tmp_path: Path) -> None:
    """Sixteen processes that lock the same key at the same moment, and check again once they hold it, work once."""
    running = [start(ONCE, tmp_path) for _ in range(16)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"!")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in running]
    assert errors == [b""] * 16
    assert (tmp_path / "work").read_text() == "x"


HOLD = """
import sys, threading, time
from pathlib import Path
from imgshrink.files.locks import FileLocks
with FileLocks(Path(sys.argv[1])).hold("key", deadline=None, stop=threading.Event()) as held:
    print(held, flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    """A key is free as soon as the process that held it is gone, also by `kill -9`."""
    process = start(HOLD, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    assert take(tmp_path, "key") is False
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert take(tmp_path, "key") is True


def blocked_by_a_file(folder: Path) -> Path:
    (folder / "claims").write_bytes(b"in the way")
    return folder / "claims"


def blocked_by_permissions(folder: Path) -> Path:
    folder.chmod(0o500)
    return folder / "claims"


def blocked_inside(folder: Path) -> Path:
    (folder / "claims").mkdir()
    (folder / "claims").chmod(0o500)
    return folder / "claims"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
@pytest.mark.parametrize(
    "block", [blocked_by_a_file, blocked_by_permissions, blocked_inside], ids=lambda block: block.__name__
)
def test_never_in_the_way(unprivileged: Path, block) -> None:
    """Where no locks can be made, every lock is granted at once."""
    folder = block(unprivileged)
    with FileLocks(folder).hold(KEY, deadline=None, stop=NEVER) as held:
        assert held
        assert take(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_lock_of_somebody_else(unprivileged: Path) -> None:
    """Where one key's lock can't be opened, it is granted."""
    assert take(unprivileged)
    (lock,) = unprivileged.glob("*.lock")
    lock.chmod(0)
    assert take(unprivileged)


def test_keys_are_no_paths(tmp_path: Path) -> None:
    """Whatever a key holds, its lock lies in the folder, under a name of fixed length."""
    for key in ("../../x", "/etc/x", "", "x" * 10_000, "\0", "\udcff"):
        assert take(tmp_path / "claims", key)
    assert {path.name for path in tmp_path.rglob("*")} - {"claims", ".gitignore"} == {
        path.name for path in (tmp_path / "claims").glob("*.lock")
    }
    assert {len(path.name) for path in tmp_path.rglob("*.lock")} <= {69}


def test_old_locks_are_swept(tmp_path: Path) -> None:
    """A new run removes locks that nobody has used for a day; those in use and those still young stay."""
    locks = FileLocks(tmp_path)
    with locks.hold("held", deadline=None, stop=NEVER):
        for key in ("old", "young"):
            with locks.hold(key, deadline=None, stop=NEVER):
                pass
        files = {path.name: path for path in tmp_path.glob("*.lock")}
        if not files:
            pytest.skip("the system removes locks itself")
        old = time.time() - STALE - 10
        for path in files.values():
            os.utime(path, (old, old))
        with locks.hold("young", deadline=None, stop=NEVER):
            pass
        assert take(tmp_path, "another")
        assert len(files) == 3
        assert len([path for path in files.values() if path.exists()]) == 2
        assert take(tmp_path, "held") is False


def test_sweeping_and_locking_at_once(tmp_path: Path) -> None:
    """While locks are swept away under those who wait for them, still only one holds a key."""
    inside, most, end = Counter[str](), [], time.monotonic() + 1
    old = time.time() - STALE - 10

    def work() -> None:
        while time.monotonic() < end:
            with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER):
                inside["now"] += 1
                most.append(inside["now"])
                for path in tmp_path.glob("*.lock"):
                    os.utime(path, (old, old))
                inside["now"] -= 1

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert set(most) == {1}


def test_an_older_filelock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of filelock that knows no soft fallback works the same."""
    import filelock

    real = filelock.FileLock

    def older(path: Path) -> filelock.BaseFileLock:
        return real(path)

    monkeypatch.setattr(filelock, "FileLock", older)
    with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER) as held, ThreadPoolExecutor(1) as another:
        assert held
        assert another.submit(take, tmp_path).result() is False


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system has no locks, every lock is granted, and nothing replaces them that outlives a crash."""
    import errno
    import fcntl

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", missing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert take(tmp_path)
        with FileLocks(tmp_path).hold(KEY, deadline=None, stop=NEVER) as held:
            assert held
            assert take(tmp_path)
