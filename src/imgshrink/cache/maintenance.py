"""Measures, checks and prunes the cache. Each row is judged by itself."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..core.model import Verdict
from . import inspection, last_used
from .disk import VALUE_NAME, Foreign, StrictDisk
from .record import MAX_RECORD, decode

ORPHANED = 3600
_SIZE = f"CASE typeof(size) WHEN 'integer' THEN min(max(size, 0), {MAX_RECORD}) ELSE 0 END"
_BYTES = f"({_SIZE}) + COALESCE(LENGTH(value), 0)"
_VERDICTS = {verdict.value for verdict in Verdict}


@dataclass(frozen=True)
class CacheInfo:
    """What a cache holds. `verdicts` counts entries; `oldest` is when the oldest was stored, None if empty."""

    folder: Path
    entries: int
    bytes: int
    verdicts: dict[str, int]
    oldest: int | None


@dataclass(frozen=True)
class Removed:
    """What was removed, and what is left."""

    entries: int
    bytes: int
    left: int


@dataclass(frozen=True)
class _Row:
    number: int
    key: object
    filename: object
    bytes: int
    stored: float


def measure(folder: Path, mode: str) -> CacheInfo:
    """Return what the cache in `folder` holds; its database is opened with `mode`."""
    with closing(inspection.connect(folder, mode=mode)) as connection:
        found = connection.execute(f"SELECT tag, store_time, {_BYTES} FROM Cache").fetchall()  # noqa: S608  constants
    verdicts = Counter(tag for tag, _, _ in found if tag in _VERDICTS)
    oldest = min((stored for _, stored, _ in found if isinstance(stored, float)), default=None)
    return CacheInfo(
        folder, len(found), sum(row[2] for row in found), dict(verdicts), None if oldest is None else int(oldest)
    )


def check(folder: Path) -> Removed:
    """Read every record; remove those that are damaged or foreign, and files that belong to none."""
    disk = StrictDisk(str(folder))
    bad: list[_Row] = []
    left = 0
    for row, record in _records(folder, disk):
        if record is None:
            bad.append(row)
        else:
            left += 1
    _delete(folder, disk, bad)
    _sweep(folder, disk)
    return Removed(len(bad), sum(row.bytes for row in bad), left)


def prune(folder: Path, size: int) -> Removed:
    """Remove the least recently used entries until at most `size` bytes are left."""
    rows = list(_rows(folder))
    used = last_used.read(folder)
    rows.sort(key=lambda row: max(row.stored, used.get(row.key, 0) if isinstance(row.key, str) else 0))
    over = sum(row.bytes for row in rows) - size
    out: list[_Row] = []
    for row in rows:
        if over <= 0:
            break
        out.append(row)
        over -= row.bytes
    disk = StrictDisk(str(folder))
    if out:
        _delete(folder, disk, out)
        _sweep(folder, disk)
    return Removed(len(out), sum(row.bytes for row in out), len(rows) - len(out))


def volume(folder: Path) -> int:
    """Return how many bytes the entries take."""
    with closing(inspection.connect(folder)) as connection:
        found = connection.execute(f"SELECT COALESCE(SUM({_BYTES}), 0) FROM Cache").fetchone()  # noqa: S608  constants
    return int(found[0])


def records(folder: Path, mode: str) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the record of every valid entry, by key; `mode` is that of `measure`."""
    for row, record in _records(folder, StrictDisk(str(folder)), mode):
        if record is not None:
            yield str(row.key), record


def _records(folder: Path, disk: StrictDisk, mode: str = "rw") -> Iterator[tuple[_Row, bytes | None]]:
    """Yield every row with its record, None if that is not valid, by key. No transaction stays open in between."""
    rows = sorted(_rows(folder, mode), key=lambda row: str(row.key))
    with closing(inspection.connect(folder, mode=mode)) as connection:
        for row in rows:
            yield row, _record(connection, disk, row)


def _record(connection: sqlite3.Connection, disk: StrictDisk, row: _Row) -> bytes | None:
    found = connection.execute(
        "SELECT mode, filename, value FROM Cache WHERE rowid = ? AND raw = 1 AND expire_time IS NULL", (row.number,)
    ).fetchone()
    if found is None:
        return None
    mode, name, value = found
    try:
        record = disk.fetch(mode, name, value, False)
    except (OSError, Foreign):
        return None
    sound = isinstance(row.key, str) and decode(row.key, record) is not None
    return record if sound else None


def _rows(folder: Path, mode: str = "rw") -> Iterator[_Row]:
    with closing(inspection.connect(folder, mode=mode)) as connection:
        yield from (
            _Row(number, key, filename, size, stored if isinstance(stored, float) else 0.0)
            for number, key, filename, size, stored in connection.execute(
                f"SELECT rowid, key, filename, {_BYTES}, store_time FROM Cache"  # noqa: S608  constants
            )
        )


def _delete(folder: Path, disk: StrictDisk, rows: Iterable[_Row]) -> None:
    rows = list(rows)
    with closing(inspection.connect(folder)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have replaced the row's value: then the file name differs, and the row stays.
        connection.executemany(
            "DELETE FROM Cache WHERE rowid = ? AND filename IS ?", [(row.number, row.filename) for row in rows]
        )
        connection.execute("COMMIT")
    for row in rows:
        disk.remove(row.filename)


def _sweep(folder: Path, disk: StrictDisk) -> None:
    """Remove files that no row names, left by killed processes. A recent file may get its row yet, and stays."""
    named = {row.filename for row in _rows(folder)}
    before = time.time() - ORPHANED
    for path in folder.glob("??/*.val"):
        name = path.relative_to(folder).as_posix()
        if VALUE_NAME.fullmatch(name) and name not in named:
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_mtime < before:
                    disk.remove(name)


def empty(folder: Path) -> Removed:
    """Remove every entry, and the databases that were moved aside."""
    rows = list(_rows(folder))
    disk = StrictDisk(str(folder))
    _delete(folder, disk, rows)
    _sweep(folder, disk)
    for name in (*inspection.PARTS, last_used.NAME):
        (folder / inspection.ASIDE / name).unlink(missing_ok=True)
    if os.path.isdir(folder / inspection.ASIDE):
        os.rmdir(folder / inspection.ASIDE)  # noqa: PTH106  raises only if somebody put something there
    return Removed(len(rows), sum(row.bytes for row in rows), 0)
