"""A database whose time the test sets, SQLite's or PostgreSQL's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import ColumnElement, Double, literal

from imgshrink.server.database import Database


class TimedDatabase(Database):
    """Takes its time from `clock`, in seconds since the epoch."""

    def __init__(self, where: Path | str, clock: Callable[[], float]) -> None:
        super().__init__(where)
        self._clock = clock

    def moment(self) -> ColumnElement[float]:
        """The clock's time."""
        return literal(self._clock(), Double)
