"""The Protocol of a cache: it stores the results of engines by the content of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..core.model import Entry


class Cache(Protocol):
    """Never raises: any problem is a miss, and one note."""

    def get(self, key: str) -> Entry | None:
        """Return the entry stored under `key`, whole and checked, or None."""

    def put(self, key: str, entry: Entry) -> bool:
        """Store durably; return whether `get` would now find it."""

    def prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], *, end: float | None = None) -> None:
        """Fetch from another tier, if there is one, what it holds under these keys: called before the first `get`.

        Each key maps to the largest size of its result, in bytes. `doubtful` keys are fetched only where a sample of
        them brings some. It ends before `end`, in monotonic seconds.
        """

    def notes(self) -> list[str]:
        """Return a line for each problem of this cache, each once."""

    def close(self) -> None:
        """Write what is pending (last use), prune, close. Safe to call twice."""
