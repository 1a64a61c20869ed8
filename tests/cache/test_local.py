"""The local cache: what only it promises, and its maintenance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from caches import (
    DONE,
    KEY,
    LARGE,
    NOTHING,
    NOW,
    OTHER,
    REFUSED,
    SMALL,
    bare_environment,
    fill,
    filled,
    make,
    present,
    stored_in,
)  # fmt: skip
from imgshrink.cache import local
from imgshrink.core.model import Entry, Verdict


@pytest.mark.parametrize("writable", [True, False])
def test_found_while_it_is_stored_again(tmp_path: Path, writable: bool) -> None:
    """Whoever looks while another one stores the same content again finds it: not the gap between two files."""
    made = make(tmp_path)
    made.put(KEY, LARGE)
    looking = make(tmp_path, writable=writable)
    with ThreadPoolExecutor(3) as pool:
        storing = [pool.submit(lambda: [made.put(KEY, LARGE) for _ in range(300)]) for _ in range(2)]
        looks = 0
        while not all(future.done() for future in storing):
            assert looking.get(KEY) == LARGE
            looks += 1
    assert looks > 10


@pytest.mark.parametrize(("age", "known"), [(0, True), (30, True), (31, False), (-2, False)])
def test_refusals_end(tmp_path: Path, age: int, known: bool) -> None:
    """A refusal is known for 30 days; one from the future, as a wrong clock leaves it, is not."""
    made = make(tmp_path)
    made.put(KEY, REFUSED)
    later = make(tmp_path, clock=lambda: NOW + age * 86400.0)
    assert (later.get(KEY) is not None) is known


def test_refusals_of_another_verify(tmp_path: Path) -> None:
    """A refusal is a miss when verify has another version; better bytes still count."""
    made = make(tmp_path, verify_version=2)
    assert made.put(KEY, REFUSED) is False
    assert made.put(OTHER, SMALL) is True
    assert made.get(KEY) is None
    assert made.get(OTHER) == SMALL


def test_when_it_was_stored(tmp_path: Path) -> None:
    """An entry that does not say when it was made gets the time of its storing."""
    made = make(tmp_path)
    made.put(KEY, Entry(Verdict.DONE))
    assert made.get(KEY) == Entry(Verdict.DONE, stored=NOW)


def test_a_value_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value larger than any that would be read again is not stored."""
    from imgshrink.cache import record

    monkeypatch.setattr(record, "MAX_RECORD", 50_000)
    made = make(tmp_path)
    assert made.put(KEY, LARGE) is False
    assert made.put(OTHER, SMALL) is True


def test_the_folder_is_private(tmp_path: Path) -> None:
    """The folders are the user's alone, and git ignores what is in them."""
    make(tmp_path / "cache").put(KEY, SMALL)
    assert {0o40700} == {folder.stat().st_mode for folder in (tmp_path / "cache", tmp_path / "cache" / local.FOLDER)}
    assert (tmp_path / "cache" / local.FOLDER / ".gitignore").read_text() == "*\n"


def test_nothing_is_loaded_unless_asked(tmp_path: Path) -> None:
    """Making a cache, and looking into one that is not there, loads no database and makes no folder."""
    code = (
        "import sys; from pathlib import Path; from imgshrink.cache.local import LocalCache\n"
        "cache = LocalCache(Path('cache')); cache.get('key'); cache.notes(); cache.close()\n"
        "print(sorted({'diskcache', 'sqlite3', 'filelock'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=bare_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert list(tmp_path.iterdir()) == []


def test_processes_share_it(tmp_path: Path) -> None:
    """Processes that begin a cache at the same moment all use it, without a note."""
    running = [fill(tmp_path / "cache", f"p{number}", 10) for number in range(4)]
    errors = [process.communicate()[1] for process in running]
    assert errors == [""] * 4
    made = make(tmp_path / "cache")
    assert made.info().entries == 40
    assert made.verify_all().entries == 0


def kill_and_look(folder: Path, name: str, after: int) -> None:
    """Kill a filling process; what it said it had put must be there, and the cache must take more."""
    process = fill(folder, name, 10_000)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    made = make(folder)
    for number in range(len(said)):
        assert made.get(f"{name}-{number:064x}") is not None
    assert made.put(KEY, LARGE)
    made.close()
    assert made.notes() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_process_leaves_it_usable(tmp_path: Path) -> None:
    """Entries stored before `kill -9` are there afterwards."""
    for number, after in enumerate((1, 2, 7)):
        kill_and_look(tmp_path / "cache", f"k{number}", after)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_many_killed_processes_leave_it_usable(tmp_path: Path) -> None:
    """The same at many moments."""
    for number in range(40):
        kill_and_look(tmp_path / "cache", f"k{number}", 1 + number)
    assert make(tmp_path / "cache").verify_all().entries == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_process_killed_while_it_begins(tmp_path: Path) -> None:
    """A cache that was half made when its process was killed is made again without a word."""
    for moment in range(6):
        folder = tmp_path / str(moment)
        process = fill(folder, "k", 10)
        deadline = time.monotonic() + 20
        while not (folder / local.FOLDER / "cache.db").exists() and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(moment / 1000)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        made = make(folder)
        assert made.put(KEY, SMALL)
        assert made.get(KEY) == SMALL
        assert made.notes() == []


def test_what_it_holds(tmp_path: Path) -> None:
    """`info` counts entries, bytes and verdicts, and says when the oldest was stored."""
    made = make(tmp_path)
    assert (made.info().entries, made.info().bytes, made.info().oldest) == (0, 0, None)
    before = int(time.time())
    for number, entry in enumerate([SMALL, LARGE, NOTHING, DONE, DONE]):
        made.put(f"{number:064x}", entry)
    info = made.info()
    assert info.verdicts == {"better": 2, "not-smaller": 1, "done": 2}
    assert info.entries == 5
    assert 100_000 < info.bytes < 102_000
    assert info.oldest is not None
    assert before <= info.oldest <= time.time()


def test_the_oldest_go_first(tmp_path: Path) -> None:
    """A cache over its size loses what was stored first when it is closed, and says so once."""
    made = filled(tmp_path, 10, size=550_000)
    made.close()
    assert present(make(tmp_path), 10) == [6, 7, 8, 9]
    assert len(made.notes()) == 1
    assert "the 6 results (0.6 MB) unused for the longest time were removed" in made.notes()[0]
    assert len(list(tmp_path.rglob("*.val"))) == 4


def test_what_was_used_stays(tmp_path: Path) -> None:
    """Use counts: what a later run has got is removed last."""
    filled(tmp_path, 10).close()
    reader = make(tmp_path, clock=lambda: time.time() + 3600)
    assert reader.get(f"{0:064x}")
    assert reader.get(f"{3:064x}")
    reader.close()
    made = make(tmp_path)
    assert made.prune(250_000).entries == 8
    assert present(made, 10) == [0, 3]


def test_nothing_is_pruned_below_its_size(tmp_path: Path) -> None:
    """A cache that fits is left as it is, and so is one that nothing was stored in."""
    filled(tmp_path, 4, size=500_000).close()
    reader = make(tmp_path, size=1)
    assert present(reader, 4) == [0, 1, 2, 3]
    reader.close()
    assert present(make(tmp_path), 4) == [0, 1, 2, 3]


def foreign_uses(uses: Path) -> None:
    uses.write_bytes(os.urandom(1000) + b"\n" + b"x" * 1000)


def empty_uses(uses: Path) -> None:
    uses.write_bytes(b"")


def endless_uses(uses: Path) -> None:
    os.mkfifo(uses)


def linked_uses(uses: Path) -> None:
    uses.symlink_to(uses.parent.parent / "elsewhere")


def large_uses(uses: Path) -> None:
    with uses.open("wb") as file:
        file.truncate(10**9)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
@pytest.mark.parametrize(
    "spoil", [foreign_uses, empty_uses, endless_uses, linked_uses, large_uses], ids=lambda spoil: spoil.__name__
)
def test_last_use_is_only_a_hint(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A broken or planted record of last use is begun anew; nobody waits for it or follows it."""
    filled(tmp_path, 4).close()
    spoil(tmp_path / local.FOLDER / "uses.txt")
    make(tmp_path).prune(10**6)
    made = make(tmp_path, clock=lambda: time.time() + 3600)
    made.get(f"{0:064x}")
    made.close()
    assert made.notes() == []
    assert make(tmp_path).prune(150_000).entries == 3
    assert present(make(tmp_path), 4) == [0]
    assert not (tmp_path / "elsewhere").exists()


def test_last_use_is_not_written_twice_a_day(tmp_path: Path) -> None:
    """A use is written once a day, however many runs there are; the file does not grow without end."""
    filled(tmp_path, 4).close()
    last_used = tmp_path / local.FOLDER / "uses.txt"
    sizes = []
    for hours in (1, 2, 20, 30):
        reader = make(tmp_path, clock=lambda hours=hours: time.time() + hours * 3600)
        present(reader, 4)
        reader.close()
        sizes.append(last_used.stat().st_size)
    assert sizes[0] == sizes[1] == sizes[2] < sizes[3] < 1000


def test_last_use_is_rewritten_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large record of last use loses repetitions and what was not used for a year."""
    from imgshrink.cache import last_used

    monkeypatch.setattr(last_used, "LARGE", 100)
    last_used.write(tmp_path, ["gone", "kept"], NOW)
    for day in range(380, 386):
        last_used.write(tmp_path, ["kept", f"x{day}"], NOW + day * 86400)
    assert last_used.read(tmp_path) == {f"x{day}": NOW + day * 86400 for day in range(380, 386)} | {
        "kept": NOW + 385 * 86400
    }
    assert [path.name for path in tmp_path.iterdir()] == ["uses.txt"]


def test_last_use_can_not_be_written(unprivileged: Path) -> None:
    """Where last use can't be written, nothing is said."""
    from imgshrink.cache import last_used

    unprivileged.chmod(0o500)
    last_used.write(unprivileged, [KEY], NOW)
    assert last_used.read(unprivileged) == {}


def test_clearing(tmp_path: Path) -> None:
    """`clear` removes every entry, and the cache goes on."""
    made = filled(tmp_path, 4)
    assert made.clear().entries == 4
    assert present(made, 4) == []
    assert list(tmp_path.rglob("*.val")) == []
    assert made.put(KEY, SMALL)
    made.close()
    assert made.notes() == []


def test_verifying_a_sound_cache(tmp_path: Path) -> None:
    """`verify_all` removes nothing that is sound."""
    made = filled(tmp_path, 4)
    checked = made.verify_all()
    assert (checked.entries, checked.left) == (0, 4)
    assert present(made, 4) == [0, 1, 2, 3]


def test_files_without_a_row(tmp_path: Path) -> None:
    """Value files that a killed process left are removed once they are old; young ones and other files stay."""
    made = filled(tmp_path, 1)
    folder = tmp_path / local.FOLDER / "ab"
    folder.mkdir(exist_ok=True)
    old, young, other = folder / f"{1:030x}.val", folder / f"{2:030x}.val", folder / "mine.val"
    for file in (old, young, other):
        file.write_bytes(b"x")
    for file in (old, other):
        os.utime(file, (1, 1))
    made.verify_all()
    assert [file.exists() for file in (old, young, other)] == [False, True, True]
    assert present(made, 1) == [0]


def test_closing_in_another_thread(tmp_path: Path) -> None:
    """A cache may be closed by another thread than the one that used it."""
    made = make(stored_in(tmp_path))
    made.get(KEY)
    closer = threading.Thread(target=made.close)
    closer.start()
    closer.join()
    assert made.notes() == []
    assert made.get(KEY) == LARGE
