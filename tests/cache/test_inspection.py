"""Facts about databases and folders that are broken, planted, full, held or not to be written."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from caches import KEY, LARGE, NOTHING, OTHER, SMALL, bare_environment, fill, filled, make, rows, stored_in
from imgshrink.cache import disk, inspection, local, store
from imgshrink.cache.local import LocalCache
from imgshrink.files.locks import FileLocks


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a closed cache with a large entry under KEY and a small one under OTHER."""
    return stored_in(tmp_path / "cache")


def trigger(folder: Path) -> None:
    rows(folder, "CREATE TRIGGER swap AFTER INSERT ON Cache BEGIN UPDATE Cache SET value = 'x'; END")


def changed_trigger(folder: Path) -> None:
    rows(folder, "DROP TRIGGER Settings_size_insert")
    rows(folder, "CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END")


def view(folder: Path) -> None:
    rows(folder, "ALTER TABLE Cache RENAME TO Hidden")
    rows(folder, "CREATE VIEW Cache AS SELECT * FROM Hidden")


def more_tables(folder: Path) -> None:
    rows(folder, "CREATE TABLE more (x)")


def private_setting(folder: Path) -> None:
    rows(folder, "INSERT INTO Settings VALUES ('_directory', ?)", str(folder.parent / "elsewhere"))


def disk_setting(folder: Path) -> None:
    rows(folder, "INSERT INTO Settings VALUES ('disk__directory', '/')")


def method_setting(folder: Path) -> None:
    rows(folder, "INSERT INTO Settings VALUES ('get', 'x')")


def eviction(folder: Path) -> None:
    rows(folder, "UPDATE Settings SET value = 'least-recently-used' WHERE key = 'eviction_policy'")
    rows(folder, "UPDATE Settings SET value = 10 WHERE key IN ('size_limit', 'cull_limit')")


def pragma(folder: Path) -> None:
    rows(folder, "UPDATE Settings SET value = 'off' WHERE key = 'sqlite_journal_mode'")


def garbage(folder: Path) -> None:
    (folder / local.FOLDER / "cache.db").write_bytes(os.urandom(5000))


def half_zeroed(folder: Path) -> None:
    file = folder / local.FOLDER / "cache.db"
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes(len(content) - 100))


def cut_database(folder: Path) -> None:
    file = folder / local.FOLDER / "cache.db"
    file.write_bytes(file.read_bytes()[:5000])


def linked_database(folder: Path) -> None:
    file = folder / local.FOLDER / "cache.db"
    outside = folder.parent / "outside.db"
    outside.write_bytes(b"")
    file.unlink()
    file.symlink_to(outside)


def planted_journal(folder: Path) -> None:
    (folder / local.FOLDER / "cache.db-journal").write_bytes(b"a journal")


def linked_aside(folder: Path) -> None:
    garbage(folder)
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "cache.db").write_bytes(b"somebody's")
    (folder / local.FOLDER / "broken").symlink_to(outside)


def outside_of(folder: Path) -> list[Path]:
    return [path for path in folder.parent.rglob("*") if path.is_file() and folder not in path.parents]


FOREIGN_DATABASES = [
    trigger, changed_trigger, view, more_tables, private_setting, disk_setting, method_setting, eviction, pragma,
    garbage, half_zeroed, cut_database, linked_database, linked_aside,
    planted_journal,
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs symlinks")
@pytest.mark.parametrize("poison", FOREIGN_DATABASES, ids=lambda poison: poison.__name__)
def test_a_foreign_database_is_begun_anew(stored: Path, poison: Callable[[Path], None]) -> None:
    """A damaged database, or one with SQL or settings that are not ours, is put aside, with one note."""
    poison(stored)
    outside = {path: path.read_bytes() for path in outside_of(stored)}
    made = make(stored)
    assert made.get(KEY) is None
    assert made.put(KEY, LARGE)
    assert made.get(KEY) == LARGE
    made.close()
    assert len(made.notes()) == 1
    assert "was replaced by a new one, the old one is in its folder 'broken'" in made.notes()[0]
    assert (stored / local.FOLDER / "broken" / "cache.db").exists()
    assert outside == {path: path.read_bytes() for path in outside_of(stored)}
    later = make(stored)
    assert later.get(KEY) == LARGE
    assert later.notes() == []


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_that_was_hardly_begun(tmp_path: Path, mode: str) -> None:
    """A journal beside a database without tables is what a process leaves that was killed on its way: no note."""
    (tmp_path / local.FOLDER).mkdir()
    with closing(sqlite3.connect(tmp_path / local.FOLDER / "cache.db")) as inspection:
        inspection.execute(f"PRAGMA journal_mode = {mode}")
    (tmp_path / local.FOLDER / "cache.db-journal").write_bytes(bytes(512))
    made = make(tmp_path)
    assert made.put(KEY, SMALL)
    assert made.notes() == []


def test_put_aside_twice(stored: Path) -> None:
    """Only the last broken database is kept, and `clear` removes it too."""
    for _ in range(2):
        garbage(stored)
        made = make(stored)
        made.get(KEY)
        made.close()
    assert [path.name for path in (stored / local.FOLDER / "broken").iterdir()] == ["cache.db"]
    made.clear()
    assert not (stored / local.FOLDER / "broken").exists()


def test_processes_meet_a_broken_database(stored: Path) -> None:
    """When several processes find it broken, one of them begins anew, and no entry of theirs is lost."""
    garbage(stored)
    running = [fill(stored, f"p{number}", 5) for number in range(3)]
    for process in running:
        process.communicate()
    assert make(stored).info().entries == 15


def damage_rows(folder: Path) -> None:
    """Overwrite the later half of the pages: reading rows fails, opening does not."""
    file = folder / local.FOLDER / "cache.db"
    half = file.stat().st_size // 8192 * 4096
    with file.open("r+b") as pages:
        pages.seek(half)
        pages.write(os.urandom(file.stat().st_size - half))


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("opened", [True, False], ids=["opened", "unopened"])
def test_damage_that_is_met_later(stored: Path, threads: int, opened: bool) -> None:
    """Damage that shows itself in the middle of a run is a miss and a note; a new database takes over at once."""
    filled(stored, 300, entry=SMALL).close()
    made = make(stored)
    if opened:
        assert made.get(OTHER) == SMALL
    damage_rows(stored)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(made.get, [f"{number:064x}" for number in range(300)]))
    assert made.put(KEY, LARGE)
    assert made.get(KEY) == LARGE
    made.close()
    assert len(made.notes()) == 1
    assert "was replaced by a new one" in made.notes()[0]


def test_damage_of_another_kind(stored: Path) -> None:
    """Damage that reads well and is wrong, an index without its rows, is found by the thorough look."""
    rows(stored, "PRAGMA writable_schema = 1")
    with closing(sqlite3.connect(stored / local.FOLDER / "cache.db")) as opened, opened:
        opened.execute("PRAGMA writable_schema = 1")
        opened.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'Cache_expire_time'")
    with pytest.raises(inspection.Broken, match="damaged"):
        inspection.inspect(stored / local.FOLDER, thorough=True)


def test_damage_twice(stored: Path) -> None:
    """A database that breaks twice in a run goes unused for the rest of it."""
    made = make(stored)
    for _ in range(2):
        for number in range(300):
            made.put(f"{number:064x}", SMALL)
        made.close()
        damage_rows(stored)
        for number in range(300):
            made.get(f"{number:064x}")
    assert made.put(KEY, SMALL) is False
    assert made.get(KEY) is None
    made.close()
    assert [note.split(" ")[4] for note in made.notes()] == ["was", "is"]
    assert make(stored).put(KEY, SMALL)


def test_damage_of_what_may_not_be_written(stored: Path) -> None:
    """A cache that is not to be written is not begun anew when it turns out to be damaged: it goes unused."""
    filled(stored, 300, entry=SMALL).close()
    damage_rows(stored)
    damaged = (stored / local.FOLDER / "cache.db").read_bytes()
    made = make(stored, writable=False)
    for number in range(300):
        made.get(f"{number:064x}")
    assert made.get(KEY) is None
    made.close()
    assert len(made.notes()) == 1
    assert "is damaged" in made.notes()[0]
    assert damaged == (stored / local.FOLDER / "cache.db").read_bytes()


def test_damage_that_can_not_be_put_aside(stored: Path) -> None:
    """Where a broken database can't be put aside there is no cache in this run."""
    filled(stored, 300, entry=SMALL).close()
    made = make(stored)
    made.get(OTHER)
    (stored / local.FOLDER / "broken").write_bytes(b"in the way")
    damage_rows(stored)
    for number in range(300):
        made.get(f"{number:064x}")
    is_bypassed(made, "is damaged")
    garbage(stored)
    is_bypassed(make(stored), "can't be used")


def test_another_process_opens_it_for_ever(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for another process that mends the database is bounded."""
    monkeypatch.setattr(store, "WAIT", 0.1)
    garbage(stored)
    key = f"open {stored / local.FOLDER}"
    with FileLocks(stored / "claims").hold(key, deadline=None, stop=threading.Event()):
        is_bypassed(make(stored), "another process")


def test_pruning_a_held_database(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that another process holds when it is to be pruned is left alone, with a note."""
    monkeypatch.setattr(inspection, "SECONDS", 0.1)
    made = make(stored, size=1)
    assert made.put(KEY, LARGE)
    holder = sqlite3.connect(stored / local.FOLDER / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    made.close()
    holder.close()
    assert len(made.notes()) == 1
    assert "locked" in made.notes()[0]
    assert make(stored).get(KEY) == LARGE


def is_bypassed(made: LocalCache, word: str) -> None:
    """Every method does nothing, raises nothing, and one note says why."""
    assert made.put(KEY, SMALL) is False
    assert made.put(OTHER, LARGE) is False
    assert made.get(KEY) is None
    assert made.info().entries == made.verify_all().entries == made.prune().entries == made.clear().entries == 0
    made.close()
    assert len(made.notes()) == 1
    assert word in made.notes()[0]


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """A file in the folder's place: no cache in this run, one note."""
    (tmp_path / "cache").write_bytes(b"mine")
    is_bypassed(make(tmp_path / "cache"), "can't be used")
    assert (tmp_path / "cache").read_bytes() == b"mine"


def test_a_folder_where_the_database_should_be(tmp_path: Path) -> None:
    """A folder in the database's place: no cache in this run, one note."""
    (tmp_path / local.FOLDER / "cache.db").mkdir(parents=True)
    is_bypassed(make(tmp_path), "can't be used")


@pytest.mark.skipif(sys.platform == "win32", reason="needs symlinks")
def test_a_symlink_where_the_folder_should_be(tmp_path: Path) -> None:
    """A planted symlink in the place of the results: nothing is written where it leads."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / local.FOLDER).symlink_to(tmp_path / "elsewhere")
    is_bypassed(make(tmp_path / "cache"), "is a symlink")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_named_like_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """diskcache expands variables in its folder's name; such a folder is not used, and no other one either."""
    monkeypatch.setenv("ELSEWHERE", "elsewhere")
    is_bypassed(make(tmp_path / "$ELSEWHERE"), "variable")
    assert not list(tmp_path.rglob("elsewhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
class TestReadOnly:
    """A cache that this user may read and not write."""

    @staticmethod
    def lock(folder: Path) -> None:
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o500 if path.is_dir() else 0o400)

    def test_is_read(self, unprivileged: Path) -> None:
        """What is in it can be had; nothing is remembered, and one note says so."""
        folder = unprivileged / "cache"
        made = make(folder)
        made.put(KEY, LARGE)
        made.put(OTHER, SMALL)
        made.close()
        self.lock(folder)
        made = make(folder)
        assert made.get(KEY) == LARGE
        assert made.get("missing") is None
        assert made.put("another", SMALL) is False
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(made.get, [OTHER] * 8)) == [SMALL] * 8
        assert made.info().entries == 2
        assert made.export(unprivileged / "cache.zip") == 2
        made.close()
        assert len(made.notes()) == 1
        assert "can only be read" in made.notes()[0]

    def test_in_a_folder_that_can_not_be_made(self, unprivileged: Path) -> None:
        """Where no folder can be made there is no cache, and one note."""
        unprivileged.chmod(0o500)
        is_bypassed(make(unprivileged / "cache"), "Permission denied")

    def test_unreadable(self, unprivileged: Path) -> None:
        """Where nothing can be read there is no cache, and one note."""
        folder = unprivileged / "cache"
        made = make(folder)
        made.put(KEY, SMALL)
        made.close()
        (folder / local.FOLDER / "cache.db").chmod(0)
        is_bypassed(make(folder), "can't be used")

    def test_a_folder_that_can_not_be_entered(self, unprivileged: Path) -> None:
        """A cache in a folder that may not even be looked into is a miss, and a note when something is to be stored."""
        folder = unprivileged / "cache"
        (folder / local.FOLDER).mkdir(parents=True)
        folder.chmod(0)
        made = make(folder)
        assert made.get(KEY) is None
        is_bypassed(made, "Permission denied")

    def test_with_damage(self, unprivileged: Path) -> None:
        """A read-only cache that is foreign goes unused."""
        folder = unprivileged / "cache"
        made = make(folder)
        made.put(KEY, SMALL)
        made.close()
        trigger(folder)
        self.lock(folder)
        is_bypassed(make(folder), "can't be used")


def test_not_to_be_written(stored: Path) -> None:
    """With `writable` false nothing there changes, whatever is asked; what is in it can be had."""

    def state() -> dict[Path, bytes]:
        # SQLite itself makes the two others for as long as somebody reads.
        files = [path for path in stored.rglob("*") if path.is_file() and not path.name.startswith("cache.db-")]
        return {path: path.read_bytes() for path in files}

    before = state()
    made = make(stored, writable=False)
    assert made.get(KEY) == LARGE
    assert made.put(KEY, SMALL) is False
    assert made.prune(0).entries == made.clear().entries == made.verify_all().entries == 0
    made.close()
    assert before == state()
    assert len(made.notes()) == 1


FULL = """
import resource, signal, sys
from pathlib import Path
from imgshrink.cache.local import LocalCache
from imgshrink.core.model import Entry, Verdict
cache = LocalCache(Path(sys.argv[1]), verify_version=1)
assert cache.put("before", Entry(Verdict.DONE))
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print([cache.put(f"{number:064x}", Entry(Verdict.BETTER, b"x" * int(sys.argv[3]))) for number in range(10)])
print(cache.get("before") is not None, cache.get("a" * 64))
cache.close()
print(len(cache.notes()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
@pytest.mark.parametrize(("limit", "size"), [(50_000, 60_000), (1000, 100)], ids=["value", "database"])
def test_a_full_disk(tmp_path: Path, limit: int, size: int) -> None:
    """Where nothing more can be written, storing fails with one note, leaves no half file, and reading goes on."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "cache"), str(limit), str(size)]
    done = subprocess.run(command, env=bare_environment(), capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [str([False] * 10), "True None", "1"]
    assert done.stderr == ""
    assert list(tmp_path.rglob("*.val")) == []
    made = make(tmp_path / "cache")
    assert made.put(KEY, LARGE)
    assert made.notes() == []


def test_a_database_held_by_another(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process holds the database, what is asked is a miss with one note, after a bounded wait."""
    monkeypatch.setattr(disk, "TIMEOUT", 0.1)
    made = make(stored)
    assert made.get(OTHER) == SMALL
    holder = sqlite3.connect(stored / local.FOLDER / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert made.put(KEY, NOTHING) is False
    assert made.get(OTHER) == SMALL
    holder.execute("ROLLBACK")
    holder.close()
    assert made.put(KEY, NOTHING) is True
    assert len(made.notes()) == 1
    assert "locked" in made.notes()[0]


def test_what_diskcache_makes_is_what_is_expected(tmp_path: Path) -> None:
    """The tables that the installed diskcache makes are those that the cache takes for its own."""
    disk.open_cache(tmp_path).close()
    inspection.inspect(tmp_path, thorough=True)
    with closing(sqlite3.connect(tmp_path / "cache.db")) as opened:
        assert inspection.schema(opened) == inspection.SCHEMA
        settings = dict(opened.execute("SELECT key, value FROM Settings"))
    assert settings.keys() - set(inspection.METADATA) == disk.SETTINGS.keys()


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN IMMEDIATE"],
        pytest.param(["BEGIN EXCLUSIVE"], marks=pytest.mark.slow),
        pytest.param(["PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE"], marks=pytest.mark.slow),
    ],
    ids=lambda statements: statements[-1 if len(statements) == 1 else 0],
)
def test_held_by_another_process(tmp_path: Path, statements: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that another process holds costs seconds, not the minute that diskcache tries for; then one note."""
    monkeypatch.setattr(disk, "TIMEOUT", 0.2)
    stored_in(tmp_path)
    code = (
        "import sqlite3, sys; held = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]: held.execute(statement)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / local.FOLDER / "cache.db"), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        begun = time.monotonic()
        made = make(tmp_path)
        assert made.get("new") is None
        assert [made.put(f"key {number}", SMALL) for number in range(10)] == [False] * 10
        made.close()
        assert time.monotonic() - begun < 30
        assert len(made.notes()) == 1
        assert "locked" in made.notes()[0]
        holder.kill()


def test_held_in_the_middle_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that another process takes while we use it is waited for a few times, then nothing more is stored."""
    monkeypatch.setattr(disk, "TIMEOUT", 0.2)
    made = filled(tmp_path, 1)
    holder = sqlite3.connect(tmp_path / local.FOLDER / "cache.db", isolation_level=None)
    assert made.put("before", SMALL)
    holder.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    assert [made.put(f"key {number}", SMALL) for number in range(10)] == [False] * 10
    assert time.monotonic() - begun < 30
    made.close()
    holder.close()
    assert len(made.notes()) == 1
    assert "locked" in made.notes()[0]


def test_locked_for_reading_in_the_middle_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process locks even reading, the cache is waited for once and then goes unused in this run."""
    made = filled(tmp_path, 1)
    asked = []

    def locked(key: str) -> bytes:
        asked.append(key)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(made._store, "get", locked)
    assert [made.get(f"key {number}") for number in range(5)] == [None] * 5
    assert len(asked) == 1
    assert len(made.notes()) == 1
