"""API keys: shown once, stored as hashes, revoked but never deleted."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..core.errors import SettingsError
from .database import Database
from .limits import MONTHLY_LIMIT
from .tables import keys
from .usage import month_of, used

_SECRET = re.compile(r"imgshrink_([0-9a-f]{12})_[0-9A-Za-z_-]{43}")
_NAME = re.compile(r"[\w.@-][\w.@ -]{0,62}[\w.@-]|[\w.@-]")
_NO_DIGEST = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


class KeyAdminError(SettingsError):
    """A key can't be added or revoked; the text names the reason and the cure."""


@dataclass(frozen=True)
class Key:
    """One API key, without the secret. `monthly_limit` is images; times are seconds since the epoch.

    Images of a key that is `apart` are neither looked up in a shared cache nor added to it.
    """

    id: str
    name: str
    monthly_limit: int
    created: float
    revoked: float | None
    used: int = 0
    apart: bool = False


class Keys:
    """The keys of one server. Secrets have 256 random bits, so a plain SHA-256 of them can't be reversed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, monthly_limit: int = MONTHLY_LIMIT, *, apart: bool = False) -> str:
        """Create a key and return its secret, which is shown only now. Raises `KeyAdminError` for an invalid name."""
        if not _NAME.fullmatch(name):
            raise KeyAdminError("a key's name is 1 to 64 letters, digits, spaces and . _ @ -")
        if not 0 <= monthly_limit <= 10**12:
            raise KeyAdminError("a key's monthly limit is 0 or more images")
        number = secrets.token_hex(6)
        secret = f"imgshrink_{number}_{secrets.token_urlsafe(32)}"
        row = {"id": number, "name": name, "digest": _digest(secret), "monthly_limit": monthly_limit, "apart": apart}
        try:
            with self._database.transaction() as connection:
                connection.execute(insert(keys).values(**row, created=self._database.moment()))
        except IntegrityError as error:
            raise KeyAdminError(
                f"there is a key named {name} already: revoke it first, or choose another name"
            ) from error
        return secret

    def all(self) -> list[Key]:
        """Return all keys in order of creation, revoked ones too, with their use in this month."""
        with self._database.reading() as connection:
            month = month_of(self._database.now(connection))
            rows = connection.execute(select(keys).order_by(keys.c.created, keys.c.id)).mappings().all()
            return [_key(row, used(connection, row["id"], month)) for row in rows]

    def revoke(self, name: str) -> None:
        """Revoke a key at once, for a running server too. Raises `KeyAdminError` if no key in force has this name."""
        with self._database.transaction() as connection:
            in_force = update(keys).where(keys.c.name == name, keys.c.revoked.is_(None))
            if not connection.execute(in_force.values(revoked=self._database.moment())).rowcount:
                raise KeyAdminError(f"there is no key named {name} in force: imgshrink server keys list shows all")

    def check(self, secret: str) -> Key | None:
        """Return the key in force with this secret, or None; the hashes are compared in constant time."""
        match = _SECRET.fullmatch(secret)
        number = match[1] if match else ""
        with self._database.reading() as connection:
            found = select(keys).where(keys.c.id == number, keys.c.revoked.is_(None))
            row = connection.execute(found).mappings().first()
        equal = hmac.compare_digest(_digest(secret), row["digest"] if row else _NO_DIGEST)
        return _key(row) if row and equal else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: RowMapping, used: int = 0) -> Key:
    return Key(row["id"], row["name"], row["monthly_limit"], row["created"], row["revoked"], used, row["apart"])
