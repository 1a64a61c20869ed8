"""The way of every image: examine, group by content, look up, ask engines in order, verify, remember, seal, place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .asking import Answer, Desk, Task
from .errors import EngineError, FileChanged, ImgshrinkError
from .examine import Examined, State, examine
from .keys import content_hash
from .model import Entry, Format, Outcome, Plan, Source, Status, Verdict
from .seal import COST, seal, unseal, why_not_sealable

if TYPE_CHECKING:
    from concurrent.futures import Future

CHANGED = "edited while we worked on it"
NOTHING_TO_GAIN = "nothing to gain"
MIN_SAVED_BYTES = 100
TICK = 0.5
PIXELS_A_BYTE = 6
"""Pixels that take our codecs as long as a byte of the file does, over screenshots of 0.1 to 1 MB."""

_LEFT = {
    State.FINISHED: Status.KEPT,
    State.SMALL: Status.SKIPPED,
    State.UNSUPPORTED: Status.SKIPPED,
    State.BROKEN: Status.SKIPPED,
    State.UNREADABLE: Status.FAILED,
}


@dataclass(frozen=True)
class Policy:
    """What becomes of answers. Nothing here changes what an engine answers, so a change of policy buys nothing again.

    `min_saving` is per cent, the seal counted, and at least 100 bytes; `min_size` is bytes; `seal` is `all`, `outputs`
    or `none`. `in_place` says that the files are the originals, so that those that gain nothing are sealed too.
    """

    min_saving: float = 2.0
    min_size: int = 1024
    seal: str = "all"
    in_place: bool = False


class Observer(Protocol):
    """Somebody who watches a run; called from the thread that consumes it."""

    def planned(self, plan: Plan) -> None:
        """Everything known is placed; `plan` is what remains to be done."""

    def waiting(self) -> None:
        """The run goes on; called about twice a second while nothing ends."""

    def retired(self, engine: str, error: EngineError, images: int) -> None:
        """`engine` was given up because of `error`; `images` files went on without it."""


class Place(Protocol):
    """Puts a result where it belongs."""

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace `seen` by `data`; raises `FileChanged` or `Unwritable`."""


def run(
    sources: Iterable[Source], *, desk: Desk, place: Place, policy: Policy, observer: Observer
) -> Iterator[Outcome]:
    """Yield one outcome a source, each after its file is placed, in order of completion.

    A consumer that stops cancels what has not begun. Whatever goes wrong with one image is that image's outcome.
    """
    found: list[Examined] = []
    for source in sources:
        seen = examine(source, policy.min_size)
        found.append(seen)
        if seen.state is not State.OPEN:
            yield _left(seen, _LEFT[seen.state], seen.reason)
    new: list[Task] = []
    for task in grouped(found):
        answer = desk.look_up(task)
        if answer is None:
            new.append(task)
        else:
            yield from _settle(task, answer, place, policy)
    observer.planned(_plan(found, new, desk))
    yield from _work(new, desk, place, policy, observer)
    for name, error in desk.retired.items():
        observer.retired(name, error, desk.passed_on[name])


def survey(sources: Iterable[Source], *, desk: Desk, policy: Policy) -> tuple[list[Survey], Plan]:
    """Return what a run would find for each source, and what it would do. Writes nothing, asks nobody."""
    found = [examine(source, policy.min_size) for source in sources]
    tasks = grouped(found)
    answers = [desk.look_up(task) for task in tasks]
    known = {seen.source: answer for task, answer in zip(tasks, answers, strict=True) for seen in task.files}
    new = [task for task, answer in zip(tasks, answers, strict=True) if answer is None]
    return [Survey(seen, known.get(seen.source)) for seen in found], _plan(found, new, desk)


@dataclass(frozen=True)
class Survey:
    """One file and what the cache knows of it; `answer` is None where nothing is known or nothing is to be done."""

    seen: Examined
    answer: Answer | None


def grouped(found: Iterable[Examined]) -> list[Task]:
    """Group open files by content and treatment, in the order in which they were found."""
    groups: dict[tuple[object, ...], list[Examined]] = {}
    for seen in found:
        if seen.state is State.OPEN:
            groups.setdefault((seen.content, seen.source.recipe, seen.source.engines), []).append(seen)
    return [_task(tuple(files)) for files in groups.values()]


def _plan(found: Sequence[Examined], new: Sequence[Task], desk: Desk) -> Plan:
    asked: dict[str, list[Task]] = {}
    for task in new:
        asked.setdefault(desk.first(task), []).append(task)
    return Plan(
        images=len(found),
        before=sum(seen.size for seen in found),
        new=sum(len(task.files) for task in new),
        new_bytes=sum(seen.size for task in new for seen in task.files),
        asked=asked,
    )


def _task(files: tuple[Examined, ...]) -> Task:
    first = files[0]
    assert first.info is not None
    return Task(first.content, first.source.recipe, first.info, first.size, first.source.engines, files)


def _work(tasks: Sequence[Task], desk: Desk, place: Place, policy: Policy, observer: Observer) -> Iterator[Outcome]:
    """Ask for every task in threads; those that another process works on are asked for again at the end, waiting."""
    if not tasks:
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(desk.threads(tasks), thread_name_prefix="imgshrink")
    try:
        running = {pool.submit(_ask, desk, task, wait=False): task for task in _in_order(tasks, desk)}
        busy: list[Task] = []
        while running:
            done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                if _is_busy(future) and task not in busy:
                    busy.append(task)
                    running[pool.submit(_ask, desk, task, wait=True)] = task
                else:
                    yield from _finish(task, future, place, policy)
            observer.waiting()
    except BaseException:
        desk.stop.set()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order(tasks: Sequence[Task], desk: Desk) -> list[Task]:
    """Return what takes our codecs longest first, so that workers end together; uploads by their bytes.

    So most bytes are saved when a quota ends.
    """

    def weight(task: Task) -> int:
        return task.size + (task.info.pixels // PIXELS_A_BYTE if desk.first(task) == "builtin" else 0)

    return sorted(tasks, key=weight, reverse=True)


def _ask(desk: Desk, task: Task, *, wait: bool) -> Answer:
    for seen in task.files:
        data = _read(seen)
        if data is not None:
            return desk.ask(task, unseal(data), wait=wait)
    return Answer(None, complete=False, reason=CHANGED)


def _read(seen: Examined) -> bytes | None:
    """Return the bytes that were examined, or None where they are no longer there."""
    try:
        data = seen.source.path.read_bytes()
    except OSError:
        return None
    return data if content_hash(data) == seen.digest else None


def _is_busy(future: Future[Answer]) -> bool:
    return future.exception() is None and future.result().busy


def _finish(task: Task, future: Future[Answer], place: Place, policy: Policy) -> Iterator[Outcome]:
    error = future.exception()
    if error is None:
        yield from _settle(task, future.result(), place, policy)
        return
    for seen in task.files:
        yield _left(seen, Status.FAILED, f"{type(error).__name__}: {error}")


def _settle(task: Task, answer: Answer, place: Place, policy: Policy) -> Iterator[Outcome]:
    for seen in task.files:
        if answer.entry is None:
            yield _left(seen, Status.SKIPPED, answer.reason)
        else:
            yield _place(seen, answer.entry, answer, place, policy)


def _place(seen: Examined, entry: Entry, answer: Answer, place: Place, policy: Policy) -> Outcome:
    data = _read(seen)
    if data is None:
        return _left(seen, Status.SKIPPED, CHANGED)
    status, result = decide(seen, data, entry, policy, complete=answer.complete)
    if result != data:
        try:
            place(seen.source, data, result)
        except FileChanged:
            return _left(seen, Status.SKIPPED, CHANGED)
        except (ImgshrinkError, OSError) as error:
            return _left(seen, Status.FAILED, str(error))
    reason = "" if status is Status.OPTIMIZED else entry.reason or NOTHING_TO_GAIN
    return Outcome(
        seen.source.name, status, len(data), len(result), _format(seen), entry.engine,
        answer.from_cache, reason,
    )  # fmt: skip


def decide(seen: Examined, data: bytes, entry: Entry, policy: Policy, *, complete: bool) -> tuple[Status, bytes]:
    """Return what becomes of a file that holds `data`, given what is known of its content.

    An image that gains nothing is sealed only in place, only under `seal: all`, and only when the answer is `complete`.
    """
    quality = seen.source.recipe.quality
    assert seen.info is not None
    if entry.verdict is Verdict.BETTER:
        result = entry.data if policy.seal == "none" else seal(entry.data, quality)
        cost = 0 if policy.seal == "none" else COST[seen.info.format]
        if len(data) - len(entry.data) - cost >= max(MIN_SAVED_BYTES, len(data) * policy.min_saving / 100):
            return Status.OPTIMIZED, result
    if policy.in_place and policy.seal == "all" and complete and not why_not_sealable(data):
        made_with = entry.quality if entry.verdict is Verdict.DONE else quality
        return Status.SEALED, seal(unseal(data), made_with)
    return Status.KEPT, data


def _left(seen: Examined, status: Status, reason: str) -> Outcome:
    return Outcome(
        seen.source.name, status, seen.size, seen.size, _format(seen), reason=reason
    )  # fmt: skip


def _format(seen: Examined) -> Format | None:
    return seen.info.format if seen.info else None
