"""How pgqueuer reaches PostgreSQL: for hours, whatever happens to a connection, and within transactions of ours."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.ports.driver import NotifyCallback
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.exc import OperationalError

from .dispatch import POLL_SECONDS

LISTEN_SECONDS = 1.0

Answer = TypeVar("Answer")
Connect = Callable[[], Awaitable[psycopg.AsyncConnection]]


class Driver(PsycopgDriver):
    """pgqueuer's driver, which connects again where a connection is lost, and listens on one of its own.

    Theirs ends with its connection, and with it the heartbeats of all jobs in work, until the last of these has ended.
    It holds its only connection for up to a second while it listens, and each query waits for that. A query may be
    repeated: a row that was taken without an answer goes to the next who asks, when its heartbeat is old.
    """

    def __init__(self, connection: psycopg.AsyncConnection, connect: Connect, stopping: threading.Event) -> None:
        super().__init__(connection)
        self._connect, self._stopping = connect, stopping
        self._connecting = asyncio.Lock()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Run a query and return its rows."""
        return await self._again(lambda: PsycopgDriver.fetch(self, query, *args))

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement and return its status."""
        return await self._again(lambda: PsycopgDriver.execute(self, query, *args))

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Call `callback` with each notification, as long as the driver is open."""
        self.tm.add(asyncio.create_task(self._listen(channel, callback)))

    async def close(self) -> None:
        """Close the connection, which may be another one than the first."""
        await self._connection.close()

    async def _again(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            used = self._connection
            try:
                return await call()
            except psycopg.Error:
                if self.shutdown.is_set() or self._stopping.is_set() or not used.closed:
                    raise
            await self._reconnect(used)

    async def _reconnect(self, lost: psycopg.AsyncConnection) -> None:
        async with self._connecting:
            if self._connection is not lost:
                return
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(psycopg.Error):
                self._connection = await self._connect()

    async def _listen(self, channel: str, callback: NotifyCallback) -> None:
        while not self.shutdown.is_set():
            with contextlib.suppress(psycopg.Error):
                async with await self._connect() as connection:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    while not self.shutdown.is_set():
                        async for note in connection.notifies(timeout=LISTEN_SECONDS):
                            callback(note.payload)
            await asyncio.sleep(0 if self.shutdown.is_set() else POLL_SECONDS)


class Within:
    """The driver of `SyncQueries` on a connection in a transaction: pgqueuer's own wants one that commits by itself.

    Errors are SQLAlchemy's, as those of all other statements of the transaction.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def fetch(self, query: str, *values: object) -> list[dict[str, object]]:
        """Run a query with the values $1, $2, and return its rows."""
        try:
            cursor = psycopg.RawCursor(self._connection, row_factory=dict_row)
            cursor.execute(query.encode(), values or None)
            return cursor.fetchall()
        except psycopg.Error as error:
            raise OperationalError("pgqueuer", None, error) from error
