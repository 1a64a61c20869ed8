"""A pool of worker processes, so that no image can hang, crash or swallow the process that asked.

Not multiprocessing: its spawn imports the caller's `__main__` again, and a script that builds a site without a
`__main__` guard would run twice. Request and reply are a JSON header and raw blobs (`framing`); nothing is unpickled.
"""

from __future__ import annotations

import threading
import time

from ..core import errors
from ..core.resources import WORKER_MEMORY
from .process import LEAVE, WorkerCrashed, WorkerKilled, WorkerMemory, WorkerProcess, WorkerTimeout

__all__ = ["WorkerCrashed", "WorkerKilled", "WorkerMemory", "WorkerPool", "WorkerTimeout"]


class WorkerPool:
    """At most `jobs` processes, started one by one as they are needed; called from any number of threads.

    A task may take `seconds` and `memory` bytes. `table` names the module whose `TASKS` the workers serve.
    """

    def __init__(self, jobs: int, *, seconds: float = 120, memory: int = WORKER_MEMORY, table: str) -> None:
        self.jobs = max(1, jobs)
        self.started = 0
        self._seconds = seconds
        self._memory = memory
        self._table = table
        self._changed = threading.Condition()
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._reserved = False
        self._alone: WorkerProcess | None = None
        self._closed = False

    def call(self, task: str, *blobs: bytes, **options: str | int | float | bool) -> tuple[bytes, ...]:
        """Run `task` in a worker and return its blobs; blocks until one of the workers is free and has answered.

        A worker that crashes, is killed, or runs out of memory or time is replaced: a new one tries again, while no
        other works. Raises the `EngineError` that the task raised; `WorkerCrashed`, a verdict, where the codec crashed
        both times; `MachineTrouble` where the second try ended otherwise; `Unavailable` once the pool is closed.
        """
        header = {"task": task, "options": options, "seconds": self._seconds}
        try:
            return self._run(self._take(), header, blobs)
        except (errors.MachineTrouble, WorkerCrashed) as error:
            first = error
        try:
            return self._run(self._take_alone(), header, blobs)
        except WorkerCrashed as second:
            if isinstance(first, WorkerCrashed):
                raise
            raise WorkerKilled(f"{first}; in a second try {second}") from second

    def stop(self) -> None:
        """Kill every worker at once; callers that wait get `Unavailable`. Final, safe from any thread and twice."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._changed.notify_all()
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.terminate()

    def close(self) -> None:
        """Let idle workers leave, kill the others. Final, safe to call twice."""
        with self._changed:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.shutdown()
        end = time.monotonic() + LEAVE
        for worker in idle:
            worker.wait(max(0.0, end - time.monotonic()))
            worker.terminate()
        self.stop()

    def _run(self, worker: WorkerProcess, header: dict[str, object], blobs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        try:
            return worker.run(header, blobs)
        except errors.ImgshrinkError:
            if self._closed:
                raise errors.Unavailable("interrupted") from None
            raise
        finally:
            self._give_back(worker)

    def _take(self) -> WorkerProcess:
        with self._changed:
            while not self._closed and (self._reserved or (not self._idle and len(self._busy) >= self.jobs)):
                self._changed.wait()
            return self._hold(self._idle.pop() if self._idle else None)

    def _take_alone(self) -> WorkerProcess:
        """Return a new worker, once every other has ended what it was at and has left; none begins until it is back."""
        with self._changed:
            while not self._closed and self._reserved:
                self._changed.wait()
            self._reserved = True
            try:
                while not self._closed and self._busy:
                    self._changed.wait()
                idle, self._idle = self._idle, []
                for worker in idle:
                    worker.terminate()
                self._alone = self._hold(None)
            except BaseException:
                self._end_alone()
                raise
            return self._alone

    def _hold(self, worker: WorkerProcess | None) -> WorkerProcess:
        """Return `worker`, or a new one, as busy; raises `Unavailable` where none can be."""
        if self._closed:
            raise errors.Unavailable("interrupted")
        if worker is None:
            try:
                worker = WorkerProcess(self._table, self._seconds, self._memory)
            except OSError as error:
                raise errors.Unavailable(f"no worker process could be started: {error}") from error
            self.started += 1
        self._busy.add(worker)
        return worker

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._changed:
            self._busy.discard(worker)
            if worker is self._alone:
                self._end_alone()
            reuse = worker.usable and not self._closed
            if reuse:
                self._idle.append(worker)
            self._changed.notify_all()
        if not reuse:
            worker.terminate()

    def _end_alone(self) -> None:
        self._reserved, self._alone = False, None
        self._changed.notify_all()
