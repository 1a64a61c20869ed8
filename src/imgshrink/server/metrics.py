"""What one process counts of itself, and what the queue measures for all of them, as families of metrics.

Labels are names of routes, methods, statuses, formats and parts: their number is bounded, and none comes from a client.
"""

from __future__ import annotations

import functools
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeVar, cast

from .. import __version__
from .exposition import COUNTER, GAUGE, HISTOGRAM, Family, Sample, single
from .limits import Limits

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
"""Upper bounds of the histogram of requests, in seconds; an upload may take 120."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER = "other"
"""The label of paths that no route has, of rare methods, and of requests that are refused before routing."""

DATABASE, STORE = "database", "store"

Part = TypeVar("Part")


@dataclass(frozen=True)
class FormatTotals:
    """Counts of all keys and months of one image format; sizes and `seconds` are those of completed images."""

    format: str
    accepted: int
    completed: int
    failed: int
    original_bytes: int
    optimized_bytes: int
    seconds: float


@dataclass(frozen=True)
class QueueMeasurement:
    """What all nodes share. `oldest` is seconds since the oldest queued image was accepted, 0 without one."""

    queued: int
    leased: int
    oldest: float
    stored: int
    totals: tuple[FormatTotals, ...]


@dataclass
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

    def samples(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        bounds = [*(repr(bound) for bound in BUCKETS), "+Inf"]
        for bound, count in zip(bounds, accumulate(self.counts), strict=True):
            yield Sample(count, {**labels, "le": bound}, "_bucket")
        yield Sample(self.total, labels, "_sum")
        yield Sample(sum(self.counts), labels, "_count")


class Metrics:
    """The counters of one process, from its start. Safe for threads; `in_flight` and `uploads` are the event loop's."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._started = clock()
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, _Histogram] = {}
        self._errors: Counter[str] = Counter({DATABASE: 0, STORE: 0})
        self.in_flight = 0
        self.uploads = 0

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that has ended; `status` is 0 if the client left before the reply began."""
        with self._lock:
            self._requests[route, method if method in METHODS else OTHER, status] += 1
            self._seconds.setdefault(route, _Histogram()).add(seconds)

    def error(self, part: str) -> None:
        """Count an error of the database or of the store."""
        with self._lock:
            self._errors[part] += 1

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Count an upload as open for the context."""
        self.uploads += 1
        try:
            yield
        finally:
            self.uploads -= 1

    def families(self) -> list[Family]:
        """Return the families of this process."""
        with self._lock:
            requests = tuple(
                Sample(count, {"route": route, "method": method, "status": str(status)})
                for (route, method, status), count in sorted(self._requests.items())
            )
            seconds = tuple(
                sample for route, found in sorted(self._seconds.items()) for sample in found.samples({"route": route})
            )
            errors = tuple(Sample(count, {"part": part}) for part, count in sorted(self._errors.items()))
        return [
            Family("imgshrink_http_requests_total", COUNTER, "Requests that ended, by this process.", requests),
            Family("imgshrink_http_request_duration_seconds", HISTOGRAM, "Time from head to end of reply.", seconds),
            single("imgshrink_http_requests_in_flight", GAUGE, "Requests being served.", self.in_flight),
            single("imgshrink_uploads_open", GAUGE, "Uploads that are read or wait for it.", self.uploads),
            Family("imgshrink_errors_total", COUNTER, "Errors of the database and of the store.", errors),
            single("process_start_time_seconds", GAUGE, "Start of the process since the epoch.", self._started),
            single("imgshrink_build_info", GAUGE, "The version that runs.", 1, version=__version__),
        ]


def limit_families(limits: Limits) -> list[Family]:
    """Return the bounds of this process that alerts compare with."""
    return [
        single("imgshrink_queue_limit_images", GAUGE, "Images that may wait or be in work.", limits.queue),
        single("imgshrink_stored_limit_bytes", GAUGE, "Bytes that may be stored.", limits.storage),
    ]


def shared_families(measured: QueueMeasurement) -> list[Family]:
    """Return the families that are the same on all nodes and survive restarts."""

    def by_format(name: str, description: str, column: str) -> Family:
        samples = tuple(Sample(getattr(row, column), {"format": row.format}) for row in measured.totals)
        return Family(name, COUNTER, description, samples)

    ended = tuple(
        Sample(getattr(row, end), {"end": end, "format": row.format})
        for row in measured.totals
        for end in ("completed", "failed")
    )
    states = (Sample(measured.queued, {"state": "queued"}), Sample(measured.leased, {"state": "leased"}))
    return [
        Family("imgshrink_queue_images", GAUGE, "Images that wait (queued) or are in work (leased).", states),
        single("imgshrink_queue_oldest_seconds", GAUGE, "How long the oldest image has waited.", measured.oldest),
        single("imgshrink_stored_bytes", GAUGE, "Bytes of originals and results together.", measured.stored),
        by_format("imgshrink_images_accepted_total", "Images accepted.", "accepted"),
        Family("imgshrink_images_ended_total", COUNTER, "Images completed or failed.", ended),
        by_format("imgshrink_original_bytes_total", "Bytes of completed images before.", "original_bytes"),
        by_format("imgshrink_optimized_bytes_total", "Bytes of completed images after.", "optimized_bytes"),
        by_format("imgshrink_work_seconds_total", "Time spent on completed images.", "seconds"),
    ]


def counted(target: Part, count: Callable[[], None], *errors: type[Exception]) -> Part:
    """Return `target`, whose methods call `count` for each of these errors that they raise."""
    return cast(Part, _Counted(target, count, *errors))


class _Counted:
    def __init__(self, target: object, count: Callable[[], None], *errors: type[Exception]) -> None:
        self._target, self._count, self._errors = target, count, errors

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the target's
        method = getattr(self._target, name)

        @functools.wraps(method)
        def called(*values: object, **named: object) -> object:
            try:
                return method(*values, **named)
            except self._errors:
                self._count()
                raise

        return called
