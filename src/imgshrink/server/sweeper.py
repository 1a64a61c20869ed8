"""A thread that deletes expired jobs with their images, and files that have no job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .blobs import ORIGINALS, RESULTS, STRAY_SECONDS, Blobs
from .jobs import Job
from .queue import JobQueue

log = logging.getLogger("imgshrink.server")

SWEEP_SECONDS = 60.0


class Sweeper:
    """Sweeps every minute; several nodes may do it at once. `mend` is called with each sweep."""

    def __init__(self, queue: JobQueue, blobs: Blobs, mend: Callable[[], None]) -> None:
        self._queue, self._blobs, self._mend = queue, blobs, mend
        self._stopped = threading.Event()
        self._next_strays = 0.0
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
            for job in jobs:
                self._remove(job)
            self._queue.forget(jobs)

    def _remove(self, job: Job) -> None:
        self._blobs.remove(ORIGINALS, job.original_name)
        if job.result_name:
            self._blobs.remove(RESULTS, job.result_name)

    def _sweep_strays(self) -> None:
        for kind, name in self._blobs.strays():
            if not self._queue.knows_file(name):
                self._blobs.remove(kind, name)
