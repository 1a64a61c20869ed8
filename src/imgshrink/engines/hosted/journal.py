"""The durable record of uploads. No upload is made unless it can be recorded first.

One row for each image, API and account, kept for 30 days after its last upload began. `sending` is written before an
upload, `uploaded` with the image's id at once after its reply, `rejected` when the API refused the image for good.
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
LOCK_TIMEOUT = 5.0

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
    """What is known of one image's uploads: `attempts` is how many began, `image_id` is the API's id, 0 if unknown.

    `token` is the idempotency key, `at` when the last upload began (seconds since the epoch), `reason` why the API
    rejected it.
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
    """The journal of this user, opened by the first access. Safe for several threads and processes."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._locked = ""

    def ledger(self, origin: str, key: str) -> Ledger:
        """Return the rows of one account at one API; only a hash of the key is stored."""
        return Ledger(self, origin, hashlib.sha256(b"imgshrink journal:" + key.encode()).hexdigest()[:32])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Enter with the database, None where there is none yet; raises `JournalError`."""
        with self._lock, self._errors():
            yield self._opened() if self._open is not None or self.path.exists() else None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Enter one durable transaction; raises `JournalError`, and then nothing was written."""
        with self._lock, self._errors():
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
        """Close the file. Safe to call twice."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn every error into a `JournalError`; a file that stayed locked is not waited for again."""
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
            database = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
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
        """Return the row of `key`; creates no journal where there is none."""
        with self.journal.reading() as database:
            return None if database is None else self._find(database, key)

    def begin(self, key: str, token: str, *, instead_of: Row | None) -> Row | None:
        """Record that an upload begins, and return its row; None where the row has changed or allows no upload.

        `instead_of` is the row that the caller has read. A repeated upload keeps the token while the outcome of the
        first is unknown, so that an API that honours idempotency keys makes one job of both.
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
        """Revert a `begin`: the upload certainly did not happen, and the row is `before` again."""
        with self.journal.writing() as database:
            if before is None:
                database.execute("DELETE FROM uploads WHERE key=? AND origin=? AND account=?", self._row_key(key))
            else:
                self._write(database, key, before)

    def settle(self, key: str, row: Row) -> None:
        """Record the outcome of an upload."""
        with self.journal.writing() as database:
            self._write(database, key, row)

    def _row_key(self, key: str) -> tuple[str, str, str]:
        return key, self.origin, self.account

    def _find(self, database: sqlite3.Connection, key: str) -> Row | None:
        columns = "state, attempts, image_id, token, reason, at"
        query = f"SELECT {columns} FROM uploads WHERE key=? AND origin=? AND account=? AND at>=?"  # noqa: S608 - constants
        found = database.execute(query, (*self._row_key(key), self.journal.now() - KEPT)).fetchone()
        if found is not None and [type(value) for value in found] != _TYPES:
            raise sqlite3.DatabaseError("it holds what no imgshrink wrote")
        return None if found is None else Row(*found)

    def _write(self, database: sqlite3.Connection, key: str, row: Row) -> None:
        values = (*self._row_key(key), row.state, row.attempts, row.image_id, row.token, row.reason, row.at)
        database.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
