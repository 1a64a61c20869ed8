"""What the queue and the leases share: the table of jobs, and how a job gets into the queue."""

from __future__ import annotations

from .database import Database
from .dispatch import Enqueue, Threads
from .limits import Limits


class JobTable:
    """Every method of a subclass is one transaction, safe for threads and for several nodes.

    `enqueue` takes part in each transaction that makes a job `queued`. Times are those of the database.
    """

    def __init__(self, database: Database, limits: Limits, enqueue: Enqueue = Threads.enqueue) -> None:
        self._database, self._limits, self._enqueue = database, limits, enqueue
