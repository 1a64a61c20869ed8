"""Background threads: they process jobs, renew leases and delete expired files."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

from ..core.errors import Declined, EngineError, MachineTrouble, Unavailable
from ..core.model import DROP, Accept, Judgement, Recipe, Refuse
from ..engines import Engine
from ..image.sniff import sniff
from .blobs import STRAY_SECONDS, BlobStore
from .jobs import Job
from .limits import Limits
from .queue import JobQueue, Leases

log = logging.getLogger("imgshrink.server")

Verify = Callable[[bytes, bytes, Recipe], Judgement]

_POLL_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_JOIN_SECONDS = 2.0
_MESSAGE_LENGTH = 300
_FREE_TRIES = 3
_TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN)
_FAILED_MESSAGE = "the image could not be optimized"


class JobRunner:
    """`jobs` threads that shrink images, one that renews leases, one that deletes expired files.

    Trouble of the machine costs an image no try, at first: one that meets it three times may be the cause of it.
    """

    def __init__(
        self,
        engine: Engine,
        verify: Verify,
        leases: Leases,
        queue: JobQueue,
        blobs: BlobStore,
        limits: Limits,
        jobs: int,
    ) -> None:
        self._engine, self._verify = engine, verify
        self._leases, self._queue, self._blobs, self._limits = leases, queue, blobs, limits
        self._wake = threading.Condition()
        self._stopping, self._stopped = threading.Event(), threading.Event()
        self._held: dict[Job, float] = {}
        self._troubled: Counter[int] = Counter()
        self._workers = [self._thread(self._work, f"work-{number}") for number in range(jobs)]
        self._maintenance = [self._thread(self._renew, "renew"), self._thread(self._sweep, "sweep")]

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=target, name=f"imgshrink-{name}", daemon=True)

    def start(self) -> None:
        """Start all threads."""
        for thread in (*self._workers, *self._maintenance):
            thread.start()

    def notify(self) -> None:
        """Wake an idle thread for a new job."""
        with self._wake:
            self._wake.notify()

    def stop(self, grace: float) -> None:
        """Start no more jobs, wait `grace` seconds for running ones, release the rest and close the engine."""
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()
        _join(self._workers, grace)
        self._engine.close()
        _join(self._workers, _JOIN_SECONDS)
        self._stopped.set()
        _join(self._maintenance, _JOIN_SECONDS)
        for job in list(self._held):
            self._leases.release(job)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                if job := self._leases.lease():
                    self._process(job)
                    continue
            except Exception:
                log.exception("the queue can't be read or written")
            with self._wake:
                if not self._stopping.is_set():
                    self._wake.wait(_POLL_SECONDS)

    def _process(self, job: Job) -> None:
        begun = time.monotonic()
        self._held[job] = begun
        try:
            self._complete(job, self._optimize(job), time.monotonic() - begun)
            self._troubled.pop(job.id, None)
        except EngineError as error:
            if isinstance(error, Unavailable) or (isinstance(error, MachineTrouble) and self._is_free(job)):
                self._requeue(job, error)
            else:
                self._fail(job, str(error) or _FAILED_MESSAGE, final=isinstance(error, (Declined, _FinalFailure)))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _TRANSIENT:
                self._requeue(job, error)
            else:
                log.exception("image %d: unexpected error", job.id)
                self._fail(job, _FAILED_MESSAGE, final=False)
        finally:
            self._held.pop(job, None)

    def _is_free(self, job: Job) -> bool:
        """Return whether another try after trouble of the machine costs nothing; it does if that has come often."""
        self._troubled[job.id] += 1
        return self._troubled[job.id] <= _FREE_TRIES

    def _optimize(self, job: Job) -> bytes:
        data = self._blobs.original(job.original_name).read_bytes()
        info, recipe = sniff(data), Recipe(job.quality, DROP)
        if info is None:
            raise _FinalFailure("the image can't be read")
        judgement = self._verify(data, self._engine.optimize(data, info, recipe), recipe)
        if isinstance(judgement, Refuse):
            raise _FinalFailure(judgement.reason)
        return judgement.data if isinstance(judgement, Accept) else data

    def _complete(self, job: Job, data: bytes, seconds: float) -> None:
        prepared = self._blobs.prepare_result(job.optimized_name, job.token, data)
        place = partial(self._blobs.place_result, prepared, job.optimized_name)
        if not self._leases.complete(job, len(data), seconds, place):
            prepared.unlink(missing_ok=True)
            log.warning("image %d: its lease was lost, its result is discarded", job.id)

    def _fail(self, job: Job, message: str, *, final: bool) -> None:
        if self._stopping.is_set():
            self._leases.release(job)
        elif self._leases.fail(job, message[:_MESSAGE_LENGTH], final=final):
            if final or job.tries >= self._limits.tries:
                self._troubled.pop(job.id, None)
            log.warning("image %d: try %d: %s", job.id, job.tries, message)

    def _requeue(self, job: Job, error: Exception) -> None:
        """Release the job without using up a try, and pause: the cause is the machine, not the image."""
        self._leases.release(job)
        if not self._stopping.wait(_POLL_SECONDS):
            log.warning("image %d: requeued: %s", job.id, error)

    def _renew(self) -> None:
        while not self._stopped.wait(self._limits.lease / 4):
            active = [
                job for job, begun in list(self._held.items()) if time.monotonic() - begun < self._limits.job_seconds
            ]
            try:
                if active:
                    self._leases.renew(active)
            except Exception:
                log.exception("leases can't be renewed")

    def _sweep(self) -> None:
        next_strays = 0.0
        while not self._stopped.is_set():
            try:
                self._sweep_expired()
                if time.monotonic() >= next_strays:
                    self._sweep_strays()
                    next_strays = time.monotonic() + STRAY_SECONDS
            except Exception:
                log.exception("expired files can't be deleted")
            self._stopped.wait(_SWEEP_SECONDS)

    def _sweep_expired(self) -> None:
        while jobs := self._queue.expired():
            for job in jobs:
                self._blobs.remove(job.original_name, job.optimized_name)
            self._queue.forget(jobs)

    def _sweep_strays(self) -> None:
        for path in self._blobs.old_files():
            if not self._queue.knows_file(path.name):
                path.unlink(missing_ok=True)


def _join(threads: Iterable[threading.Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


class _FinalFailure(EngineError):
    """A failure that another try would repeat."""
