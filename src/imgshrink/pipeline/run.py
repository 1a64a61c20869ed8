"""The pipeline: inspect, group by content, resolve, decide, seal, place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import EngineError, FileChanged, ImgshrinkError
from ..core.model import Entry, Format, Outcome, Plan, Reason, Source, Status, Verdict
from ..image.seal import COST, seal, unseal, why_not_sealable
from .inspection import Inspected, State, inspect
from .resolution import Resolution, WorkItem
from .resolver import Resolver
from .scheduler import group, read_again, resolve_all

MIN_SAVED_BYTES = 100

_LEFT = {
    State.SHRUNK: Status.KEPT,
    State.SMALL: Status.SKIPPED,
    State.READ_ONLY: Status.SKIPPED,
    State.UNSUPPORTED: Status.SKIPPED,
    State.BROKEN: Status.SKIPPED,
    State.UNREADABLE: Status.FAILED,
}


@dataclass(frozen=True)
class Policy:
    """What is done with results. No engine sees any of it, so a change never costs an upload.

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
        """Everything known is placed; `plan` describes the work that remains."""

    def waiting(self) -> None:
        """The run is still working; called about twice a second."""

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """The file of `source` held `before` and now holds `after`."""

    def unanswered(self, engine: str, error: EngineError, images: int) -> None:
        """`engine` did not answer, the last time because of `error`; `images` files were resolved without it."""

    def refused(self, engine: str, reasons: Mapping[str, int]) -> None:
        """Results of `engine`, which had to be paid for, were not taken; `reasons` says how many for each reason."""


class Destination(Protocol):
    """Puts a result where it belongs."""

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace the bytes `seen` by `data`; raises `FileChanged` or `Unwritable`."""


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
    found: list[Inspected] = []
    for source in sources:
        image = inspect(source, policy.min_size, in_place=policy.in_place)
        found.append(image)
        if image.state is not State.OPEN:
            yield _left(image, _LEFT[image.state], image.reason)
    items = group(found)
    resolver.prefetch(items)
    new: list[WorkItem] = []
    for item in items:
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
    for observer in observers:
        for name, error in resolver.unanswered.items():
            observer.unanswered(name, error, resolver.fallen_back[name])
        for name, reasons in resolver.refused.items():
            observer.refused(name, reasons)


def survey(sources: Iterable[Source], *, resolver: Resolver, policy: Policy) -> tuple[list[Survey], Plan]:
    """Return what a run would find for each source, and its plan. Writes nothing but the cache, asks no engine."""
    found = [inspect(source, policy.min_size, in_place=policy.in_place) for source in sources]
    items = group(found)
    resolver.prefetch(items)
    known_before = [resolver.lookup(item) for item in items]
    known = {
        image.source: resolution for item, resolution in zip(items, known_before, strict=True) for image in item.files
    }
    new = [item for item, resolution in zip(items, known_before, strict=True) if resolution is None]
    return [Survey(image, known.get(image.source)) for image in found], _plan(found, new, resolver)


@dataclass(frozen=True)
class Survey:
    """One file and what the cache knows of it; `resolution` is None where nothing is known or nothing is to do."""

    seen: Inspected
    resolution: Resolution | None


def _plan(found: Sequence[Inspected], new: Sequence[WorkItem], resolver: Resolver) -> Plan:
    asked: dict[str, list[WorkItem]] = {}
    for item in new:
        asked.setdefault(resolver.first(item), []).append(item)
    return Plan(
        images=len(found),
        before=sum(image.size for image in found),
        new=sum(len(item.files) for item in new),
        new_bytes=sum(image.size for item in new for image in item.files),
        asked=asked,
    )


def _settle(
    item: WorkItem,
    resolution: Resolution | BaseException,
    destination: Destination,
    policy: Policy,
    observers: Sequence[Observer],
) -> Iterator[Outcome]:
    for image in item.files:
        if isinstance(resolution, BaseException):
            yield _left(image, Status.FAILED, f"{type(resolution).__name__}: {resolution}")
        elif resolution.entry is None:
            yield _left(image, Status.SKIPPED, resolution.reason)
        else:
            yield _apply(image, resolution.entry, resolution, destination, policy, observers)


def _apply(
    image: Inspected,
    entry: Entry,
    resolution: Resolution,
    destination: Destination,
    policy: Policy,
    observers: Sequence[Observer],
) -> Outcome:
    data = read_again(image)
    if data is None:
        return _left(image, Status.SKIPPED, Reason.CHANGED)
    status, result = decide(image, data, entry, policy, complete=resolution.complete)
    if result != data:
        try:
            destination(image.source, data, result)
        except FileChanged:
            return _left(image, Status.SKIPPED, Reason.CHANGED)
        except (ImgshrinkError, OSError) as error:
            return _left(image, Status.FAILED, str(error))
        for observer in observers:
            observer.replaced(image.source, data, result)
    reason = "" if status is Status.OPTIMIZED else entry.reason or Reason.NOTHING_TO_GAIN
    return Outcome(
        image.source.name, status, len(data), len(result), _format(image), entry.engine,
        resolution.from_cache, reason, status is Status.OPTIMIZED and _drops(image),
    )  # fmt: skip


def decide(image: Inspected, data: bytes, entry: Entry, policy: Policy, *, complete: bool) -> tuple[Status, bytes]:
    """Return the status and the new bytes of a file that holds `data`, given what is known of its content.

    An image that gains nothing is sealed only in place, under `seal: all`, when the resolution is `complete`. Data for
    other programs that shall be dropped go however little that saves.
    """
    quality = image.source.recipe.quality
    assert image.info is not None
    if entry.verdict is Verdict.BETTER:
        result = entry.data if policy.seal == "none" else seal(entry.data, quality)
        cost = 0 if policy.seal == "none" else COST[image.info.format]
        needed = 1 if _drops(image) else max(MIN_SAVED_BYTES, len(data) * policy.min_saving / 100)
        if len(data) - len(entry.data) - cost >= needed:
            return Status.OPTIMIZED, result
    if policy.in_place and policy.seal == "all" and complete and not why_not_sealable(data):
        made_with = entry.quality if entry.verdict is Verdict.DONE else quality
        return Status.SEALED, seal(unseal(data), made_with)
    return Status.KEPT, data


def _drops(image: Inspected) -> bool:
    return bool(image.carried) and not image.source.recipe.keeps


def _left(image: Inspected, status: Status, reason: str) -> Outcome:
    return Outcome(
        image.source.name, status, image.size, image.size, _format(image), reason=reason, sealed=image.sealed
    )  # fmt: skip


def _format(image: Inspected) -> Format | None:
    return image.info.format if image.info else None
