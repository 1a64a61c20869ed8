"""The server's database: a SQLite file in its data folder, or PostgreSQL; durable transactions over either."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Double, Engine, create_engine, event, literal, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..core.errors import SettingsError
from .connections import Connections
from .limits import Limits
from .schema import OtherVersion, prepare
from .tables import POSTGRESQL_TIME, VERSION

DatabaseTrouble = SQLAlchemyError
"""Whatever goes wrong with a database: the connection, its time, a statement."""

NAME = "server.sqlite3"
SCALE_EXTRA = 'a PostgreSQL database needs more packages: pip install "imgshrink[server-scale]"'

_BUSY_SECONDS = 30.0
_READERS = Limits().calls
"""Connections for reading a SQLite file: as many as requests that may be in a thread."""

# A server that is gone or silent is an error within seconds, of the connection and of each statement.
POSTGRESQL: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "imgshrink",
    "options": "-c statement_timeout=20s -c lock_timeout=15s -c idle_in_transaction_session_timeout=60s",
}
_POOL = {"pool_size": 8, "max_overflow": 24, "pool_timeout": 10, "pool_pre_ping": True, "pool_recycle": 3600}


class UnusableDatabase(SettingsError):
    """The database can't be opened, or belongs to another program or version; the text names the cure."""


class Database:
    """Tables in a folder's SQLite file, or in the PostgreSQL database of a URL. Safe for threads and processes."""

    def __init__(self, where: Path | str) -> None:
        self.postgresql = postgresql_url(where) if isinstance(where, str) else None
        """The URL for psycopg, with the password; None for SQLite."""
        name = _address(self.postgresql) if self.postgresql else str(Path(where) / NAME)
        try:
            self._engine = _postgresql(self.postgresql) if self.postgresql else _sqlite(Path(where))
            self._connections = Connections(self._engine) if self.postgresql else None
            # SQLite has one writer at a time; its own way of waiting is a poll that lets others pass.
            self._writing: Any = nullcontext() if self.postgresql else threading.RLock()
            self._writer = self._engine.execution_options(begin="IMMEDIATE")
            with self.transaction() as connection:
                prepare(connection)
        except OtherVersion as error:
            raise UnusableDatabase(
                f"{name} was written by another version: update imgshrink, or choose another "
                + ("--database" if self.postgresql else "--data")
            ) from error
        except ModuleNotFoundError as error:
            raise UnusableDatabase(SCALE_EXTRA) from error
        except (DatabaseTrouble, OSError) as error:
            raise UnusableDatabase(f"{name} can't be used: {first_line(error)}") from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit durably at the end, roll back if the block raises; SQLite excludes all other writers meanwhile."""
        with self._writing, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for reading, which waits for no writer; with SQLite it sees one consistent snapshot."""
        with self._engine.connect() as connection:
            yield connection

    def moment(self) -> ColumnElement[float]:
        """Return the time of a statement, in seconds since the epoch, by the one clock that all nodes share.

        It is that of PostgreSQL when the transaction began; a SQLite file has one server, whose clock it is.
        """
        return POSTGRESQL_TIME if self.postgresql else literal(time.time(), Double)

    def now(self, connection: Connection) -> float:
        """Return `moment` as a number."""
        return float(connection.scalar(select(self.moment())) or 0)

    def close(self) -> None:
        """Close all connections; who still waits for PostgreSQL gets `DatabaseTrouble`. May be called twice."""
        self._engine.dispose()
        if self._connections:
            self._connections.abort()


def is_of_earlier_version(folder: Path) -> bool:
    """Whether a folder's database is to be upgraded; one that can't be read is not."""
    path = folder / NAME
    if not os.path.isfile(path):
        return False
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return 0 < int(version) < VERSION
    return False


def postgresql_url(text: str) -> URL:
    """Return the URL of a PostgreSQL database; raises `UnusableDatabase` for other text."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise UnusableDatabase("--database is a URL such as postgresql://user:password@host:5432/imgshrink")
    return url.set(drivername="postgresql+psycopg")


def _address(url: URL) -> str:
    """Return what an operator knows the database by; the rest of a URL may hold a password anywhere."""
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'localhost'}{port}/{url.database}"


def _postgresql(url: URL) -> Engine:
    return create_engine(url, connect_args=POSTGRESQL, hide_parameters=True, **_POOL)


def _sqlite(folder: Path) -> Engine:
    path = folder / NAME
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.chmod(0o600)
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args=arguments,
        hide_parameters=True,
        pool_size=4,
        max_overflow=_READERS,
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401  of either driver
    connection.isolation_level = None  # or the driver begins transactions of its own
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def first_line(error: Exception) -> str:
    """Return the first line of what an error, or the driver's error in it, says; its class if it says nothing."""
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__)
