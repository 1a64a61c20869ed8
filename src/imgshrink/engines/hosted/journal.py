"""The durable record of what was paid for: who can't remember doesn't buy.

One row an image, API and account, kept for 30 days after its last upload began. `sending` is written before an upload,
`uploaded` with the image's number at once after its answer, `rejected` when the API said no for good.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ImgshrinkError

VERSION = 1
KEPT = 30 * 86400
UPLOADS = 2
PATIENCE = 5.0

SENDING = "sending"
UPLOADED = "uploaded"
REJECTED = "rejected"

_TYPES = [str, int, int, str, str, float]
SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    key TEXT NOT NULL, origin TEXT NOT NULL, account TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, image_id INTEGER NOT NULL,
    token TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (key, origin, account)
) WITHOUT ROWID
"""


class JournalError(ImgshrinkError):
    """The journal can't be read or written; the text names the file, why, and the cure."""


@dataclass(frozen=True)
class Row:
    """What is known of one upload: how often it began, and the image's number where the API answered.

    `token` names the upload to the API, `at` is when it began (seconds since the epoch), `reason` why it was rejected.
    """

    state: str
    attempts: int
    image_id: int
    token: str
    reason: str
    at: float

    @property
    def spent(self) -> bool:
        """No further upload is allowed within the 30 days."""
        return self.attempts >= UPLOADS


class Journal:
    """The journal of this user, opened when it is first asked. Several threads and processes at once."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._locked = ""

    def ledger(self, origin: str, key: str) -> Ledger:
        """Return the pages of one account at one API; of the key only a hash is kept."""
        return Ledger(self, origin, hashlib.sha256(b"imgshrink journal:" + key.encode()).hexdigest()[:32])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Enter with the journal, None where there is none yet; raises `JournalError`."""
        with self._lock, self._named():
            yield self._opened() if self._open is not None or self.path.exists() else None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Enter one durable transaction; raises `JournalError`, and nothing was written then."""
        with self._lock, self._named():
            database = self._opened()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._clock()

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Give every trouble one name; who waited for a locked file in vain waits for it no more."""
        why = self._locked
        if not why:
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                why = str(getattr(error, "strerror", None) or error)
            else:
                return
            self._locked = why if "locked" in why else ""
        raise JournalError(f"the record of uploads can't be written ({why}): make {self.path} writable, or remove it")

    def _opened(self) -> sqlite3.Connection:
        if self._open is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
            database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._open = database
        return self._open

    def _prepare(self, database: sqlite3.Connection) -> None:
        with suppress(sqlite3.OperationalError):  # a file system without shared memory keeps the slower journal
            database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.DatabaseError("a newer imgshrink wrote it")
        database.execute(SCHEMA)
        database.execute("DELETE FROM uploads WHERE at < ?", (self.now() - KEPT,))
        if version != VERSION:
            database.execute(f"PRAGMA user_version={VERSION}")


@dataclass(frozen=True)
class Ledger:
    """The uploads of one account at one API. Every method raises `JournalError` where the journal can't be used."""

    journal: Journal
    origin: str
    account: str

    def find(self, key: str) -> Row | None:
        """Return what is known of the image remembered under `key`; makes no journal where there is none."""
        with self.journal.reading() as database:
            return None if database is None else self._find(database, key)

    def begin(self, key: str, token: str, *, instead_of: Row | None) -> Row | None:
        """Write down that an upload begins, and return its row; None where the journal has changed or allows no more.

        `instead_of` is the row that the caller has seen. The first upload's token stays while nobody knows its fate, so
        that an API that honours it makes one job of both.
        """
        with self.journal.writing() as database:
            found = self._find(database, key)
            if found != instead_of or (found is not None and (found.spent or found.state == REJECTED)):
                return None
            kept = found.token if found is not None and found.state == SENDING else token
            row = Row(SENDING, (found.attempts if found else 0) + 1, 0, kept, "", self.journal.now())
            self._write(database, key, row)
            return row

    def undo(self, key: str, before: Row | None) -> None:
        """Take back a `begin`: the upload certainly did not happen, and `before` holds again."""
        with self.journal.writing() as database:
            if before is None:
                database.execute("DELETE FROM uploads WHERE key=? AND origin=? AND account=?", self._name(key))
            else:
                self._write(database, key, before)

    def settle(self, key: str, row: Row) -> None:
        """Write down what became of an upload."""
        with self.journal.writing() as database:
            self._write(database, key, row)

    def _name(self, key: str) -> tuple[str, str, str]:
        return key, self.origin, self.account

    def _find(self, database: sqlite3.Connection, key: str) -> Row | None:
        columns = "state, attempts, image_id, token, reason, at"
        query = f"SELECT {columns} FROM uploads WHERE key=? AND origin=? AND account=? AND at>=?"  # noqa: S608 - constants
        found = database.execute(query, (*self._name(key), self.journal.now() - KEPT)).fetchone()
        if found is not None and [type(value) for value in found] != _TYPES:
            raise sqlite3.DatabaseError("it holds what no imgshrink wrote")
        return None if found is None else Row(*found)

    def _write(self, database: sqlite3.Connection, key: str, row: Row) -> None:
        values = (*self._name(key), row.state, row.attempts, row.image_id, row.token, row.reason, row.at)
        database.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
