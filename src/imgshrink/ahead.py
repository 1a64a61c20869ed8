"""Work on what a run will need, begun in the background before it."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .asking import Answer, Desk, Task, TaskKey
from .examine import examine
from .model import Source
from .work import Begun, ask, grouped, weight

if TYPE_CHECKING:
    from concurrent.futures import Future

WARM = 8
"""Images: where so many need no work, the run will find little to do."""


class Ahead:
    """Begins while the caller is still busy with something else; the run takes over.

    Only contents that an engine on this machine is asked about first: no byte leaves, nothing is paid. It takes
    `threads` threads, which keep no process alive; what goes wrong in them the run meets again, and tells.
    """

    def __init__(self, sources: Iterable[Source], *, desk: Desk, min_size: int, threads: int) -> None:
        self._desk = desk
        self._min_size = min_size
        self._lock = threading.Lock()
        self._free = threads
        self._over = False
        self._waiting: list[tuple[int, int, Task]] = []
        self._found: set[object] = set()
        self._begun: dict[TaskKey, Future[Answer]] = {}
        _in_background(self._look_at, list(sources))

    def take(self) -> Begun:
        """Begin nothing more; return what is in work or done."""
        with self._lock:
            self._over = True
            return self._begun

    def _look_at(self, sources: Sequence[Source]) -> None:
        for number, source in enumerate(sources):
            if self._is_over() or (number == WARM and not self._found):
                return
            for task in grouped([examine(source, self._min_size)]):
                if self._desk.local(task) and task.key not in self._found and self._desk.look_up(task) is None:
                    self._add(task)

    def _add(self, task: Task) -> None:
        with self._lock:
            heapq.heappush(self._waiting, (-weight(task, self._desk), len(self._found), task))
            self._found.add(task.key)
            hired = bool(self._free)
            self._free -= hired
        if hired:
            _in_background(self._work)

    def _work(self) -> None:
        while begun := self._begin():
            task, future = begun
            try:
                future.set_result(ask(self._desk, task))
            except BaseException as error:  # noqa: BLE001 - whatever it is, somebody waits for this future
                future.set_exception(error)

    def _begin(self) -> tuple[Task, Future[Answer]] | None:
        from concurrent.futures import Future

        with self._lock:
            if self._is_over() or not self._waiting:
                self._free += 1
                return None
            _, _, task = heapq.heappop(self._waiting)
            future = self._begun[task.key] = Future()
            return task, future

    def _is_over(self) -> bool:
        return self._over or self._desk.stop.is_set()


def _in_background(work: Callable[..., None], *arguments: object) -> None:
    def quietly() -> None:
        with suppress(Exception):
            work(*arguments)

    threading.Thread(target=quietly, name="imgshrink ahead", daemon=True).start()
