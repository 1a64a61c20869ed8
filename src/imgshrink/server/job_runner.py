"""Works on leased jobs: reads the image, shrinks and verifies it, stores the result, and records how it ended."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import Counter

from ..core.errors import Declined, EngineError, MachineTrouble, Unavailable
from .blobs import ORIGINALS, RESULTS, Blobs, Missing, discard
from .database import DatabaseTrouble, first_line
from .dispatch import Dispatcher
from .jobs import Job
from .leases import Leases
from .limits import Limits
from .work import Work

log = logging.getLogger("imgshrink.server")

_POLL_SECONDS = 1.0
_JOIN_SECONDS = 2.0
_RELEASE_SECONDS = 5.0
_MESSAGE_LENGTH = 300
_FREE_TRIES = 3
_TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN)
_FAILED_MESSAGE = "the image could not be optimized"
_OVERDUE = "the image took too long"


class JobRunner:
    """Threads that shrink images, `jobs` at once, and one that watches them.

    Trouble of the machine costs an image no try, at first: one that meets it three times may be the cause of it.
    """

    def __init__(
        self, work: Work, leases: Leases, blobs: Blobs, dispatcher: Dispatcher, limits: Limits, jobs: int
    ) -> None:
        self._work, self._leases, self._blobs = work, leases, blobs
        self._dispatcher, self._limits, self._jobs = dispatcher, limits, jobs
        self._stopping, self._stopped = threading.Event(), threading.Event()
        self._held: dict[Job, float] = {}
        self._unrecorded: set[Job] = set()
        self._troubled: Counter[int] = Counter()
        self._watcher = threading.Thread(target=self._watch, name="imgshrink-watch", daemon=True)

    def start(self) -> None:
        """Start all threads."""
        self._watcher.start()
        if self._jobs:
            self._dispatcher.start(self._leases, self.process, self._jobs)

    def stop(self, grace: float) -> None:
        """Start no more jobs, wait `grace` seconds for running ones, release the rest and close the engine.

        Takes no longer than `grace` and some seconds, whatever the database does.
        """
        self._stopping.set()
        self._dispatcher.stop(grace)
        self._work.close()
        self._dispatcher.stop(_JOIN_SECONDS)
        self._stopped.set()
        self._watcher.join(_JOIN_SECONDS)
        # A database that is silent may keep the thread for ever.
        thread = threading.Thread(target=self._release_all, name="imgshrink-release", daemon=True)
        thread.start()
        thread.join(_RELEASE_SECONDS)

    def _release_all(self) -> None:
        """Release what is held until the time is over; what is left goes back to the queue when its lease ends."""
        end = time.monotonic() + _RELEASE_SECONDS
        for job in [*self._held, *self._unrecorded]:
            if time.monotonic() < end:
                self._try_to_release(job)

    def process(self, job: Job) -> None:
        """Do the job and record its end. Raises nothing."""
        begun = time.monotonic()
        self._held[job] = begun
        try:
            self._complete(job, self._work.result(self._original(job), job.quality, apart=job.apart), begun)
            self._troubled.pop(job.id, None)
        except Missing as error:
            log.warning("image %d: %s", job.id, error.where)
            self._fail(job, str(error), final=False)
        except EngineError as error:
            if isinstance(error, Unavailable) or (isinstance(error, MachineTrouble) and self._is_free(job)):
                self._requeue(job, error)
            else:
                self._fail(job, str(error) or _FAILED_MESSAGE, final=isinstance(error, Declined))
        except DatabaseTrouble as error:
            self._requeue(job, error)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _TRANSIENT:
                self._requeue(job, error)
            else:
                log.exception("image %d: unexpected error", job.id)
                self._fail(job, _FAILED_MESSAGE, final=False)
        finally:
            self._held.pop(job, None)

    def _original(self, job: Job) -> bytes:
        return self._blobs.get(ORIGINALS, job.original_name)

    def _is_free(self, job: Job) -> bool:
        """Return whether another try after trouble of the machine costs nothing; it does if that has come often."""
        self._troubled[job.id] += 1
        return self._troubled[job.id] <= _FREE_TRIES

    def _complete(self, job: Job, data: bytes, begun: float) -> None:
        seconds = time.monotonic() - begun
        name = f"{job.optimized_name}.{job.token}"
        self._blobs.put(RESULTS, name, data)
        if not self._recorded(job, name, len(data), seconds):
            discard(self._blobs, RESULTS, name)
            log.warning("image %d: its lease was lost, its result is discarded", job.id)

    def _recorded(self, job: Job, name: str, size: int, seconds: float) -> bool:
        """Complete the job, again and again for the time of a lease where the database is not there."""
        deadline = time.monotonic() + self._limits.lease
        while True:
            try:
                return self._leases.complete(job, name, size, seconds)
            except DatabaseTrouble as error:
                if time.monotonic() >= deadline or self._stopping.wait(_POLL_SECONDS):
                    raise
                log.warning("image %d: its end can't be recorded yet: %s", job.id, type(error).__name__)

    def _fail(self, job: Job, message: str, *, final: bool) -> None:
        if self._stopping.is_set():
            self._try_to_release(job)
            return
        try:
            known = self._leases.fail(job, _storable(message), final=final)
        except DatabaseTrouble as error:
            self._requeue(job, error)
            return
        if known:
            if final or job.tries >= self._limits.tries:
                self._troubled.pop(job.id, None)
            log.warning("image %d: try %d: %s", job.id, job.tries, message)

    def _requeue(self, job: Job, error: Exception) -> None:
        """Release the job without using up a try, and pause: the cause is the machine, not the image."""
        again = self._try_to_release(job, trouble=True)
        if not self._stopping.wait(_POLL_SECONDS):
            end = "requeued" if again else "failed, after it was requeued for too long"
            log.warning("image %d: %s: %s", job.id, end, first_line(error))

    def _try_to_release(self, job: Job, *, trouble: bool = False) -> bool:
        """Release the job, or remember that it is to be released; return whether it may be leased again."""
        again = True
        try:
            if trouble and not self._stopping.is_set():
                again = self._leases.requeue(job)
            else:
                self._leases.release(job)
            self._unrecorded.discard(job)
        except DatabaseTrouble:
            self._unrecorded.add(job)
        return again

    def _watch(self) -> None:
        """End the leases of jobs that take too long, and record what could not be recorded."""
        while not self._stopped.wait(min(_POLL_SECONDS, self._limits.job_seconds / 2)):
            try:
                for job in list(self._unrecorded):
                    self._try_to_release(job)
                self._end_overdue()
            except Exception:
                log.exception("jobs can't be watched")

    def _end_overdue(self) -> None:
        before = time.monotonic() - self._limits.job_seconds
        for job in [job for job, begun in list(self._held.items()) if begun < before]:
            if self._leases.fail(job, _OVERDUE, final=False):
                log.warning("image %d: try %d: %s", job.id, job.tries, _OVERDUE)
                self._dispatcher.notify()


def _storable(message: str) -> str:
    """Return the beginning of the text, without what PostgreSQL does not store: NUL and lone surrogates."""
    return message.replace("\0", "").encode("utf-8", "replace").decode()[:_MESSAGE_LENGTH]
