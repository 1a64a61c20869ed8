"""A thread that deletes expired jobs with their images, and files that have no job."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from .blobs import ORIGINALS, RESULTS, STRAY_SECONDS, Blobs, StoreTrouble, why
from .jobs import Job
from .queue import JobQueue

log = logging.getLogger("imgshrink.server")

SWEEP_SECONDS = 60.0
MOST_FAILURES = 10
"""Files that can't be deleted until a sweep ends: the store may be away, and each costs seconds then."""


class Sweeper:
    """Sweeps every minute; several nodes may do it at once. `mend` is called with each sweep."""

    def __init__(self, queue: JobQueue, blobs: Blobs, mend: Callable[[], None]) -> None:
        self._queue, self._blobs, self._mend = queue, blobs, mend
        self._stopped = threading.Event()
        self._next_strays = 0.0
        self._failures: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._run, name="imgshrink-sweep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop the thread, and wait so long for its end."""
        self._stopped.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._mend()
                self._sweep_expired()
                if time.monotonic() >= self._next_strays:
                    self._sweep_strays()
                    self._next_strays = time.monotonic() + STRAY_SECONDS
            except Exception:
                log.exception("expired files can't be deleted")
            self._stopped.wait(SWEEP_SECONDS)

    def _sweep_expired(self) -> None:
        while (jobs := self._queue.expired()) and not self._stopped.is_set():
            removed = self._removed(jobs)
            self._queue.forget(removed)
            if len(removed) < len(jobs):
                return

    def _removed(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs whose files are deleted now; those that failed before come last, and many failures end it."""
        removed, failures = [], 0
        for job in sorted(jobs, key=lambda job: self._failures[job.id]):
            if self._is_removed(job):
                removed.append(job)
                self._failures.pop(job.id, None)
                continue
            self._failures[job.id] += 1
            failures += 1
            if failures == MOST_FAILURES:
                break
        return removed

    def _is_removed(self, job: Job) -> bool:
        try:
            self._blobs.remove(ORIGINALS, job.original_name)
            if job.result_name:
                self._blobs.remove(RESULTS, job.result_name)
        except (StoreTrouble, OSError) as error:
            log.warning("image %d: its files can't be deleted: %s", job.id, why(error))
            return False
        return True

    def _sweep_strays(self) -> None:
        for kind, name in self._blobs.strays():
            if not self._queue.knows_file(name):
                self._blobs.remove(kind, name)
