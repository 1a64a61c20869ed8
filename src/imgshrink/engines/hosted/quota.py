"""What an account has used and has left, read from replies whose format is not published."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .parsing import read_count, read_text

if TYPE_CHECKING:
    from ...core.model import Plan
    from .engine import Hosted

LIMIT = ("limit", "monthly_limit", "quota_limit", "plan_limit", "monthly_quota", "quota", "total", "allowed", "max")
USED = ("used", "quota_used", "monthly_used", "used_this_month", "current_usage", "usage", "consumed", "count")
LEFT = ("remaining", "quota_remaining", "remaining_quota", "monthly_remaining", "left", "quota_left")
RENEWS = ("reset", "resets", "reset_at", "resets_at", "reset_date", "resets_on", "renews", "renews_at", "renews_on")

DEEPEST = 8
MOST_ROWS = 500


@dataclass(frozen=True)
class Quota:
    """The monthly quota; None is unknown. `renews` is a date (2026-12-01), "" if unknown."""

    limit: int | None = None
    used: int | None = None
    left: int | None = None
    renews: str = ""


def read_quota(reply: Mapping[str, object]) -> Quota:
    """Return the quota in a reply, whose fields may have any of the usual names."""
    fields = list(_fields(reply))
    limit, used, left = (_first(fields, names) for names in (LIMIT, USED, LEFT))
    if left is None and limit is not None and used is not None:
        left = max(0, limit - used)
    named = [value for name in RENEWS for path, value in fields if _plain(path[-1]) == name]
    return Quota(limit, used, left, next(filter(None, map(_date, named)), ""))


def rows(reply: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return every field of a reply as rows for people, in its order: the name with its parents, and the value.

    The fields of an object without further nesting, like the numbers of one month, share a row.
    """
    inner = reply.get("data")
    shown = inner if isinstance(inner, dict) else {name: value for name, value in reply.items() if name != "success"}
    return [(".".join(path), value) for path, value in _rows(shown, ())][:MOST_ROWS]


def _rows(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    named = _named(value)
    if path and named and not any(_named(inner) for _, inner in named) and isinstance(value, Mapping):
        yield path, ", ".join(f"{name} {_shown(inner)}" for name, inner in named)
    elif len(path) < DEEPEST and named:
        for name, inner in named:
            yield from _rows(inner, (*path, name))
    elif not isinstance(value, (Mapping, list)):
        yield path, _shown(value)


def _named(value: object) -> list[tuple[str, object]]:
    """Return the items of a container by name or number; nothing for anything else."""
    if isinstance(value, Mapping):
        return [(read_text(name, 60), inner) for name, inner in value.items()][:MOST_ROWS]
    return (
        [(str(number), inner) for number, inner in enumerate(value[:MOST_ROWS], 1)] if isinstance(value, list) else []
    )


def _fields(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every value that is no container, with its path."""
    if len(path) < DEEPEST:
        for name, inner in _named(value):
            yield from _fields(inner, (*path, name))
    if path and not isinstance(value, (Mapping, list)):
        yield path, value


def _first(fields: list[tuple[tuple[str, ...], object]], names: tuple[str, ...]) -> int | None:
    """Return the number with the first of `names`, at the shallowest level."""
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


class Spending:
    """What a run may spend at the API, and what it has spent.

    `hosted` makes the engine when it is first needed; `used` returns it only if it was made. `uploads_allowed` is False
    without an API key, and where no image may go to the API.
    """

    def __init__(
        self, hosted: Callable[[], Hosted], used: Callable[[], Hosted | None], *, uploads_allowed: bool
    ) -> None:
        self._hosted = hosted
        self._used = used
        self._uploads_allowed = uploads_allowed

    @property
    def host(self) -> str:
        """The host that images are uploaded to, "" where nothing is uploaded."""
        return self._hosted().host if self._uploads_allowed else ""

    @property
    def uploads(self) -> int:
        """The number of uploads that this run has cost."""
        used = self._used()
        return used.uploads if used is not None else 0

    def to_upload(self, plan: Plan) -> list[int]:
        """Return the size in bytes of each content of `plan` to upload, largest first; what is paid for is left out."""
        images = plan.asked.get("hosted", ())
        if not images:
            return []
        hosted = self._hosted()
        new = (
            image.size
            for image in images
            if not hosted.declines(image.info, image.size) and not hosted.paid(image.content, image.recipe)
        )
        return sorted(new, reverse=True)

    def quota_left(self) -> int | None:
        """Ask the API what is left of the quota; return None where it does not say."""
        quota = self._hosted().quota()
        return None if quota is None else quota.left
