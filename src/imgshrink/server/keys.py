"""API keys: shown once, kept as hashes, revoked but never forgotten."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core.errors import SettingsError
from .database import Database
from .limits import MONTHLY_LIMIT
from .usage import month_of, used

_SECRET = re.compile(r"imgshrink_([0-9a-f]{12})_[0-9A-Za-z_-]{43}")
_NAME = re.compile(r"[\w.@-][\w.@ -]{0,62}[\w.@-]|[\w.@-]")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


class KeyProblem(SettingsError):
    """A key can't be added or revoked; the text says why and what to do."""


@dataclass(frozen=True)
class Key:
    """One API key, without the secret. `monthly_limit` is images; times are seconds since the epoch."""

    id: str
    name: str
    monthly_limit: int
    created: float
    revoked: float | None
    used: int = 0


class Keys:
    """The keys of one server. The secret is random and long, so its plain SHA-256 can't be guessed back."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, monthly_limit: int = MONTHLY_LIMIT) -> str:
        """Make a key and return it; it can't be shown again. Raises `KeyProblem` for a name that can't be used."""
        if not _NAME.fullmatch(name):
            raise KeyProblem("a key's name is 1 to 64 letters, digits, spaces and . _ @ -")
        if not 0 <= monthly_limit <= 10**12:
            raise KeyProblem("a key's monthly limit is 0 or more images")
        number = secrets.token_hex(6)
        secret = f"imgshrink_{number}_{secrets.token_urlsafe(32)}"
        row = (number, name, _digest(secret), monthly_limit, self._clock())
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT INTO keys (id, name, digest, monthly_limit, created) VALUES (?, ?, ?, ?, ?)", row
                )
        except sqlite3.IntegrityError as error:
            raise KeyProblem(f"there is a key named {name} already: revoke it first, or choose another name") from error
        return secret

    def listed(self) -> list[Key]:
        """Every key there ever was, in order of creation, with what it has used this month."""
        month = month_of(self._clock())
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM keys ORDER BY created, id").fetchall()
            return [_key(row, used(connection, row["id"], month)) for row in rows]

    def revoke(self, name: str) -> None:
        """Make a key worthless from now on, also for a server that runs. Raises `KeyProblem` where there is none."""
        with self._database.transaction() as connection:
            statement = "UPDATE keys SET revoked = ? WHERE name = ? AND revoked IS NULL"
            if not connection.execute(statement, (self._clock(), name)).rowcount:
                raise KeyProblem(f"there is no key named {name} in force: imgshrink server keys list shows all")

    def check(self, secret: str) -> Key | None:
        """Return the key in force that `secret` opens, or None; how long it takes says nothing about the hash."""
        match = _SECRET.fullmatch(secret)
        number = match[1] if match else ""
        with self._database.reading() as connection:
            row = connection.execute("SELECT * FROM keys WHERE id = ? AND revoked IS NULL", (number,)).fetchone()
        right = hmac.compare_digest(_digest(secret), row["digest"] if row else _NOBODY)
        return _key(row) if row and right else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: sqlite3.Row, spent: int = 0) -> Key:
    return Key(row["id"], row["name"], row["monthly_limit"], row["created"], row["revoked"], spent)
