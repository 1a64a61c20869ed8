"""The worker process: reads tasks from standard input, answers on standard output. Started by `WorkerPool`."""

from __future__ import annotations

import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from ..core import errors
from .framing import BrokenFrame, receive, send

Request = tuple[dict[str, object], tuple[bytes, ...]]

_GRACE = 10
SYSTEM_ERROR = "system error: "  # https://www.libvips.org/API/current/func.error_system.html


def main(table: str, memory: int) -> None:
    """Serve the tasks of the module `table` within `memory` bytes."""
    answers = _own_standard_output()
    _limit_memory(memory)
    # Before there is a thread: an interpreter that ends while one reads standard input aborts, as a crashed codec does.
    tasks = importlib.import_module(table).TASKS
    requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests, busy), daemon=True).start()
    while _serve(requests.get(), tasks, answers, busy):
        pass


def _serve(request: Request | None, tasks: dict[str, object], answers: IO[bytes], busy: threading.Event) -> bool:
    """Answer one request, False for none; a function, so that none of its images stays in memory until the next."""
    if request is None:
        return False
    header, blobs = request
    _set_alarm(float(str(header["seconds"])) + _GRACE)
    reply, results = _answer(tasks, header, blobs)
    _set_alarm(0)
    busy.clear()
    send(answers, reply, results)
    return True


def _listen(stream: IO[bytes], requests: queue.SimpleQueue[Request | None], busy: threading.Event) -> None:
    """Pass requests on, keep none; when the parent is gone, end: at once from the middle of a task, else in order."""
    try:
        while True:
            requests.put(_busy_with(receive(stream), busy))
    except (BrokenFrame, OSError):
        if busy.is_set():
            os._exit(1)
        requests.put(None)


def _busy_with(request: Request, busy: threading.Event) -> Request:
    busy.set()
    return request


def _answer(
    tasks: dict[str, object], header: dict[str, object], blobs: Sequence[bytes]
) -> tuple[dict[str, object], Sequence[bytes]]:
    try:
        task = tasks[str(header["task"])]
        assert callable(task)
        return {}, task(*blobs, **_options(header))
    except errors.EngineError as error:
        return {"error": type(error).__name__, "text": str(error)}, ()
    except BaseException as error:  # noqa: BLE001 - a Rust panic is no Exception; whatever it is, the worker lives on
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            return {"error": "MemoryError"}, ()
        if isinstance(error, ImportError):
            return {"error": "Unavailable", "text": _first_line(error)}, ()
        if _is_of_the_system(error):
            return {"error": "MachineTrouble", "text": " ".join(str(error).split())}, ()
        return {"error": "Rejected", "text": _first_line(error)}, ()


def _options(header: dict[str, object]) -> dict[str, object]:
    options = header["options"]
    assert isinstance(options, dict)
    return options


def _is_of_the_system(error: BaseException) -> bool:
    """Whether the system refused something, such as room for a temporary file; libvips says so in words alone."""
    return (isinstance(error, OSError) and error.errno is not None) or SYSTEM_ERROR in str(error)


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__


def _own_standard_output() -> IO[bytes]:
    """Keep the pipe for answers and point standard output at standard error: a codec that prints breaks no frame."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _set_alarm(seconds: float) -> None:
    """Let the kernel end a codec that hangs with the interpreter locked when no parent is left to do it; 0 cancels."""
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(memory: int) -> None:
    """Linux only: elsewhere the system does not enforce such a limit."""
    if sys.platform == "linux":
        import resource

        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        main(sys.argv[1], int(sys.argv[2]))
