"""The way of every image: examine, group by content, look up, ask engines in order, verify, remember, seal, place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import EngineError, FileChanged, ImgshrinkError
from ..core.model import Entry, Format, Outcome, Plan, Source, Status, Verdict
from ..image.seal import COST, seal, unseal, why_not_sealable
from .inspection import Examined, State, examine
from .resolver import Answer, Desk, Task
from .scheduler import CHANGED, answers, grouped, read

NOTHING_TO_GAIN = "nothing to gain"
MIN_SAVED_BYTES = 100

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

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """The file of `source` held `before`, and its result `after` is placed."""

    def retired(self, engine: str, error: EngineError, images: int) -> None:
        """`engine` was given up because of `error`; `images` files went on without it."""


class Place(Protocol):
    """Puts a result where it belongs."""

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace `seen` by `data`; raises `FileChanged` or `Unwritable`."""


def run(
    sources: Iterable[Source],
    *,
    desk: Desk,
    place: Place,
    policy: Policy,
    observers: Sequence[Observer],
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
            yield from _settle(task, answer, place, policy, observers)
    plan = _plan(found, new, desk)
    for observer in observers:
        observer.planned(plan)
    for task, outcome in answers(new, desk, [observer.waiting for observer in observers]):
        yield from _settle(task, outcome, place, policy, observers)
    for name, error in desk.retired.items():
        for observer in observers:
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


def _settle(
    task: Task, answer: Answer | BaseException, place: Place, policy: Policy, observers: Sequence[Observer]
) -> Iterator[Outcome]:
    for seen in task.files:
        if isinstance(answer, BaseException):
            yield _left(seen, Status.FAILED, f"{type(answer).__name__}: {answer}")
        elif answer.entry is None:
            yield _left(seen, Status.SKIPPED, answer.reason)
        else:
            yield _place(seen, answer.entry, answer, place, policy, observers)


def _place(
    seen: Examined, entry: Entry, answer: Answer, place: Place, policy: Policy, observers: Sequence[Observer]
) -> Outcome:
    data = read(seen)
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
        for observer in observers:
            observer.replaced(seen.source, data, result)
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
