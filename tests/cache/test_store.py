"""Facts about values that are damaged or planted: each is a miss and a note, runs no code and leads nowhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caches import KEY, LARGE, OTHER, SMALL, make, rows, stored_in
from imgshrink.cache import local
from imgshrink.cache.disk import Foreign, StrictDisk, open_cache


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a closed cache with a large entry under KEY and a small one under OTHER."""
    return stored_in(tmp_path / "cache")


def value_files(folder: Path) -> list[Path]:
    """The files that hold large values."""
    return sorted((folder / local.FOLDER).glob("??/*.val"))


def cut_file(folder: Path) -> None:
    (file,) = value_files(folder)
    file.write_bytes(file.read_bytes()[:-1])


def zero_file(folder: Path) -> None:
    (file,) = value_files(folder)
    file.write_bytes(b"")


def other_file(folder: Path) -> None:
    (file,) = value_files(folder)
    file.write_bytes(os.urandom(200))


def swapped_values(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET key = 'x' WHERE key = ?", KEY)
    rows(folder, "UPDATE Cache SET key = ? WHERE key = ?", KEY, OTHER)


def text_value(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET mode = 1, filename = NULL, value = 'text' WHERE key = ?", KEY)


def number_value(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET mode = 1, filename = NULL, value = 17 WHERE key = ?", KEY)


def pickled_value(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET mode = 4, filename = NULL, value = ? WHERE key = ?", bomb(folder), KEY)


def pickled_file(folder: Path) -> None:
    (file,) = value_files(folder)
    file.write_bytes(bomb(folder))
    rows(folder, "UPDATE Cache SET mode = 4 WHERE key = ?", KEY)


def text_file(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET mode = 3 WHERE key = ?", KEY)


def absolute_name(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET filename = ? WHERE key = ?", str(secret(folder)), KEY)


def climbing_name(folder: Path) -> None:
    secret(folder)
    rows(folder, "UPDATE Cache SET filename = '../../secret' WHERE key = ?", KEY)


def binary_name(folder: Path) -> None:
    rows(folder, "UPDATE Cache SET filename = ? WHERE key = ?", b"../../secret", KEY)


def linked_folder(folder: Path) -> None:
    (file,) = value_files(folder)
    outside = folder.parent / "outside"
    file.parent.rename(outside)
    file.parent.symlink_to(outside)


def linked_file(folder: Path) -> None:
    (file,) = value_files(folder)
    outside = folder.parent / "outside"
    file.rename(outside)
    file.symlink_to(outside)


def pipe_file(folder: Path) -> None:
    (file,) = value_files(folder)
    file.unlink()
    os.mkfifo(file)


def bomb(folder: Path) -> bytes:
    """A pickle that makes the file `exploded` when it is loaded."""
    return f"cbuiltins\nopen\n(S'{folder.parent / 'exploded'}'\nS'w'\ntR.".encode()


def secret(folder: Path) -> Path:
    path = folder.parent / "secret"
    path.write_bytes(b"somebody's")
    return path


POISONED_VALUES = [
    cut_file, zero_file, other_file, swapped_values, text_value, number_value, pickled_value, pickled_file, text_file,
    absolute_name, climbing_name, binary_name, linked_folder, linked_file, pipe_file,
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="needs symlinks and named pipes")
@pytest.mark.parametrize("poison", POISONED_VALUES, ids=lambda poison: poison.__name__)
class TestPoisonedValue:
    """A value that is damaged or planted."""

    def test_is_a_miss_and_a_note(self, stored: Path, poison: Callable[[Path], None]) -> None:
        """It is a miss with one note; what is beside it can still be had."""
        poison(stored)
        made = make(stored)
        assert made.get(KEY) is None
        assert made.get(KEY) is None
        assert len(made.notes()) == 1
        if poison is not swapped_values:
            assert made.get(OTHER) == SMALL
        assert not (stored.parent / "exploded").exists()

    def test_is_replaced_by_the_next_put(self, stored: Path, poison: Callable[[Path], None]) -> None:
        """A new entry takes its place; nothing outside of the cache is touched."""
        poison(stored)
        outside = {path: path.read_bytes() for path in stored.parent.iterdir() if path.is_file()}
        made = make(stored)
        assert made.put(KEY, LARGE)
        assert made.get(KEY) == LARGE
        made.close()
        assert outside == {path: path.read_bytes() for path in stored.parent.iterdir() if path.is_file()}

    def test_is_removed_by_verify(self, stored: Path, poison: Callable[[Path], None]) -> None:
        """`verify_all` counts and removes it, and nothing outside of the cache."""
        poison(stored)
        outside = sorted(path.name for path in stored.parent.rglob("*") if stored not in path.parents)
        made = make(stored)
        assert made.verify_all().entries == (2 if poison is swapped_values else 1)
        assert made.get(KEY) is None
        assert made.notes() == []
        assert outside == sorted(path.name for path in stored.parent.rglob("*") if stored not in path.parents)

    def test_is_not_carried_on(self, stored: Path, poison: Callable[[Path], None]) -> None:
        """`export` leaves it out."""
        poison(stored)
        made = make(stored)
        assert made.export(stored.parent / "cache.zip") == (0 if poison is swapped_values else 1)


def test_an_expired_row_deletes_nothing_outside(stored: Path) -> None:
    """A planted row that has expired, with a foreign file's name, does not delete that file."""
    foreign = secret(stored)
    rows(
        stored,
        "INSERT INTO Cache (key, raw, store_time, expire_time, mode, filename) VALUES ('x', 1, 1, 1, 2, ?)",
        str(foreign),
    )
    made = make(stored, size=10)
    made.put(f"{1:064x}", LARGE)
    made.prune(0)
    made.clear()
    made.close()
    assert foreign.read_bytes() == b"somebody's"


@pytest.mark.parametrize("key", [b"key", 7, 1.5, None])
def test_a_key_that_is_no_text(stored: Path, key: object) -> None:
    """Rows with other keys, pickled ones among them, are never read, counted as bad, and removed."""
    rows(stored, "INSERT INTO Cache (key, raw, store_time, mode, value) VALUES (?, 0, 1, 4, ?)", key, bomb(stored))
    made = make(stored)
    assert made.info().entries == 3
    assert made.export(stored.parent / "cache.zip") == 2
    assert made.verify_all().entries == 1
    assert made.notes() == []
    assert not (stored.parent / "exploded").exists()


def test_absurd_sizes(stored: Path) -> None:
    """Sizes in the rows that are negative, huge or no number do not stop the cache from being measured and pruned."""
    for number, size in enumerate([-5, 2**63 - 1, 2**63 - 1, "large", None]):
        rows(stored, "INSERT INTO Cache (key, raw, size, mode) VALUES (?, 1, ?, 1)", f"x{number}", size)
    made = make(stored)
    assert made.info().entries == 7
    assert made.prune(10**6).left >= 1
    assert made.notes() == []


DISKCACHE_PATHS: dict[str, Callable[[object], object]] = {
    "get": lambda cache: cache.get("planted"),  # type: ignore[attr-defined]
    "getitem": lambda cache: cache["planted"],  # type: ignore[index]
    "read": lambda cache: cache.read("planted"),  # type: ignore[attr-defined]
    "iter": lambda cache: list(cache),  # type: ignore[call-overload]
    "reversed": lambda cache: list(reversed(cache)),  # type: ignore[call-overload]
    "iterkeys": lambda cache: list(cache.iterkeys()),  # type: ignore[attr-defined]
    "peekitem": lambda cache: cache.peekitem(),  # type: ignore[attr-defined]
    "pop": lambda cache: cache.pop("planted"),  # type: ignore[attr-defined]
    "pull": lambda cache: cache.pull(),  # type: ignore[attr-defined]
    "expire": lambda cache: cache.expire(),  # type: ignore[attr-defined]
    "cull": lambda cache: cache.cull(),  # type: ignore[attr-defined]
    "clear": lambda cache: cache.clear(),  # type: ignore[attr-defined]
    "evict": lambda cache: cache.evict("tag"),  # type: ignore[attr-defined]
    "set": lambda cache: cache.set("planted", b"new"),  # type: ignore[attr-defined]
    "delete": lambda cache: cache.delete("planted"),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("path", DISKCACHE_PATHS.values(), ids=DISKCACHE_PATHS)
@pytest.mark.parametrize("expiry", [None, 1.0], ids=["lasting", "expired"])
def test_no_path_of_diskcache_unpickles_or_leaves_its_folder(
    stored: Path, path: Callable[[object], object], expiry: float | None
) -> None:
    """Whatever is asked of diskcache, a planted row runs no code, reads no foreign file and deletes none."""
    foreign = secret(stored)
    columns = "key, raw, store_time, expire_time, tag, mode, filename, value"
    insert = f"INSERT INTO Cache ({columns}) VALUES (?, ?, 1, ?, 'tag', ?, ?, ?)"
    rows(stored, insert, bomb(stored), 0, expiry, 4, None, bomb(stored))
    rows(stored, insert, "planted", 1, expiry, 2, str(foreign), None)
    rows(stored, insert, 500_000_000_000_000, 1, expiry, 2, str(foreign), None)
    opened = open_cache(stored / local.FOLDER)
    result: object = None
    try:
        result = path(opened)
    except (Foreign, KeyError):
        pass
    finally:
        opened.close()
    assert b"somebody's" not in (result if isinstance(result, tuple) else (result,))
    assert foreign.read_bytes() == b"somebody's"
    assert not (stored.parent / "exploded").exists()


@pytest.mark.parametrize("value", ["text", 1, None, [], bytearray(b"x")], ids=repr)
def test_only_bytes_are_stored(stored: Path, value: object) -> None:
    """The disk takes no value but bytes, and no key but text."""
    opened = open_cache(stored / local.FOLDER)
    with pytest.raises(Foreign):
        opened.set(KEY, value)
    with pytest.raises(Foreign):
        opened.set(value if value != "text" else b"text", b"value")
    with pytest.raises(Foreign):
        opened.get(("a", "tuple"))
    opened.close()


def test_removing_the_last_value_keeps_the_folder(tmp_path: Path) -> None:
    """Removing a value's file removes no folder: diskcache itself would remove every empty one upward."""
    disk = StrictDisk(str(tmp_path / "cache"), min_file_size=1)
    _, _, name, _ = disk.store(b"value", False)
    disk.remove(name)
    assert not list(tmp_path.rglob("*.val"))
    assert (tmp_path / "cache").is_dir()


def test_every_folder_is_a_symlink(tmp_path: Path) -> None:
    """Where every folder for values leads elsewhere, nothing large is stored, and nothing is written there."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    made = make(tmp_path / "cache")
    assert made.put(OTHER, SMALL)
    for number in range(256):
        (tmp_path / "cache" / local.FOLDER / f"{number:02x}").symlink_to(elsewhere)
    fates = [made.put(f"{number:064x}", LARGE) for number in range(3)]
    assert fates == [False] * 3
    assert list(elsewhere.iterdir()) == []
    assert len(made.notes()) == 1


def test_a_value_file_that_is_gone(stored: Path) -> None:
    """A value whose file another process has just removed is a miss without a note, for a writer and for a reader."""
    for file in stored.rglob("*.val"):
        file.unlink()
    for writable in (True, False):
        made = make(stored, writable=writable)
        assert made.get(KEY) is None
        assert made.get(OTHER) == SMALL
        made.close()
        assert made.notes() == []


def test_a_value_is_never_handed_out_as_a_file(stored: Path) -> None:
    """diskcache's open files are refused on the way in and out."""
    opened = open_cache(stored / local.FOLDER)
    with pytest.raises(Foreign):
        opened.get(KEY, read=True)
    opened.close()
