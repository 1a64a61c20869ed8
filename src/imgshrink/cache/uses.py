"""When each entry was last used: a database of its own beside the cache's, written once a run.

It only orders what is pruned first, so whatever is wrong with it, it begins anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

NAME = "uses.db"
FORGOTTEN = 366 * 86400
_TABLE = "CREATE TABLE uses (key TEXT PRIMARY KEY, used INTEGER) WITHOUT ROWID"


def write(folder: Path, keys: Iterable[str], now: int) -> None:
    """Record that `keys` were used `now`; never raises."""
    try:
        with _opened(folder) as database, database:
            database.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?)", ((key, now) for key in keys))
            database.execute("DELETE FROM uses WHERE used < ?", (now - FORGOTTEN,))
    except sqlite3.OperationalError:
        return  # busy, read-only or full: the next run writes
    except sqlite3.Error:
        _discard(folder)


def read(folder: Path) -> dict[str, int]:
    """Return when each entry was last used, in seconds since the epoch; what is not known is left out. Never raises."""
    if not (folder / NAME).is_file():
        return {}
    try:
        with _opened(folder) as database:
            found = database.execute("SELECT key, used FROM uses").fetchall()
    except sqlite3.Error:
        return {}
    return {key: used for key, used in found if isinstance(key, str) and isinstance(used, int)}


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    if (folder / NAME).is_symlink():
        _discard(folder)
    with closing(sqlite3.connect(folder / NAME, timeout=2)) as database:
        held = database.execute("SELECT sql FROM sqlite_master").fetchall()
        if not held:
            database.execute(_TABLE)
        elif held != [(_TABLE,)]:
            raise sqlite3.DatabaseError("it holds a table, view or trigger of somebody else's")
        yield database


def _discard(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / NAME).unlink()
