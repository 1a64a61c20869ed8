"""When each entry was last used: a file of its own beside the database, written once a run.

It only orders what is pruned first, so whatever is wrong with it, it begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

NAME = "uses.db"
FORGOTTEN = 366 * 86400


def write(folder: Path, keys: Iterable[str], now: int) -> None:
    """Record that `keys` were used `now`; never raises."""
    for _ in range(2):
        try:
            return _write(folder, keys, now)
        except sqlite3.OperationalError:
            return None  # busy, read-only or full: the next run writes
        except sqlite3.Error:
            _discard(folder)
    return None


def read(folder: Path) -> dict[str, int]:
    """Return when each entry was last used, in seconds since the epoch; what is not known is left out. Never raises."""
    if not (folder / NAME).is_file():
        return {}
    try:
        with closing(sqlite3.connect(folder / NAME, timeout=2)) as database:
            found = database.execute("SELECT key, used FROM uses").fetchall()
    except sqlite3.Error:
        return {}
    return {key: used for key, used in found if isinstance(key, str) and isinstance(used, int)}


def _write(folder: Path, keys: Iterable[str], now: int) -> None:
    with closing(sqlite3.connect(folder / NAME, timeout=2)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS uses (key TEXT PRIMARY KEY, used INTEGER) WITHOUT ROWID")
        database.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?)", ((key, now) for key in keys))
        database.execute("DELETE FROM uses WHERE used < ?", (now - FORGOTTEN,))


def _discard(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / NAME).unlink()
