"""Threads that wait for a network, and that nobody has to wait for: a call that hangs holds up neither run nor exit."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

NAME = "imgshrink-shared"
POLL = 0.1

T = TypeVar("T")
R = TypeVar("R")


def in_threads(
    work: Callable[[T], R], items: Iterable[T], *, threads: int, deadline: float, stop: threading.Event
) -> Generator[tuple[T, R]]:
    """Yield each item with what `work` returns for it, in order of completion, until `deadline` (monotonic seconds).

    `work` must not raise. After the deadline, once `stop` is set or the consumer has stopped, no item is begun, and
    what is still in work is not waited for. At most twice as many results as there are threads wait for the consumer.
    """
    waiting = deque(items)
    expected = len(waiting)
    results: queue.SimpleQueue[tuple[T, R]] = queue.SimpleQueue()
    room = threading.Semaphore(2 * threads)
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            if not room.acquire(timeout=POLL):
                continue
            try:
                item = waiting.popleft()
            except IndexError:
                return
            results.put((item, work(item)))

    for _ in range(min(threads, expected)):
        threading.Thread(target=go_on, name=NAME, daemon=True).start()
    try:
        for _ in range(expected):
            found = _next(results, deadline, stop)
            if found is None:
                return
            yield found
            room.release()
    finally:
        over.set()


def _next(results: queue.SimpleQueue[R], deadline: float, stop: threading.Event) -> R | None:
    while not stop.is_set():
        left = deadline - time.monotonic()
        try:
            return results.get(timeout=min(max(left, 0.001), POLL))
        except queue.Empty:
            if left <= 0:
                return None
    return None


class Behind(Generic[T]):
    """Works on what is added in threads of its own, behind the caller; `work` must not raise.

    At most `most` items wait; what is added beyond is left out.
    """

    def __init__(self, work: Callable[[T], None], *, threads: int, most: int) -> None:
        self._work = work
        self._threads = threads
        self._most = most
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._running = 0

    def add(self, item: T) -> bool:
        """Have `item` worked on; return False if too many wait."""
        with self._changed:
            if len(self._waiting) >= self._most:
                return False
            self._waiting.append(item)
            if self._running < self._threads:
                self._running += 1
                threading.Thread(target=self._go_on, name=NAME, daemon=True).start()
            return True

    def finish(self, seconds: float, stop: threading.Event) -> int:
        """Wait so long for all that was added, not after `stop`; drop the rest, and return how many were dropped."""
        end = time.monotonic() + seconds
        with self._changed:
            while self._running and not stop.is_set() and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, POLL))
            dropped = len(self._waiting) + self._running
            self._waiting.clear()
            return dropped

    def _go_on(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running -= 1
                    self._changed.notify_all()
                    return
                item = self._waiting.popleft()
            self._work(item)
