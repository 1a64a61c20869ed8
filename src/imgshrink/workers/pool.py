"""A pool of worker processes, so that no picture can hang, crash or swallow the process that asked.

Not multiprocessing: its spawn imports the caller's `__main__` again, and a script that builds a site without a
`__main__` guard would run twice. Request and reply are a JSON header and raw blobs (`frames`); nothing is unpickled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO

from ..core import errors
from .framing import BrokenFrame, receive, send

MEMORY = 1536 * 1024 * 1024
"""Bytes of memory that one worker may take, where the system can enforce it (Linux)."""

_GLIBC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}
"""One heap, which buffers of up to 32 MB come from and go back to: else a twentieth of the time goes into new pages."""

_LEAVE = 1.0
_OUT_OF_MEMORY = (b"alloc", b"out of memory", b"MemoryError")


class WorkerDied(errors.Rejected):
    """The worker ended in the middle of its task."""


class WorkerTimeout(errors.Rejected):
    """The worker was ended because its task took too long."""


class WorkerMemory(errors.Rejected):
    """The worker ran into its memory limit."""


_RAISED: dict[str, type[errors.EngineError]] = {
    "Declined": errors.Declined,
    "Rejected": errors.Rejected,
    "Unavailable": errors.Unavailable,
    "MemoryError": WorkerMemory,
}


class WorkerPool:
    """At most `jobs` processes, started one by one as they are needed; called from any number of threads."""

    def __init__(self, jobs: int, *, seconds: float = 120, memory: int = MEMORY, table: str) -> None:
        self.jobs = max(1, jobs)
        self.started = 0
        self._seconds = seconds
        self._memory = memory
        self._table = table
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def call(self, task: str, *blobs: bytes, **options: str | int | float | bool) -> tuple[bytes, ...]:
        """Run `task` in a worker and return its blobs; blocks until one of the workers is free and has answered.

        A worker that runs out of memory may have lost it to earlier tasks: a new one tries again. Raises the
        `EngineError` that the task raised, `WorkerDied`, `WorkerTimeout` or `WorkerMemory` for a worker that ended, and
        `Unavailable` once the pool is closed.
        """
        header = {"task": task, "options": options, "seconds": self._seconds}
        worker = self._take()
        try:
            return self._run(worker, header, blobs)
        except WorkerMemory:
            if worker.tasks == 1:
                raise
        return self._run(self._take(new=True), header, blobs)

    def _run(self, worker: _Worker, header: dict[str, object], blobs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        try:
            return worker.run(header, blobs)
        except errors.ImgshrinkError:
            if self._closed:
                raise errors.Unavailable("interrupted") from None
            raise
        finally:
            self._give_back(worker)

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
        end = time.monotonic() + _LEAVE
        for worker in idle:
            worker.wait(max(0.0, end - time.monotonic()))
            worker.terminate()
        self.stop()

    def _take(self, *, new: bool = False) -> _Worker:
        with self._changed:
            while not self._closed and not self._idle and len(self._busy) >= self.jobs:
                self._changed.wait()
            if self._closed:
                raise errors.Unavailable("interrupted")
            if new and self._idle:
                self._idle.pop().terminate()
            worker = self._idle.pop() if self._idle and not new else self._start()
            self._busy.add(worker)
            return worker

    def _start(self) -> _Worker:
        try:
            worker = _Worker(self._table, self._seconds, self._memory)
        except OSError as error:
            raise errors.Unavailable(f"no worker process could be started: {error}") from error
        self.started += 1
        return worker

    def _give_back(self, worker: _Worker) -> None:
        with self._changed:
            self._busy.discard(worker)
            reuse = worker.usable and not self._closed
            if reuse:
                self._idle.append(worker)
            self._changed.notify()
        if not reuse:
            worker.terminate()


class _Worker:
    """One process and its pipes. Used by one thread at a time, which buries it; `kill` is for any thread."""

    def __init__(self, table: str, seconds: float, memory: int) -> None:
        self.usable = True
        self.tasks = 0
        self._seconds = seconds
        self._memory = memory
        self._late = False
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "imgshrink.workers", table, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_environment(),
            start_new_session=True,
        )

    def run(self, header: dict[str, object], blobs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.usable = False
        self.tasks += 1
        watchdog = threading.Timer(self._seconds, self._end_late)
        watchdog.daemon = True
        watchdog.start()
        try:
            send(self._process.stdin, header, blobs)
            reply, answers = receive(self._process.stdout)
        except (OSError, ValueError, BrokenFrame) as error:
            raise self._cause_of_death() from error
        finally:
            watchdog.cancel()
        self.usable = not self._late and reply.get("error") != "MemoryError"
        if "error" in reply:
            raise _RAISED.get(str(reply["error"]), errors.Rejected)(self._text(reply))
        return answers

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        """Kill the process if it lives, and close the pipes."""
        self._process.kill()
        self.wait(_LEAVE)
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            with suppress(OSError):  # what was not yet written to a process that is gone
                pipe.close()  # type: ignore[union-attr]  # all of them are pipes

    def shutdown(self) -> None:
        """Close its standard input, which ends an idle worker."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()

    def _text(self, reply: dict[str, object]) -> str:
        return self._too_much() if reply["error"] == "MemoryError" else str(reply.get("text", ""))

    def _too_much(self) -> str:
        return f"needed more than {self._memory // 10**6} MB of memory"

    def _cause_of_death(self) -> errors.EngineError:
        self._process.kill()
        self.wait(_LEAVE)
        if self._late:
            return WorkerTimeout(f"took longer than {self._seconds:g} s")
        self._said.seek(0)
        if any(word in self._said.read() for word in _OUT_OF_MEMORY):
            return WorkerMemory(self._too_much())
        return WorkerDied("the codec crashed")


def _environment() -> dict[str, str]:
    """The child's environment: no secrets, one thread a codec (the workers are the parallelism), memory reused."""
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("TINYJPG_")}
    single = {"VIPS_CONCURRENCY": "1", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "VIPS_WARNING": "0"}
    return environment | single | _GLIBC
