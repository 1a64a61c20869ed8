"""The threads behind the requests: they begin jobs, keep their leases alive, and sweep what is over."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial

from ..core.errors import Declined, EngineError, Unavailable
from ..core.model import DROP, Accept, Judgement, Recipe, Refuse
from ..engines import Engine
from ..image.sniff import sniff
from .blobs import STRAY_SECONDS, Folder
from .jobs import Job
from .limits import Limits
from .queue import Leases, Store

log = logging.getLogger("imgshrink.server")

Verify = Callable[[bytes, bytes, Recipe], Judgement]

_LOOK = 1.0
_SWEEP = 60.0
_LEAVE = 2.0
_LONGEST = 300
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EAGAIN)
_BROKEN = "the image could not be optimized"


class JobRunner:
    """`jobs` threads that make images smaller, one that renews leases, one that sweeps."""

    def __init__(
        self, engine: Engine, verify: Verify, leases: Leases, store: Store, folder: Folder, limits: Limits, jobs: int
    ) -> None:
        self._engine, self._verify = engine, verify
        self._leases, self._store, self._folder, self._limits = leases, store, folder, limits
        self._wake = threading.Condition()
        self._stopping, self._stopped = threading.Event(), threading.Event()
        self._held: dict[Job, float] = {}
        self._workers = [self._thread(self._work, f"work-{number}") for number in range(jobs)]
        self._keepers = [self._thread(self._renew, "renew"), self._thread(self._sweep, "sweep")]

    def _thread(self, target: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=target, name=f"imgshrink-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        for thread in (*self._workers, *self._keepers):
            thread.start()

    def notify(self) -> None:
        """Tell an idle thread that there is a new job."""
        with self._wake:
            self._wake.notify()

    def stop(self, grace: float) -> None:
        """Begin nothing more, give what runs `grace` seconds, then hand it back and let the engine go."""
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()
        _join(self._workers, grace)
        self._engine.close()
        _join(self._workers, _LEAVE)
        self._stopped.set()
        _join(self._keepers, _LEAVE)
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
                    self._wake.wait(_LOOK)

    def _process(self, job: Job) -> None:
        begun = time.monotonic()
        self._held[job] = begun
        try:
            self._complete(job, self._optimized(job), time.monotonic() - begun)
        except EngineError as error:
            if isinstance(error, Unavailable):
                self._put_off(job, error)
            else:
                self._failed(job, str(error) or _BROKEN, final=isinstance(error, (Declined, _Refused)))
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _PASSING:
                self._put_off(job, error)
            else:
                log.exception("image %d: unexpected trouble", job.id)
                self._failed(job, _BROKEN, final=False)
        finally:
            self._held.pop(job, None)

    def _optimized(self, job: Job) -> bytes:
        data = self._folder.original(job.original_name).read_bytes()
        info, recipe = sniff(data), Recipe(job.quality, DROP)
        if info is None:
            raise _Refused("the image can't be read")
        judgement = self._verify(data, self._engine.optimize(data, info, recipe), recipe)
        if isinstance(judgement, Refuse):
            raise _Refused(judgement.reason)
        return judgement.data if isinstance(judgement, Accept) else data

    def _complete(self, job: Job, data: bytes, seconds: float) -> None:
        prepared = self._folder.prepare_result(job.optimized_name, job.token, data)
        place = partial(self._folder.place_result, prepared, job.optimized_name)
        if not self._leases.complete(job, len(data), seconds, place):
            prepared.unlink(missing_ok=True)
            log.warning("image %d: its lease went to somebody else, this result is dropped", job.id)

    def _failed(self, job: Job, message: str, *, final: bool) -> None:
        if self._stopping.is_set():
            self._leases.release(job)
        elif self._leases.fail(job, message[:_LONGEST], final=final):
            log.warning("image %d: try %d: %s", job.id, job.tries, message)

    def _put_off(self, job: Job, error: Exception) -> None:
        """Give the image back, and the machine a moment: it is no fault of the image, and no try of it is used up."""
        self._leases.release(job)
        if not self._stopping.wait(_LOOK):
            log.warning("image %d: put off: %s", job.id, error)

    def _renew(self) -> None:
        while not self._stopped.wait(self._limits.lease / 4):
            alive = [
                job for job, begun in list(self._held.items()) if time.monotonic() - begun < self._limits.job_seconds
            ]
            try:
                if alive:
                    self._leases.renew(alive)
            except Exception:
                log.exception("leases can't be renewed")

    def _sweep(self) -> None:
        strays = 0.0
        while not self._stopped.is_set():
            try:
                self._sweep_expired()
                if time.monotonic() >= strays:
                    self._sweep_strays()
                    strays = time.monotonic() + STRAY_SECONDS
            except Exception:
                log.exception("old results can't be swept")
            self._stopped.wait(_SWEEP)

    def _sweep_expired(self) -> None:
        while jobs := self._store.expired():
            for job in jobs:
                self._folder.remove(job.original_name, job.optimized_name)
            self._store.forget(jobs)

    def _sweep_strays(self) -> None:
        for path in self._folder.old():
            if not self._store.knows_file(path.name):
                path.unlink(missing_ok=True)


def _join(threads: Iterable[threading.Thread], seconds: float) -> None:
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


class _Refused(EngineError):
    """A verdict that another try would only repeat."""
