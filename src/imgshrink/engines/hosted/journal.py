"""The durable record of uploads. No upload is made unless it can be recorded first.

One row for each image, API and account. `sending` is written before an
upload, `uploaded` with the image's id at once after its reply, `rejected` when the API refused the image for good.
A row is forgotten only if it is 30 days older than both now and the newest row. `payment` holds the transitions.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from ...core.errors import ImgshrinkError
from ...files.locks import FileLocks
from .payment import DAY, REJECTED, SENDING, UPLOADED, Row

VERSION = 2
KEPT = 30 * DAY
LOCK_TIMEOUT = 5.0

PAGE = 4096
"""Bytes of the smallest whole journal: one page of SQLite's default size."""
MAGIC = b"SQLite format 3\0"

SAME_ID = "gave one image id to two different images, so the result of neither is used"

_TYPES = [str, int, int, str, str, float, str, int]
_COLUMNS = ", ".join(field.name for field in fields(Row))
SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    key TEXT NOT NULL, origin TEXT NOT NULL, account TEXT NOT NULL,
    state TEXT NOT NULL, attempts INTEGER NOT NULL, image_id INTEGER NOT NULL,
    token TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    body TEXT NOT NULL DEFAULT '', delivered INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, origin, account)
) WITHOUT ROWID
"""
_SINCE_VERSION_1 = ("body TEXT NOT NULL DEFAULT ''", "delivered INTEGER NOT NULL DEFAULT 0")


class JournalError(ImgshrinkError):
    """The journal can't be read or written; the text names the file, why, and the cure."""


class Journal:
    """The journal of this user, opened by the first access. Safe for several threads and processes."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._locked = ""
        self.notes: list[str] = []
        """What a person should know about the file, one line each."""

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
            if not self.path.exists() or _is_cut(self.path):
                self._create()
            self._open = self._connect()
        return self._open

    def _create(self) -> None:
        """Create the file; one that was cut to less than a page is renamed first, since its rows are lost."""
        locks = FileLocks(self.path.parent / "claims")
        with locks.hold(f"create {self.path}", deadline=time.monotonic() + LOCK_TIMEOUT, stop=threading.Event()):
            if self.path.exists() and _is_cut(self.path):
                aside = self.path.with_name(f"{self.path.name}.broken-{int(self.now())}")
                self.path.replace(aside)
                self.notes.append(
                    f"the record of uploads was broken and is now {aside}: "
                    "what was paid for before may be uploaded once more"
                )
            if not self.path.exists():
                self.path.touch(mode=0o600)
                self._connect().close()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute(f"PRAGMA page_size={PAGE}")
        with suppress(sqlite3.OperationalError):  # a file system without shared memory keeps the slower journal
            database.execute("PRAGMA journal_mode=WAL")
        # EXTRA syncs the folder too, which matters for the slower journal.
        database.execute("PRAGMA synchronous=EXTRA")
        database.execute("BEGIN IMMEDIATE")
        try:
            self._upgrade(database)
            forgotten = "at < ? AND at < (SELECT max(at) FROM uploads) - ?"
            database.execute(f"DELETE FROM uploads WHERE {forgotten}", (self.now() - KEPT, KEPT))  # noqa: S608 - constants
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _upgrade(self, database: sqlite3.Connection) -> None:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.DatabaseError("a newer imgshrink wrote it")
        database.execute(SCHEMA)
        if version == 1:
            for column in _SINCE_VERSION_1:
                database.execute(f"ALTER TABLE uploads ADD COLUMN {column}")
        database.execute(f"PRAGMA user_version={VERSION}")


def _is_cut(path: Path) -> bool:
    """Whether a file is the start of a database, and shorter than one page."""
    with path.open("rb") as file:
        head = file.read(PAGE)
    return len(head) < PAGE and MAGIC.startswith(head[: len(MAGIC)])


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

    def begin(self, key: str, token: str, *, instead_of: Row | None, body: str = "") -> Row | None:
        """Record that an upload begins, and return its row; None where the row has changed or allows no upload.

        `instead_of` is the row that the caller has read, `body` the hash of the uploaded bytes. A repeated upload keeps
        the token while the outcome of the first is unknown, so that an API that honours idempotency keys makes one job
        of both.
        """
        with self.journal.writing() as database:
            found = self._find(database, key)
            if found != instead_of or (found is not None and (found.spent or found.state == REJECTED)):
                return None
            kept = found.token if found is not None and found.state == SENDING else token
            row = Row(SENDING, (found.attempts if found else 0) + 1, 0, kept, "", self.journal.now(), body)
            self._write(database, key, row)
            return row

    def accept(self, key: str, row: Row) -> Row:
        """Record that the API accepted an upload, and return its row as it is now.

        If another upload of the last day has the same image id and other bytes, both are rejected: one result can't
        belong to two images. Ids of older uploads may be given again, by an API that was set up anew.
        """
        with self.journal.writing() as database:
            others = database.execute(
                "SELECT key FROM uploads WHERE origin=? AND account=? AND key<>? AND image_id=? AND state<>?"
                " AND body NOT IN ('', ?) AND at>=?",
                (self.origin, self.account, key, row.image_id, SENDING, row.body, row.at - DAY),
            ).fetchall()
            for (other,) in others:
                found = self._find(database, other)
                if found is not None:
                    self._write(database, other, replace(found, state=REJECTED, reason=SAME_ID))
            row = replace(row, state=REJECTED, reason=SAME_ID) if others else row
            self._write(database, key, row)
            return row

    def deliver(self, key: str) -> Row | None:
        """Record that the result was downloaded, and return the row as it is now; None where there is none."""
        with self.journal.writing() as database:
            row = self._find(database, key)
            if row is not None and row.state == UPLOADED:
                row = replace(row, delivered=True)
                self._write(database, key, row)
            return row

    def waiting(self) -> int:
        """Return how many images are paid for and were not downloaded yet."""
        with self.journal.reading() as database:
            if database is None:
                return 0
            query = "SELECT count(*) FROM uploads WHERE origin=? AND account=? AND state=? AND delivered=0"
            return int(database.execute(query, (self.origin, self.account, UPLOADED)).fetchone()[0])

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
        # A clock that jumped forward alone forgets nothing: 30 newer days of uploads are needed, too.
        query = (
            f"SELECT {_COLUMNS} FROM uploads WHERE key=? AND origin=? AND account=?"  # noqa: S608 - constants
            " AND NOT (at < ? AND at < (SELECT max(at) FROM uploads) - ?)"
        )
        found = database.execute(query, (*self._row_key(key), self.journal.now() - KEPT, KEPT)).fetchone()
        if found is not None and [type(value) for value in found] != _TYPES:
            raise sqlite3.DatabaseError("it holds what no imgshrink wrote")
        return None if found is None else Row(*found)

    def _write(self, database: sqlite3.Connection, key: str, row: Row) -> None:
        values = (*self._row_key(key), *astuple(row))
        places = ", ".join("?" * len(values))
        names = f"key, origin, account, {_COLUMNS}"
        database.execute(f"INSERT OR REPLACE INTO uploads ({names}) VALUES ({places})", values)  # noqa: S608 - constants
