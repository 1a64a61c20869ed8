"""The pipeline: inspect, group by content, resolve, decide, seal, place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import EngineError, FileChanged, ImgshrinkError
from ..core.model import Entry, Format, Outcome, Plan, Source, Status, Verdict
from ..image.seal import COST, seal, unseal, why_not_sealable
from .inspection import Examined, State, examine
from .resolver import Resolution, Resolver, WorkItem
from .scheduler import CHANGED, grouped, read, resolve_all

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
    """What is done with results. No engine sees any of it, so changing it never costs an upload.

    `min_saving` is per cent, the seal counted, and at least 100 bytes; `min_size` is bytes; `seal` is `all`, `outputs`
    or `none`. `in_place`: the files are the originals, and those that gain nothing are sealed too.
    """

    min_saving: float = 2.0
    min_size: int = 1024
    seal: str = "all"
    in_place: bool = False


class Observer(Protocol):
    """Listens to a run; called in the thread that consumes it."""

    def planned(self, plan: Plan) -> None:
        """Everything known is placed; `plan` is what remains to be done."""

    def waiting(self) -> None:
        """The run goes on; called about twice a second while nothing ends."""

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """The file of `source` held `before`, and its result `after` is placed."""

    def disabled(self, engine: str, error: EngineError, images: int) -> None:
        """`engine` was given up because of `error`; `images` files went on without it."""


class Destination(Protocol):
    """Puts a result where it belongs."""

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace `seen` by `data`; raises `FileChanged` or `Unwritable`."""


def run(
    sources: Iterable[Source],
    *,
    resolver: Resolver,
    destination: Destination,
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
    new: list[WorkItem] = []
    for item in grouped(found):
        resolution = resolver.lookup(item)
        if resolution is None:
            new.append(item)
        else:
            yield from _settle(item, resolution, destination, policy, observers)
    plan = _plan(found, new, resolver)
    for observer in observers:
        observer.planned(plan)
    for item, outcome in resolve_all(new, resolver, [observer.waiting for observer in observers]):
        yield from _settle(item, outcome, destination, policy, observers)
    for name, error in resolver.disabled.items():
        for observer in observers:
            observer.disabled(name, error, resolver.fallen_back[name])


def survey(sources: Iterable[Source], *, resolver: Resolver, policy: Policy) -> tuple[list[Survey], Plan]:
    """Return what a run would find for each source, and what it would do. Writes nothing, asks nobody."""
    found = [examine(source, policy.min_size) for source in sources]
    items = grouped(found)
    known_before = [resolver.lookup(item) for item in items]
    known = {
        seen.source: resolution for item, resolution in zip(items, known_before, strict=True) for seen in item.files
    }
    new = [item for item, resolution in zip(items, known_before, strict=True) if resolution is None]
    return [Survey(seen, known.get(seen.source)) for seen in found], _plan(found, new, resolver)


@dataclass(frozen=True)
class Survey:
    """One file and what the cache knows of it; `resolution` is None where nothing is known, or nothing to do."""

    seen: Examined
    resolution: Resolution | None


def _plan(found: Sequence[Examined], new: Sequence[WorkItem], resolver: Resolver) -> Plan:
    asked: dict[str, list[WorkItem]] = {}
    for item in new:
        asked.setdefault(resolver.first(item), []).append(item)
    return Plan(
        images=len(found),
        before=sum(seen.size for seen in found),
        new=sum(len(item.files) for item in new),
        new_bytes=sum(seen.size for item in new for seen in item.files),
        asked=asked,
    )


def _settle(
    item: WorkItem,
    resolution: Resolution | BaseException,
    destination: Destination,
    policy: Policy,
    observers: Sequence[Observer],
) -> Iterator[Outcome]:
    for seen in item.files:
        if isinstance(resolution, BaseException):
            yield _left(seen, Status.FAILED, f"{type(resolution).__name__}: {resolution}")
        elif resolution.entry is None:
            yield _left(seen, Status.SKIPPED, resolution.reason)
        else:
            yield _apply(seen, resolution.entry, resolution, destination, policy, observers)


def _apply(
    seen: Examined,
    entry: Entry,
    resolution: Resolution,
    destination: Destination,
    policy: Policy,
    observers: Sequence[Observer],
) -> Outcome:
    data = read(seen)
    if data is None:
        return _left(seen, Status.SKIPPED, CHANGED)
    status, result = decide(seen, data, entry, policy, complete=resolution.complete)
    if result != data:
        try:
            destination(seen.source, data, result)
        except FileChanged:
            return _left(seen, Status.SKIPPED, CHANGED)
        except (ImgshrinkError, OSError) as error:
            return _left(seen, Status.FAILED, str(error))
        for observer in observers:
            observer.replaced(seen.source, data, result)
    reason = "" if status is Status.OPTIMIZED else entry.reason or NOTHING_TO_GAIN
    return Outcome(
        seen.source.name, status, len(data), len(result), _format(seen), entry.engine,
        resolution.from_cache, reason, status is Status.OPTIMIZED and _drops(seen),
    )  # fmt: skip


def decide(seen: Examined, data: bytes, entry: Entry, policy: Policy, *, complete: bool) -> tuple[Status, bytes]:
    """Return what becomes of a file that holds `data`, given what is known of its content.

    An image that gains nothing is sealed only in place, under `seal: all`, when the resolution is `complete`. Data for
    other programs that shall be dropped go however little that saves.
    """
    quality = seen.source.recipe.quality
    assert seen.info is not None
    if entry.verdict is Verdict.BETTER:
        result = entry.data if policy.seal == "none" else seal(entry.data, quality)
        cost = 0 if policy.seal == "none" else COST[seen.info.format]
        needed = 1 if _drops(seen) else max(MIN_SAVED_BYTES, len(data) * policy.min_saving / 100)
        if len(data) - len(entry.data) - cost >= needed:
            return Status.OPTIMIZED, result
    if policy.in_place and policy.seal == "all" and complete and not why_not_sealable(data):
        made_with = entry.quality if entry.verdict is Verdict.DONE else quality
        return Status.SEALED, seal(unseal(data), made_with)
    return Status.KEPT, data


def _drops(seen: Examined) -> bool:
    return bool(seen.carried) and not seen.source.recipe.keeps


def _left(seen: Examined, status: Status, reason: str) -> Outcome:
    return Outcome(
        seen.source.name, status, seen.size, seen.size, _format(seen), reason=reason
    )  # fmt: skip


def _format(seen: Examined) -> Format | None:
    return seen.info.format if seen.info else None
