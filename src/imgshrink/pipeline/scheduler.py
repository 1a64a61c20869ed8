"""Resolves many contents at once, in threads, those that take longest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.errors import Unreadable
from ..core.keys import content_hash
from ..core.model import KEEP, Reason, Recipe
from ..files.reader import read
from ..image.seal import unseal
from .inspection import Inspected, State
from .resolution import Resolution, WorkItem
from .resolver import Resolver

if TYPE_CHECKING:
    from concurrent.futures import Future

TICK = 0.5
"""Seconds between two calls of those who wait with a run."""

PIXELS_A_BYTE = 6
"""Pixels that take our codecs as long as one byte of the file does, measured over screenshots of 0.1 to 1 MB."""


def group(found: Iterable[Inspected]) -> list[WorkItem]:
    """Group open files by content, recipe and engines, in the order in which they were found."""
    groups: dict[tuple[object, ...], list[Inspected]] = {}
    for image in found:
        if image.state is State.OPEN:
            groups.setdefault((image.content, _recipe(image), image.source.engines), []).append(image)
    return [_work_item(tuple(files)) for files in groups.values()]


def resolve_all(
    items: Sequence[WorkItem], resolver: Resolver, waiting: Sequence[Callable[[], None]]
) -> Iterator[tuple[WorkItem, Resolution | BaseException]]:
    """Resolve every item and yield each with its resolution or exception, in order of completion.

    Each of `waiting` is called about twice a second. An item that another process works on is resolved again at the
    end, and waited for. A consumer that stops cancels what has not begun.
    """
    if not items:
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(resolver.threads(items), thread_name_prefix="imgshrink")
    try:
        running = {pool.submit(_resolve, resolver, item): item for item in _in_order(items, resolver)}
        busy: list[WorkItem] = []
        while running:
            done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                if item not in busy and _is_busy(future):
                    busy.append(item)
                    running[pool.submit(_resolve, resolver, item, wait=True)] = item
                else:
                    yield item, future.exception() or future.result()
            for call in waiting:
                call()
    except BaseException:
        resolver.stop.set()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_order(items: Iterable[WorkItem], resolver: Resolver) -> list[WorkItem]:
    """Return the items that take our codecs longest first, so that workers end together.

    Uploads are ordered by their bytes: so most bytes are saved when a quota ends.
    """
    return sorted(items, key=lambda item: _weight(item, resolver), reverse=True)


def _weight(item: WorkItem, resolver: Resolver) -> int:
    """Return a measure of the time that our codecs take, or the bytes to upload where another engine comes first."""
    return item.size + (item.info.pixels // PIXELS_A_BYTE if resolver.local(item) else 0)


def _resolve(resolver: Resolver, item: WorkItem, *, wait: bool = False) -> Resolution:
    """Resolve `item` with the bytes of the first of its files that still holds them."""
    for image in item.files:
        data = read_again(image)
        if data is not None:
            return resolver.resolve(item, unseal(data), wait=wait)
    return Resolution(None, complete=False, reason=Reason.CHANGED)


def read_again(image: Inspected) -> bytes | None:
    """Return the bytes that were inspected, or None where the file no longer holds them."""
    try:
        data = read(image.source.path)
    except Unreadable:
        return None
    return data if content_hash(data) == image.digest else None


def _is_busy(future: Future[Resolution]) -> bool:
    return future.exception() is None and future.result().busy


def _work_item(files: tuple[Inspected, ...]) -> WorkItem:
    first = files[0]
    assert first.info is not None
    return WorkItem(first.content, _recipe(first), first.info, first.size, first.source.engines, files)


def _recipe(image: Inspected) -> Recipe:
    """Return the recipe without what makes no difference for this content, so that its results are found."""
    recipe = image.source.recipe
    return recipe if image.carried else replace(recipe, embedded=KEEP)
