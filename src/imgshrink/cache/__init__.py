"""The Protocol of a cache: it stores the results of engines by the content of images."""

from __future__ import annotations

from typing import Protocol

from ..core.model import Entry


class Cache(Protocol):
    """Never raises: any problem is a miss, and one note."""

    def get(self, key: str) -> Entry | None:
        """Return the entry stored under `key`, whole and checked, or None."""

    def put(self, key: str, entry: Entry) -> bool:
        """Store durably; return whether `get` would now find it."""

    def notes(self) -> list[str]:
        """Return a line for each problem of this cache, each once."""

    def close(self) -> None:
        """Write what is pending (last use), prune, close. Safe to call twice."""
