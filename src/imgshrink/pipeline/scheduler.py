"""Asking for many contents at once, in threads: what takes longest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.keys import content_hash
from ..core.model import KEEP, Recipe
from ..image.seal import unseal
from .inspection import Examined, State
from .resolver import Resolution, Resolver, WorkItem

if TYPE_CHECKING:
    from concurrent.futures import Future

CHANGED = "edited while we worked on it"
TICK = 0.5
PIXELS_A_BYTE = 6
"""Pixels that take our codecs as long as a byte of the file does, over screenshots of 0.1 to 1 MB."""


def grouped(found: Iterable[Examined]) -> list[WorkItem]:
    """Group open files by content and treatment, in the order in which they were found."""
    groups: dict[tuple[object, ...], list[Examined]] = {}
    for seen in found:
        if seen.state is State.OPEN:
            groups.setdefault((seen.content, _recipe(seen), seen.source.engines), []).append(seen)
    return [_task(tuple(files)) for files in groups.values()]


def resolve_all(
    items: Sequence[WorkItem], resolver: Resolver, waiting: Sequence[Callable[[], None]]
) -> Iterator[tuple[WorkItem, Resolution | BaseException]]:
    """Ask for every item and yield what comes of each, as it comes; each of `waiting` is called about twice a second.

    What another process works on is asked for again at the end, waiting. A consumer that stops cancels what has not
    begun.
    """
    if not items:
        return
    from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(resolver.threads(items), thread_name_prefix="imgshrink")
    try:
        running = {pool.submit(_ask_engine, resolver, item): item for item in _in_order(items, resolver)}
        busy: list[WorkItem] = []
        while running:
            done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                if item not in busy and _is_busy(future):
                    busy.append(item)
                    running[pool.submit(_ask_engine, resolver, item, wait=True)] = item
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
    """Return what takes our codecs longest first, so that workers end together; uploads by their bytes.

    So most bytes are saved when a quota ends.
    """
    return sorted(items, key=lambda item: _weight(item, resolver), reverse=True)


def _weight(item: WorkItem, resolver: Resolver) -> int:
    """Return about how long our codecs take, or the bytes to upload, where others are asked first."""
    return item.size + (item.info.pixels // PIXELS_A_BYTE if resolver.local(item) else 0)


def _ask_engine(resolver: Resolver, item: WorkItem, *, wait: bool = False) -> Resolution:
    """Ask for the content of `item`, from the first of its files that still holds it."""
    for seen in item.files:
        data = read(seen)
        if data is not None:
            return resolver.resolve(item, unseal(data), wait=wait)
    return Resolution(None, complete=False, reason=CHANGED)


def read(seen: Examined) -> bytes | None:
    """Return the bytes that were examined, or None where they are no longer there."""
    try:
        data = seen.source.path.read_bytes()
    except OSError:
        return None
    return data if content_hash(data) == seen.digest else None


def _is_busy(future: Future[Resolution]) -> bool:
    return future.exception() is None and future.result().busy


def _task(files: tuple[Examined, ...]) -> WorkItem:
    first = files[0]
    assert first.info is not None
    return WorkItem(first.content, _recipe(first), first.info, first.size, first.source.engines, files)


def _recipe(seen: Examined) -> Recipe:
    """Return the recipe without what makes no difference for this content, so that its results are found."""
    recipe = seen.source.recipe
    return recipe if seen.carried else replace(recipe, embedded=KEEP)
