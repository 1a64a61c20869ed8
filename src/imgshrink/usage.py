"""What an account has used and has left, read from replies whose shape nobody has published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .tolerant import read_count, read_text

LIMIT = ("limit", "monthly_limit", "quota_limit", "plan_limit", "monthly_quota", "quota", "total", "allowed", "max")
USED = ("used", "quota_used", "monthly_used", "used_this_month", "current_usage", "usage", "consumed", "count")
LEFT = ("remaining", "quota_remaining", "remaining_quota", "monthly_remaining", "left", "quota_left")
RENEWS = ("reset", "resets", "reset_at", "resets_at", "reset_date", "resets_on", "renews", "renews_at", "renews_on")

DEEPEST = 8
MOST_ROWS = 500


@dataclass(frozen=True)
class Quota:
    """The monthly quota as far as the API tells it; `renews` is a date (2026-12-01), "" where it says none."""

    limit: int | None = None
    used: int | None = None
    left: int | None = None
    renews: str = ""


def read_quota(reply: Mapping[str, object]) -> Quota:
    """Return the quota that a reply tells of under any of the usual names; what is not there stays unknown."""
    fields = list(_fields(reply))
    limit, used, left = (_first(fields, names) for names in (LIMIT, USED, LEFT))
    if left is None and limit is not None and used is not None:
        left = max(0, limit - used)
    named = [value for name in RENEWS for path, value in fields if _plain(path[-1]) == name]
    return Quota(limit, used, left, next(filter(None, map(_date, named)), ""))


def rows(reply: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return every field of a reply as a row for people, in its order: the name with its parents, and the value."""
    inner = reply.get("data")
    shown = inner if isinstance(inner, dict) else {name: value for name, value in reply.items() if name != "success"}
    return [(".".join(path), _shown(value)) for path, value in _fields(shown)][:MOST_ROWS]


def _fields(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield what is no container, with the way to it."""
    if isinstance(value, Mapping) and len(path) < DEEPEST:
        for name, inner in value.items():
            yield from _fields(inner, (*path, read_text(name, 60)))
    elif isinstance(value, list) and len(path) < DEEPEST:
        for number, inner in enumerate(value[:MOST_ROWS]):
            yield from _fields(inner, (*path, str(number + 1)))
    elif path and not isinstance(value, (Mapping, list)):
        yield path, value


def _first(fields: list[tuple[tuple[str, ...], object]], names: tuple[str, ...]) -> int | None:
    """Return the number with the best name, the one nearest to the top where several have it."""
    for name in names:
        found = [(len(path), read_count(value)) for path, value in fields if _plain(path[-1]) == name]
        numbers = [(depth, number) for depth, number in found if number is not None]
        if numbers:
            return min(numbers)[1]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def _date(value: object) -> str:
    """Return a date from ISO text or from seconds or milliseconds since the epoch; "" for anything else."""
    if isinstance(value, str) and (found := re.match(r"(\d{4}-\d{2}-\d{2})(?![0-9])", value)):
        return found[1]
    seconds = read_count(value)
    if seconds is None or seconds < 10**9:
        return ""
    seconds = seconds // 1000 if seconds >= 10**11 else seconds
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds < 10**11 else ""


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return read_text(value) if isinstance(value, str) else read_text(str(value))
