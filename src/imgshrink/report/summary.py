"""The numbers of a run, and its outcomes grouped by what happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.model import Outcome, Reason, Status


@dataclass(frozen=True)
class Summary:
    """Numbers of one run. Sizes are bytes, times seconds.

    The first twelve, `dropped` and `excluded` are words of the JSON report.
    Of the skipped images, `small` are under min_size, `late` were left when max_time was over, `unserved` had no
    engine, and `pending` wait for a result that is paid for. Of the optimized ones, `known` came from the cache.
    `answered` counts the images that an engine worked on in this run, `dropped` those that lost what they carried for
    other programs. `excluded` images are not among the `images`. `shrunk_before` of the kept ones came with a seal.
    """

    images: int = 0
    optimized: int = 0
    kept: int = 0
    sealed: int = 0
    skipped: int = 0
    failed: int = 0
    before: int = 0
    after: int = 0
    from_cache: int = 0
    uploads: int = 0
    quota_left: int | None = None
    seconds: float = 0.0
    small: int = 0
    late: int = 0
    late_bytes: int = 0
    unserved: int = 0
    pending: int = 0
    known: int = 0
    answered: int = 0
    dropped: int = 0
    excluded: int = 0
    shrunk_before: int = 0


def summarize(
    outcomes: Iterable[Outcome],
    *,
    seconds: float = 0.0,
    uploads: int = 0,
    quota_left: int | None = None,
    excluded: int = 0,
) -> Summary:
    """Return the numbers of `outcomes`, which cost `uploads`; `excluded` images are not among them."""
    rows = list(outcomes)
    late = [row for row in rows if row.reason == Reason.LATE]
    statuses = {status.value: sum(row.status is status for row in rows) for status in Status}
    return Summary(
        images=len(rows),
        **statuses,
        before=sum(row.before for row in rows),
        after=sum(row.after for row in rows),
        from_cache=sum(row.from_cache for row in rows),
        uploads=uploads,
        quota_left=quota_left,
        seconds=seconds,
        small=sum(row.reason == Reason.SMALL for row in rows),
        late=len(late),
        late_bytes=sum(row.before for row in late),
        unserved=sum(row.reason == Reason.UNSERVED for row in rows),
        pending=sum(row.reason == Reason.PENDING for row in rows),
        known=sum(row.status is Status.OPTIMIZED and row.from_cache for row in rows),
        answered=sum(bool(row.engine) and not row.from_cache for row in rows),
        dropped=sum(row.dropped for row in rows),
        excluded=excluded,
        shrunk_before=sum(row.status is Status.KEPT and bool(row.sealed) for row in rows),
    )


def left(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the images that were left alone and are not counted apart, by path."""
    apart = (Reason.SMALL, Reason.LATE, Reason.UNSERVED, Reason.PENDING)
    rows = (row for row in outcomes if row.status in (Status.SKIPPED, Status.FAILED) and row.reason not in apart)
    return sorted(rows, key=lambda row: row.path)


def savings(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the images that were shrunk, the largest saving first."""
    rows = (row for row in outcomes if row.status is Status.OPTIMIZED)
    return sorted(rows, key=lambda row: (row.after - row.before, row.path))
