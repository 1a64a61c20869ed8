"""One worker process: started with pipes, given one task at a time, and judged by how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from ..core import errors
from .environment import program, variables
from .framing import BrokenFrame, receive, send

LEAVE = 1.0
"""Seconds that a process is given to end."""

FAILED = 1
"""The exit code of an interpreter that an exception ended; its traceback says which."""

LONGEST = 200
"""Characters of its last line that are shown."""

_OUT_OF_MEMORY = (b"alloc", b"out of memory", b"MemoryError")
_FAULTS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
CRASHES = frozenset(-getattr(signal, name) for name in _FAULTS if hasattr(signal, name))
"""Exit codes of a process that a fault of its own has ended."""

# https://learn.microsoft.com/openspecs/windows_protocols/ms-erref: Ctrl-C, no memory, commit limit, no DLL
_FAILURES = 0xC0000000
_FROM_OUTSIDE = frozenset({0xC000013A, 0xC0000017, 0xC000012D, 0xC0000142})


class WorkerCrashed(errors.Rejected):
    """A fault of the codec itself ended the worker."""


class WorkerKilled(errors.MachineTrouble):
    """Something outside of the worker ended it in the middle of its task."""


class WorkerTimeout(errors.MachineTrouble):
    """The worker was ended because its task took too long."""


class WorkerMemory(errors.MachineTrouble):
    """The worker ran into its memory limit."""


_RAISED: dict[str, type[errors.EngineError]] = {
    "Declined": errors.Declined,
    "Rejected": errors.Rejected,
    "Unavailable": errors.Unavailable,
    "MachineTrouble": errors.MachineTrouble,
    "MemoryError": WorkerMemory,
}


class Watchdog:
    """Calls `end` after `seconds`, unless it is called off before: then never."""

    def __init__(self, seconds: float, end: Callable[[], None]) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._over = False
        self.fired = False
        self._timer = threading.Timer(seconds, self.fire)
        self._timer.daemon = True
        self._timer.start()

    def fire(self) -> None:
        """End the process, once, unless it was called off."""
        with self._lock:
            if not self._over:
                self._over = self.fired = True
                self._end()

    def call_off(self) -> None:
        """Let nothing happen any more; what has fired has ended the process before this returns."""
        self._timer.cancel()
        with self._lock:
            self._over = True


class WorkerProcess:
    """One process and its pipes. Used by one thread at a time; `kill` is for any thread.

    `usable` tells whether another task may be sent. `seconds` and `memory` (bytes) bound one task. Raises `OSError`
    where no process can be started.
    """

    def __init__(self, table: str, seconds: float, memory: int) -> None:
        self.usable = True
        self._seconds = seconds
        self._memory = memory
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [program(), "-P", "-m", "imgshrink.workers", table, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env=variables(os.environ),
            start_new_session=True,
        )

    def run(self, header: dict[str, object], blobs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Return the blobs of the task; raises its `EngineError`, or the one that says how the worker ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.usable = False
        watchdog = Watchdog(self._seconds, self._process.kill)
        try:
            send(self._process.stdin, header, blobs)
            reply, answers = receive(self._process.stdout)
        except (OSError, ValueError, BrokenFrame) as error:
            raise self._cause_of_death(watchdog) from error
        finally:
            watchdog.call_off()
        self.usable = not watchdog.fired and reply.get("error") != "MemoryError"
        if "error" in reply:
            raise _RAISED.get(str(reply["error"]), errors.Rejected)(self._text(reply))
        return answers

    def kill(self) -> None:
        """Kill the process, from any thread."""
        self._process.kill()

    def terminate(self) -> None:
        """Kill the process if it lives, and close the pipes."""
        self._process.kill()
        self.wait(LEAVE)
        for pipe in (self._process.stdin, self._process.stdout, self._printed):
            with suppress(OSError):  # what was not yet written to a process that is gone
                pipe.close()  # type: ignore[union-attr]  # all of them are pipes

    def shutdown(self) -> None:
        """Close its standard input, which ends an idle worker."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def wait(self, seconds: float) -> int | None:
        """Return the exit code once the process has ended, None where it still runs after `seconds`."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def _text(self, reply: dict[str, object]) -> str:
        return self._too_much() if reply["error"] == "MemoryError" else str(reply.get("text", ""))

    def _too_much(self) -> str:
        return f"needed more than {self._memory // 10**6} MB of memory"

    def _too_long(self) -> str:
        return f"took longer than {self._seconds:g} s"

    def _cause_of_death(self, watchdog: Watchdog) -> errors.EngineError:
        """Say how the worker ended; killed only where it still runs, so that its own exit code is seen."""
        code = self.wait(LEAVE)
        watchdog.call_off()
        self._process.kill()
        if watchdog.fired or _is(code, "SIGALRM"):
            return WorkerTimeout(self._too_long())
        self._printed.seek(0)
        printed = self._printed.read()
        if any(word in printed for word in _OUT_OF_MEMORY):
            return WorkerMemory(self._too_much())
        if code is None or code in CRASHES or (code >= _FAILURES and code not in _FROM_OUTSIDE):
            return WorkerCrashed("the codec crashed")
        if code == FAILED and printed.strip():
            return errors.Unavailable(f"a worker process failed: {_last_line(printed)}")
        return WorkerKilled(f"its worker process was killed ({_named(code)})")


def _last_line(printed: bytes) -> str:
    return printed.decode("utf-8", "replace").strip().splitlines()[-1][:LONGEST]


def _is(code: int | None, name: str) -> bool:
    return code is not None and hasattr(signal, name) and code == -getattr(signal, name)


def _named(code: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"exit code {code}"
