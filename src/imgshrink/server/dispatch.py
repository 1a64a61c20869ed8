"""Who works on which job: the Protocol, and threads that take the oldest one from the table of jobs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection

from .jobs import Job

if TYPE_CHECKING:
    from .leases import Leases

log = logging.getLogger("imgshrink.server")

POLL_SECONDS = 1.0

Enqueue = Callable[[Connection, int], None]
"""Puts the job with this number into the queue, within a transaction that makes its state `queued`."""


class Dispatcher(Protocol):
    """Hands each queued job to one thread; again if the node of that thread is gone, until the job has ended."""

    def enqueue(self, connection: Connection, number: int) -> None:
        """Put a job into the queue, within the transaction of `connection`."""

    def notify(self) -> None:
        """Wake an idle thread: a job was enqueued."""

    def start(self, leases: Leases, work: Callable[[Job], None], jobs: int) -> None:
        """Call `work` with leased jobs, in at most `jobs` threads. `work` raises nothing."""

    def stop(self, seconds: float) -> None:
        """Begin no more jobs, and wait so long for those begun. May be called again, to wait longer."""


class Threads:
    """The `Dispatcher` of a server that alone works on its database: the oldest job first."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    @staticmethod
    def enqueue(connection: Connection, number: int) -> None:
        """Do nothing: the state of a job is its place in the queue."""

    def notify(self) -> None:
        """Wake an idle thread."""
        with self._wake:
            self._wake.notify()

    def start(self, leases: Leases, work: Callable[[Job], None], jobs: int) -> None:
        """Return the jobs of a server that died to the queue, and start the threads."""
        leases.recover()
        self._threads = [
            threading.Thread(target=self._run, args=(leases, work), name=f"imgshrink-work-{number}", daemon=True)
            for number in range(jobs)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """Let the threads end after their job, and wait so long for it."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        join(self._threads, seconds)

    def _run(self, leases: Leases, work: Callable[[Job], None]) -> None:
        while not self._stopping:
            try:
                if job := leases.lease_oldest():
                    work(job)
                    continue
            except Exception:
                log.exception("the queue can't be read or written")
            with self._wake:
                if not self._stopping:
                    self._wake.wait(POLL_SECONDS)


def join(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Wait so long, together, for the ends of threads."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
