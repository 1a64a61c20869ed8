"""What is to be resolved, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.model import Entry, ImageKey
from .inspection import Inspected


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
