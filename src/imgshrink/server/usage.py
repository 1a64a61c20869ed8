"""Use of each key, counted by month and format: quota, trends, statistics; and the bytes stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, func, select
from sqlalchemy.dialects import sqlite

from ..core.model import Format
from ..core.tinyjpg import Json, saved
from .metrics import FormatTotals
from .tables import months, storage

COUNTS = ("accepted", "completed", "failed", "original_bytes", "optimized_bytes")

MONTHS = 12
"""Number of months in `usage`, the current one included."""


def month_of(moment: float) -> str:
    """Return the calendar month of a time, in UTC: `2026-11`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m")


def month_end(moment: float) -> datetime:
    """Return the end of the month of a time, when the quota is reset."""
    year, month = (int(part) for part in month_of(moment).split("-"))
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def recent(moment: float) -> list[str]:
    """Return the months in `usage`, oldest first."""
    year, month = (int(part) for part in month_of(moment).split("-"))
    last = year * 12 + month - 1
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(last - MONTHS + 1, last + 1)]


def count(connection: Connection, key_id: str, month: str, format: str, **more: float) -> None:
    """Add to the counters of a month; the names in `more` are columns of the table `months`."""
    _add(connection, months, {"key_id": key_id, "month": month, "format": format}, more)


def add_bytes(connection: Connection, key_id: str, size: int) -> None:
    """Add to the bytes that are stored for a key."""
    _add(connection, storage, {"key_id": key_id}, {"bytes": size})


def stored(connection: Connection) -> int:
    """Return the bytes of all originals and results."""
    return int(connection.scalar(select(func.coalesce(func.sum(storage.c.bytes), 0))) or 0)


def totals(connection: Connection) -> tuple[FormatTotals, ...]:
    """Return the counts of all keys and months, for each format that was ever accepted."""
    sums = [func.sum(months.c[name]).label(name) for name in (*COUNTS, "seconds")]
    rows = connection.execute(select(months.c.format, *sums).group_by(months.c.format)).mappings()
    # PostgreSQL's sums of integers are decimal numbers.
    found = [
        FormatTotals(format=row["format"], seconds=float(row["seconds"]), **{name: int(row[name]) for name in COUNTS})
        for row in rows
    ]
    return tuple(sorted(found, key=lambda row: row.format))


def _add(connection: Connection, table: Table, row: Mapping[str, str], more: Mapping[str, float]) -> None:
    added = {column: table.c[column] + value for column, value in more.items()}
    named = _insert(connection)(table).values(**row, **more)
    connection.execute(named.on_conflict_do_update(index_elements=list(table.primary_key), set_=added))


def _insert(connection: Connection) -> Any:  # noqa: ANN401  two classes of the same methods
    if connection.dialect.name == "sqlite":
        return sqlite.insert
    from sqlalchemy.dialects import postgresql  # a tenth of a second, which a server with a folder need not spend

    return postgresql.insert


def used(connection: Connection, key_id: str, month: str) -> int:
    """Return how many images count against the month's quota: those accepted that did not fail."""
    total = func.coalesce(func.sum(months.c.accepted - months.c.failed), 0)
    return int(connection.scalar(select(total).where(months.c.key_id == key_id, months.c.month == month)) or 0)


def stats(connection: Connection, key_id: str, limit: int, moment: float) -> Json:
    """Return the data of `GET /api/v1/stats`."""
    spent = used(connection, key_id, month_of(moment))
    resets = month_end(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"limit": limit, "used": spent, "remaining": max(0, limit - spent), "resets_at": resets}


def usage(connection: Connection, key_id: str, moment: float) -> Json:
    """Return the data of `GET /api/v1/usage`: twelve months since the first use, by month, by type, together."""
    shown = recent(moment)
    found = select(months).where(months.c.key_id == key_id, months.c.month.between(shown[0], shown[-1]))
    rows = connection.execute(found).mappings().all()
    done = sum(row["completed"] for row in rows)
    first = min((row["month"] for row in rows), default=shown[-1])
    since = [month for month in shown if month >= first]
    return {
        "monthly_trends": [_trend(month, [row for row in rows if row["month"] == month]) for month in since],
        "image_type_distribution": {format.value: _share(format, rows, done) for format in Format},
        "compression_statistics": _compression(rows, done),
    }


def _trend(month: str, rows: Sequence[RowMapping]) -> Json:
    counts: Json = {name: sum(row[name] for row in rows) for name in ("accepted", "completed", "failed")}
    return {"month": month, **counts, **_sizes(rows)}


def _share(format: Format, rows: Sequence[RowMapping], done: int) -> Json:
    images = sum(row["completed"] for row in rows if row["format"] == format.value)
    return {"images": images, "percentage": round(100 * images / done, 2) if done else 0.0}


def _compression(rows: Sequence[RowMapping], done: int) -> Json:
    seconds = sum(row["seconds"] for row in rows)
    return {"images": done, **_sizes(rows), "average_processing_time": round(seconds / done, 2) if done else 0.0}


def _sizes(rows: Iterable[RowMapping]) -> Json:
    rows = list(rows)
    before, after = (sum(row[name] for row in rows) for name in ("original_bytes", "optimized_bytes"))
    return {
        "original_bytes": before,
        "optimized_bytes": after,
        "saved_bytes": before - after,
        "compression_ratio": saved(before, after),
    }
