"""What is to be resolved, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.model import Entry, ImageKey
from ..image.carried import read_carried
from ..image.matching import can_replace
from .inspection import Inspected, fingerprint


@dataclass(frozen=True)
class WorkItem(ImageKey):
    """One content, the engines to ask in order, and every file that holds it."""

    engines: tuple[str, ...]
    files: tuple[Inspected, ...]


@dataclass(frozen=True)
class Resolution:
    """What is known of a content now. Without an `entry`, `reason` says why its files stay as they are.

    `complete` is False when an engine that comes first could not answer: the image may gain more another time.
    """

    entry: Entry | None
    from_cache: bool = False
    complete: bool = True
    reason: str = ""
    busy: bool = False


def fits(item: WorkItem, payload: bytes) -> bool:
    """Whether a cached payload can be a result for the item, what the image carries for other programs included."""
    if item.recipe.keeps and item.files[0].carried not in ("", fingerprint(read_carried(payload))):
        return False
    return can_replace(item.info, payload)
