"""What a cache is: a place that remembers what engines answered, by content."""

from __future__ import annotations

from typing import Protocol

from ..core.model import Entry


class Cache(Protocol):
    """Never raises: whatever is wrong with it is a miss, and one note."""

    def get(self, key: str) -> Entry | None:
        """Return the entry stored under `key`, whole and checked, or None."""

    def put(self, key: str, entry: Entry) -> bool:
        """Store durably; return whether `get` would now find it."""

    def notes(self) -> list[str]:
        """What a person should know about this cache's health, one line each, each once."""

    def close(self) -> None:
        """Write what is pending (last use), prune, let go. Safe to call twice."""
