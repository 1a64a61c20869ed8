"""Asking for many contents at once, in threads: what takes longest first; some may be begun before their run."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .asking import Answer, Desk, Task
from .examine import Examined, State, examine
from .keys import content_hash
from .model import Recipe, Source
from .seal import unseal

if TYPE_CHECKING:
    from concurrent.futures import Future

CHANGED = "edited while we worked on it"
TICK = 0.5
PIXELS_A_BYTE = 6
"""Pixels that take our codecs as long as a byte of the file does, over screenshots of 0.1 to 1 MB."""

WARM = 8
"""Images: where so many need no work, the run will find little to do."""

Begun = Mapping[tuple[str, Recipe, tuple[str, ...]], "Future[Answer]"]
"""What is in work or done already, by the keys of the tasks."""


def grouped(found: Iterable[Examined]) -> list[Task]:
    """Group open files by content and treatment, in the order in which they were found."""
    groups: dict[tuple[object, ...], list[Examined]] = {}
    for seen in found:
        if seen.state is State.OPEN:
            groups.setdefault((seen.content, seen.source.recipe, seen.source.engines), []).append(seen)
    return [_task(tuple(files)) for files in groups.values()]


def answers(
    tasks: Sequence[Task], desk: Desk, begun: Begun, waiting: Callable[[], None]
) -> Iterator[tuple[Task, Answer | BaseException]]:
    """Ask for every task and yield what comes of each, as it comes; `waiting` is called about twice a second.

    What another process works on is asked for again at the end, waiting; so is what was begun and came to nothing. A
    consumer that stops cancels what has not begun.
    """
    if not tasks:
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(desk.threads(tasks), thread_name_prefix="imgshrink")
    try:
        running = {begun.get(task.key) or pool.submit(ask, desk, task): task for task in in_order(tasks, desk)}
        again: list[Task] = []
        while running:
            done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                if task not in again and _is_open(future, before=task.key in begun):
                    again.append(task)
                    running[pool.submit(ask, desk, task, wait=True)] = task
                else:
                    yield task, future.exception() or future.result()
            waiting()
    except BaseException:
        desk.stop.set()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def in_order(tasks: Iterable[Task], desk: Desk) -> list[Task]:
    """Return what takes our codecs longest first, so that workers end together; uploads by their bytes.

    So most bytes are saved when a quota ends.
    """
    return sorted(tasks, key=lambda task: _weight(task, desk), reverse=True)


def ask(desk: Desk, task: Task, *, wait: bool = False) -> Answer:
    """Ask for the content of `task`, from the first of its files that still holds it."""
    for seen in task.files:
        data = read(seen)
        if data is not None:
            return desk.ask(task, unseal(data), wait=wait)
    return Answer(None, complete=False, reason=CHANGED)


def read(seen: Examined) -> bytes | None:
    """Return the bytes that were examined, or None where they are no longer there."""
    try:
        data = seen.source.path.read_bytes()
    except OSError:
        return None
    return data if content_hash(data) == seen.digest else None


class Ahead:
    """Work on what a run will need, begun while the caller is still busy with something else.

    Only for contents that an engine on this machine is asked about first: no byte leaves, nothing is paid. It takes
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
        self._begun: dict[tuple[str, Recipe, tuple[str, ...]], Future[Answer]] = {}
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
            heapq.heappush(self._waiting, (-_weight(task, self._desk), len(self._found), task))
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


def _is_open(future: Future[Answer], *, before: bool) -> bool:
    """Whether to ask again: another process is at work on it, or what was begun before the run came to nothing."""
    if future.exception() is not None:
        return before
    answer = future.result()
    return answer.busy or (before and answer.entry is None)


def _task(files: tuple[Examined, ...]) -> Task:
    first = files[0]
    assert first.info is not None
    return Task(first.content, first.source.recipe, first.info, first.size, first.source.engines, files)


def _weight(task: Task, desk: Desk) -> int:
    return task.size + (task.info.pixels // PIXELS_A_BYTE if desk.local(task) else 0)
