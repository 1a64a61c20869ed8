"""The tables of the server's database, the same in SQLite and in PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    extract,
    false,
    func,
    text,
)

metadata = MetaData()

_SERIAL = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a row id of SQLite's


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


def _real(name: str) -> Column[float]:
    return Column(name, Double, nullable=False, server_default=text("0"))


keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("monthly_limit", BigInteger, nullable=False),
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    _flag("apart"),
)
_IN_FORCE = keys.c.revoked.is_(None)
Index("keys_in_force", keys.c.name, unique=True, sqlite_where=_IN_FORCE, postgresql_where=_IN_FORCE)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("key_id", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("accepted", Double, nullable=False),
    Column("format", Text, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("body_digest", Text, nullable=False),
    Column("idempotency", Text),
    Column("original_name", Text, nullable=False, unique=True),
    Column("optimized_name", Text, nullable=False, unique=True),
    Column("original_size", BigInteger, nullable=False),
    _number("optimized_size"),
    Column("state", Text, nullable=False, server_default=text("'queued'")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("token", Integer, nullable=False, server_default=text("0")),
    _real("seconds"),
    Column("expires", Double),
    Column("message", Text, nullable=False, server_default=text("''")),
    Column("result_name", Text),
    _flag("apart"),
    sqlite_autoincrement=True,
)
Index("jobs_by_state", jobs.c.state, jobs.c.id)
Index("jobs_by_end", jobs.c.expires)
_NAMED = jobs.c.idempotency.is_not(None)
Index("jobs_once", jobs.c.key_id, jobs.c.idempotency, unique=True, sqlite_where=_NAMED, postgresql_where=_NAMED)

months = Table(
    "months",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("format", Text, primary_key=True),
    _number("accepted"),
    _number("completed"),
    _number("failed"),
    _number("original_bytes"),
    _number("optimized_bytes"),
    _real("seconds"),
)

storage = Table("storage", metadata, Column("key_id", Text, primary_key=True), _number("bytes"))
"""Bytes of originals and results, for each key: one row for all would have every transaction wait for the others."""

versions = Table("imgshrink_version", metadata, Column("version", Integer, primary_key=True))
"""The version of these tables. SQLite files have it in `PRAGMA user_version` too, as those of version 1 do."""

VERSION = 2

POSTGRESQL_TIME = cast(extract("epoch", func.now()), Double)
"""When the transaction began, in seconds since the epoch, by the clock of the database."""
