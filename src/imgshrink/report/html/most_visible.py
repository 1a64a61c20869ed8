"""Keeps the most visible changes of a run within a number of bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key")


class MostVisible(Generic[Key]):
    """The parts of images with the largest differences, `room` bytes of them; iterates over (key, parts), worst first.

    What is added is held in memory until there is something more visible.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: list[tuple[float, int, Key, tuple[bytes, ...]]] = []
        self._bytes = 0
        self._count = 0

    def add(self, share: float, key: Key, parts: tuple[bytes, ...]) -> None:
        """Add the parts of an image whose difference is `share`; nothing where it is 0."""
        if not share:
            return
        self._count += 1  # equal shares: the one added first stays
        heapq.heappush(self._held, (share, -self._count, key, parts))
        self._bytes += _size(parts)
        while self._bytes > self._room:
            self._bytes -= _size(heapq.heappop(self._held)[3])

    def __iter__(self) -> Iterator[tuple[Key, tuple[bytes, ...]]]:
        """Yield what is left, most visible first."""
        for _, _, key, parts in sorted(self._held, key=lambda held: held[:2], reverse=True):
            yield key, parts


def _size(parts: tuple[bytes, ...]) -> int:
    return sum(map(len, parts))
