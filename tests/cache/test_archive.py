"""Facts about carrying a cache's entries from one machine to another."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from caches import KEY, LARGE, NOTHING, OTHER, SMALL, make, stored_in
from imgshrink.cache import record
from imgshrink.core.errors import SettingsError, Unwritable
from imgshrink.core.model import Entry


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The folder of a closed cache with a large entry under KEY and a small one under OTHER."""
    return stored_in(tmp_path / "cache")


def test_importing_keeps_what_is_there(stored: Path, tmp_path: Path) -> None:
    """An import stores what is missing, leaves what is there, and counts both."""
    made = make(stored)
    assert made.export(tmp_path / "cache.zip") == 2
    there = make(tmp_path / "there")
    there.put(OTHER, NOTHING)
    imported = there.import_(tmp_path / "cache.zip")
    assert (imported.stored, imported.known, imported.refused) == (1, 1, 0)
    assert there.get(OTHER) == NOTHING
    assert there.get(KEY) == LARGE


def test_exporting_twice_gives_the_same_file(stored: Path, tmp_path: Path) -> None:
    """An export depends on the entries alone."""
    made = make(stored)
    made.export(tmp_path / "one.zip")
    made.export(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_exporting_to_nowhere(stored: Path, tmp_path: Path) -> None:
    """An export that can't be written says so and leaves nothing."""
    with pytest.raises(Unwritable, match="can't write"):
        make(stored).export(tmp_path / "missing" / "cache.zip")


def test_exporting_a_long_key(stored: Path, tmp_path: Path) -> None:
    """A key longer than any of ours is not carried on."""
    made = make(stored)
    assert made.put("k" * 600, SMALL)
    assert made.export(tmp_path / "cache.zip") == 2


def test_exporting_nothing(tmp_path: Path) -> None:
    """The export of a cache that is not there is empty."""
    assert make(tmp_path / "cache").export(tmp_path / "cache.zip") == 0
    assert make(tmp_path / "cache").import_(tmp_path / "cache.zip").stored == 0


def archive(
    path: Path, parts: dict[str, bytes], *, comment: bytes = b"imgshrink cache 1", packed: bool = False
) -> Path:
    """A zip file made by somebody else."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as made:
        made.comment = comment
        for name, content in parts.items():
            made.writestr(name, content)
    return path


def part(key: bytes, entry: Entry) -> bytes:
    """What one part of an export holds."""
    return len(key).to_bytes(2, "big") + key + record.encode(key.decode(), entry)


@pytest.mark.parametrize(
    ("content", "packed"),
    [
        (b"", False),
        (b"\0", False),
        (b"\0\3key", False),
        (b"\0\3key" + bytes(100), False),
        (part(b"key", SMALL)[:-1], False),
        (b"\0\3yek" + part(b"key", SMALL)[5:], False),
        (b"\0\0" + part(b"key", SMALL)[5:], False),
        (part(b"k" * 600, SMALL), False),
        (bytes(10_000_000), True),
        (part(b"key", SMALL), True),
    ],
    ids=["empty", "short", "key", "zeros", "cut", "other", "keyless", "long", "bomb", "packed"],
)
def test_importing_what_is_no_record(tmp_path: Path, content: bytes, packed: bool) -> None:
    """What is no whole record of its key is refused and counted; the records beside it are stored."""
    made = make(tmp_path / "cache")
    path = archive(tmp_path / "cache.zip", {"../../x": content}, packed=packed)
    assert made.import_(path).refused == 1
    if not packed:
        path = archive(tmp_path / "cache.zip", {"../../x": content, "/etc/y": part(b"key", SMALL)})
        assert made.import_(path).stored == 1
        assert made.get("key") == SMALL
    assert made.notes() == []
    assert {child.name for child in tmp_path.iterdir()} <= {"cache", "cache.zip"}


@pytest.mark.parametrize("content", [b"", b"text", b"PK\5\6" + bytes(18)], ids=["empty", "text", "zip"])
def test_importing_another_file(tmp_path: Path, content: bytes) -> None:
    """A file that is no export is refused, and the message names it."""
    (tmp_path / "cache.zip").write_bytes(content)
    with pytest.raises(SettingsError, match=r"cache\.zip"):
        make(tmp_path / "cache").import_(tmp_path / "cache.zip")


def test_importing_a_damaged_file(stored: Path, tmp_path: Path) -> None:
    """Wherever an export is damaged, the import ends without an error of its own, and stores nothing wrong."""
    make(stored).export(tmp_path / "cache.zip")
    whole = (tmp_path / "cache.zip").read_bytes()
    for place in [*range(0, 300, 7), *range(len(whole) - 300, len(whole), 7)]:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "damaged.zip").write_bytes(damaged)
        made = make(tmp_path / "there")
        with suppress(SettingsError):
            made.import_(tmp_path / "damaged.zip")
        assert made.get(KEY) in (None, LARGE)
        assert made.get(OTHER) in (None, SMALL)
        made.clear()


def test_importing_where_nothing_can_be_stored(stored: Path, tmp_path: Path) -> None:
    """An import into a cache that may not be written refuses everything."""
    make(stored).export(tmp_path / "cache.zip")
    assert make(tmp_path / "there", writable=False).import_(tmp_path / "cache.zip").refused == 2
