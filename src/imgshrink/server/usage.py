"""Use of each key, counted by month and format: quota, trends, statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from ..core.model import Format
from ..core.tinyjpg import Json, saved

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


def count(connection: sqlite3.Connection, key_id: str, month: str, format: str, **more: float) -> None:
    """Add to the counters of a month; the names in `more` are columns of the table `months`."""
    connection.execute("INSERT OR IGNORE INTO months (key_id, month, format) VALUES (?, ?, ?)", (key_id, month, format))
    added = ", ".join(f"{column} = {column} + ?" for column in more)
    statement = f"UPDATE months SET {added} WHERE key_id = ? AND month = ? AND format = ?"  # noqa: S608 - constant names
    connection.execute(statement, (*more.values(), key_id, month, format))


def used(connection: sqlite3.Connection, key_id: str, month: str) -> int:
    """Return how many images count against the month's quota: those accepted that did not fail."""
    statement = "SELECT COALESCE(SUM(accepted - failed), 0) FROM months WHERE key_id = ? AND month = ?"
    return int(connection.execute(statement, (key_id, month)).fetchone()[0])


def stats(connection: sqlite3.Connection, key_id: str, limit: int, moment: float) -> Json:
    """Return the data of `GET /api/v1/stats`."""
    spent = used(connection, key_id, month_of(moment))
    resets = month_end(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"limit": limit, "used": spent, "remaining": max(0, limit - spent), "resets_at": resets}


def usage(connection: sqlite3.Connection, key_id: str, moment: float) -> Json:
    """Return the data of `GET /api/v1/usage`: twelve months since the first use, by month, by type, together."""
    months = recent(moment)
    statement = "SELECT * FROM months WHERE key_id = ? AND month BETWEEN ? AND ?"
    rows = connection.execute(statement, (key_id, months[0], months[-1])).fetchall()
    done = sum(row["completed"] for row in rows)
    first = min((row["month"] for row in rows), default=months[-1])
    since = [month for month in months if month >= first]
    return {
        "monthly_trends": [_trend(month, [row for row in rows if row["month"] == month]) for month in since],
        "image_type_distribution": {format.value: _share(format, rows, done) for format in Format},
        "compression_statistics": _compression(rows, done),
    }


def _trend(month: str, rows: list[sqlite3.Row]) -> Json:
    counts: Json = {name: sum(row[name] for row in rows) for name in ("accepted", "completed", "failed")}
    return {"month": month, **counts, **_sizes(rows)}


def _share(format: Format, rows: list[sqlite3.Row], done: int) -> Json:
    images = sum(row["completed"] for row in rows if row["format"] == format.value)
    return {"images": images, "percentage": round(100 * images / done, 2) if done else 0.0}


def _compression(rows: list[sqlite3.Row], done: int) -> Json:
    seconds = sum(row["seconds"] for row in rows)
    return {"images": done, **_sizes(rows), "average_processing_time": round(seconds / done, 2) if done else 0.0}


def _sizes(rows: Iterable[sqlite3.Row]) -> Json:
    rows = list(rows)
    before, after = (sum(row[name] for row in rows) for name in ("original_bytes", "optimized_bytes"))
    return {
        "original_bytes": before,
        "optimized_bytes": after,
        "saved_bytes": before - after,
        "compression_ratio": saved(before, after),
    }
