"""Caches for tests: entries of every kind, and the hands that fill, poison and share a cache."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from imgshrink.cache import local
from imgshrink.cache.local import LocalCache
from imgshrink.core.model import Entry, Verdict

KEY = "a1" * 32
OTHER = "b2" * 32
NOW = 1_800_000_000
SMALL = Entry(Verdict.BETTER, b"small", "", "builtin", NOW, 1, 80)
LARGE = Entry(Verdict.BETTER, os.urandom(100_000), "", "hosted", NOW, 1, 80)
NOTHING = Entry(Verdict.NOT_SMALLER, b"", "", "builtin", NOW, 1, 80)
REFUSED = Entry(Verdict.REFUSED, b"", "another picture", "hosted", NOW, 1, 80)
DONE = Entry(Verdict.DONE, b"", "", "builtin", NOW, 1, 80)
ENTRIES = {"small": SMALL, "large": LARGE, "nothing": NOTHING, "refused": REFUSED, "done": DONE}


def make(folder: Path, **options: object) -> LocalCache:
    """A cache whose clock stands still, and whose version of verify is that of the entries above."""
    return LocalCache(folder, **{"verify_version": 1, "clock": lambda: float(NOW), **options})  # type: ignore[arg-type]


def filled(folder: Path, count: int, *, entry: Entry = LARGE, **options: object) -> LocalCache:
    """A cache with numbered entries, stored one after another."""
    made = make(folder, **options)
    for number in range(count):
        made.put(f"{number:064x}", entry)
    return made


def present(made: LocalCache, count: int) -> list[int]:
    """Which of the entries of `filled` are there."""
    return [number for number in range(count) if made.get(f"{number:064x}")]


def rows(folder: Path, statement: str, *values: object) -> None:
    """Change a closed cache's database by hand."""
    with closing(sqlite3.connect(folder / local.FOLDER / "cache.db")) as database, database:
        database.execute(statement, values)


FILL = """
import os, sys
from pathlib import Path
from imgshrink.cache.local import LocalCache
from imgshrink.core.model import Entry, Verdict
cache = LocalCache(Path(sys.argv[1]))
number = 0
while number < int(sys.argv[3]):
    entry = Entry(Verdict.BETTER, bytes([number % 251]) * (20 if number % 2 else 40_000))
    assert cache.put(f"{sys.argv[2]}-{number:064x}", entry), cache.notes()
    number += 1
    print(number, flush=True)
cache.close()
assert cache.notes() == [], cache.notes()
"""


def fill(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A process that puts `count` entries, and says so after each."""
    return subprocess.Popen(
        [sys.executable, "-c", FILL, str(folder), name, str(count)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stored_in(folder: Path) -> Path:
    """Leave a closed cache with a large entry under KEY and a small one under OTHER."""
    made = make(folder)
    assert made.put(KEY, LARGE)
    assert made.put(OTHER, SMALL)
    made.close()
    return folder


def bare_environment() -> dict[str, str]:
    """The environment without a coverage tool in it, which would load and write things of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}
