"""Dispatches jobs by pgqueuer, over PostgreSQL. Needs the extra `server-scale`.

pgqueuer hands each row of its own table to one node, and to another one where that node's heartbeats stop. That a job
ends once is not its business: two nodes may work on a job, and the token of its lease decides (`leases`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, cast

import psycopg
from pgqueuer import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Row
from pgqueuer.queries import SyncQueries
from sqlalchemy import URL, Connection, text

from .daemon_thread import in_daemon_thread
from .database import POSTGRESQL, Database, DatabaseTrouble, UnusableDatabase, first_line
from .dispatch import POLL_SECONDS
from .jobs import Job
from .leases import Leases
from .pgdriver import Driver, Within

log = logging.getLogger("imgshrink.server")

ENTRYPOINT = "imgshrink"

# A job without a row: its node recorded nothing, and another one that had been taken for dead deleted the row.
# Two nodes that look at once must not both put it back.
ORPHANS_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
ORPHANS = text(
    "SELECT id FROM jobs WHERE state IN ('queued', 'leased') AND NOT EXISTS"
    " (SELECT FROM pgqueuer WHERE entrypoint = :entrypoint AND payload = convert_to(jobs.id::text, 'UTF8'))"
    " ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED"
)
# pgqueuer writes three lines for each job and deletes none.
OLD_LINES = text(
    "DELETE FROM pgqueuer_log WHERE id IN"
    " (SELECT id FROM pgqueuer_log WHERE created < now() - interval '1 hour' ORDER BY id LIMIT 20000)"
)
_PREPARE, _MENDING = 0x696D6774, 0x696D6775
"""The advisory locks under which one node makes pgqueuer's tables, and looks for lost jobs; next to that for ours."""

_TOGETHER = 500


class PgQueue:
    """The `Dispatcher` of many nodes. `lease` is how many seconds without a heartbeat make a node dead."""

    def __init__(self, url: URL, lease: float) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._heartbeat = timedelta(seconds=lease)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._manager: QueueManager | None = None

    def prepare(self) -> None:
        """Create or upgrade pgqueuer's tables; of several nodes one does it while the others wait.

        Raises `UnusableDatabase`.
        """
        try:
            asyncio.run(self._prepare())
        except psycopg.Error as error:
            raise UnusableDatabase(f"the tables of pgqueuer can't be made: {first_line(error)}") from error

    async def _prepare(self) -> None:
        async with await self._connect() as connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", (_PREPARE,))
            queries = Queries.from_psycopg_connection(connection)
            if await queries.schema_is_installed():
                await queries.upgrade()
            else:
                await queries.install()

    def enqueue(self, connection: Connection, number: int) -> None:
        """Put a job into pgqueuer's table, within the transaction; its trigger wakes the nodes."""
        _enqueue(connection, [number])

    def mend(self, database: Database) -> None:
        """Put jobs into the queue that have no row there, after a rare double failure or a migration; tidy up."""
        with database.transaction() as connection:
            connection.execute(ORPHANS_LOCK, {"key": _MENDING})
            lost = connection.execute(ORPHANS, {"entrypoint": ENTRYPOINT}).scalars().all()
            for start in range(0, len(lost), _TOGETHER):
                _enqueue(connection, lost[start : start + _TOGETHER])
        with database.transaction() as connection:
            connection.execute(OLD_LINES)

    def notify(self) -> None:
        """Do nothing: the database notifies all nodes."""

    def start(self, leases: Leases, work: Callable[[Job], None], jobs: int) -> None:
        """Start the thread that takes jobs; each is worked on in a thread of its own, `jobs` at once."""
        working: set[int] = set()

        def process(number: int) -> None:
            if number in working:  # a second row of it: to lease it again would end the work that goes on
                raise RetryRequested(self._heartbeat, "it is in work here")
            working.add(number)
            try:
                if job := self._lease(leases, number):
                    work(job)
            finally:
                working.discard(number)

        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(process, jobs)), name="imgshrink-dispatch", daemon=True
        )
        self._thread.start()

    def _lease(self, leases: Leases, number: int) -> Job | None:
        """Lease a job, however long the database takes to come back."""
        while True:
            try:
                return leases.lease(number)
            except DatabaseTrouble as error:
                log.warning("image %d: can't be leased yet: %s", number, type(error).__name__)
                if self._stopping.wait(POLL_SECONDS):
                    raise

    def stop(self, seconds: float) -> None:
        """Take no more jobs, and wait so long for those begun."""
        self._stopping.set()
        if self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._shut_down)
        self._thread.join(seconds)

    def _shut_down(self) -> None:
        if self._manager is not None:
            self._manager.shutdown.set()

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, **POSTGRESQL)

    async def _serve(self, process: Callable[[int], None], jobs: int) -> None:
        self._loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(jobs)
        while not self._stopping.is_set():
            try:
                driver = Driver(await self._connect(), self._connect, self._stopping)
                try:
                    await self._dispatch(driver, process, jobs, places)
                finally:
                    await driver.close()
            except Exception:
                log.exception("the queue can't be read or written")
                await asyncio.sleep(POLL_SECONDS)

    async def _dispatch(
        self, driver: Driver, process: Callable[[int], None], jobs: int, places: asyncio.Semaphore
    ) -> None:
        manager = QueueManager(Queries(driver))

        async def run(row: Row) -> None:
            async with places:
                if self._stopping.is_set():
                    raise RetryRequested(timedelta(0), "this node ends")
                number = int(bytes(row.payload or b"0"))
                await in_daemon_thread(partial(process, number), f"imgshrink-work-{number}")

        manager.entrypoint(ENTRYPOINT, accepts_context=False)(run)
        self._manager = manager
        if self._stopping.is_set():
            return
        batch = max(1, jobs // 2)
        await manager.run(
            dequeue_timeout=timedelta(seconds=POLL_SECONDS),
            batch_size=batch,
            max_concurrent_tasks=max(2 * batch, jobs),
            heartbeat_timeout=self._heartbeat,
            log_aggregation_interval=timedelta(0),
        )


def _enqueue(connection: Connection, numbers: Sequence[int]) -> None:
    raw = cast("psycopg.Connection", connection.connection.driver_connection)
    payloads: list[bytes | None] = [str(number).encode("ascii") for number in numbers]
    SyncQueries(cast("Any", Within(raw))).enqueue([ENTRYPOINT] * len(payloads), payloads, [0] * len(payloads))
