"""Collecting what was paid for: ask until it is done, then fetch it. All of this is free and may be repeated."""

from __future__ import annotations

import time
from typing import NoReturn

from ...core import tinyjpg
from ...core.errors import AccountError, Pending, Rejected
from . import polling, replies
from .client import Shop, Silence
from .journal import Row
from .parsing import retry_after
from .response import Broken, Reply
from .urls import UNLISTED

GONE = (401, 403, 404, 410)
_LATER = ": the next run tries to collect what was paid for"
_TRUST = ". If you trust that host, add it to TINYJPG_DOWNLOAD_HOSTS: the next run collects what was paid for"


class Collection:
    """The result of one upload. `job` is what the API answered to it just now, None for an earlier run's upload."""

    def __init__(self, shop: Shop, row: Row, job: tinyjpg.Job | None, data: bytes, reduced: bytes) -> None:
        self._shop = shop
        self._timing = shop.timing
        self._row = row
        self._job = job
        self._data = data
        self._reduced = reduced
        self._begun = time.monotonic()
        self._age = 0.0 if job is not None else max(0.0, shop.ledger.journal.now() - row.at)

    def result(self) -> bytes | None:
        """Return the result, of which only the length is checked, or what is smaller already; None where it is gone."""
        done_at_once = self._job is not None and self._job.status == tinyjpg.COMPLETED
        found = self._take(self._job if done_at_once else self._finished())
        if found is not None:
            return found
        return self._take(self._finished(again=True))  # an address may have expired, and paying again costs more

    def _take(self, job: tinyjpg.Job | None) -> bytes | None:
        if job is None:
            return None
        if job.optimized_size is not None and job.optimized_size >= len(self._reduced):
            return self._reduced if len(self._reduced) < len(self._data) else self._data
        return self._fetch(job)

    def _finished(self, *, again: bool = False) -> tinyjpg.Job | None:
        """Ask until the job is done; None where the API does not know it."""
        in_vain, fresh = 0.0, self._job is not None and not again
        if fresh:
            self._shop.rest(self._shop.account.first_wait(self._timing.first))
        while True:
            step, delay = self._status()
            waited = self._age + time.monotonic() - self._begun
            if isinstance(step, replies.Gone):
                return None
            if isinstance(step, replies.Finished):
                if fresh:
                    self._shop.account.took(waited, in_vain, step.job.processing_time)
                return step.job
            in_vain = waited
            wait = max(polling.next_wait(waited, self._shop.account.chance()), delay or 0.0)
            if waited + wait > self._timing.job:
                self._leave(f"{self._shop.host} is not done with it")
            self._shop.rest(wait)

    def _status(self) -> tuple[replies.Working | replies.Finished | replies.Gone, float | None]:
        """Ask, and again where no usable answer comes."""
        patience = _Patience(self)
        while True:
            self._shop.rest(self._shop.account.paused())
            step, delay = self._shop.attend(self._ask, self._read)
            match step:
                case replies.Working() | replies.Finished() | replies.Gone():
                    self._shop.account.answered()
                    return step, delay
                case replies.Denied():
                    raise self._shop.denied(step)
                case replies.Refused(reason):
                    raise Rejected(f"{self._shop.host} {reason}")
                case replies.Later(reason) | replies.Unclear(reason):
                    patience.lose(f"{self._shop.host} {reason}", delay, step)

    def _ask(self) -> Reply:
        route = tinyjpg.STATUS.format(image_id=self._row.image_id)
        return self._shop.transport.get(route, time.monotonic() + self._timing.answer)

    def _read(self, code: int, body: bytes) -> replies.Step:
        return replies.after_status(code, body, self._row.image_id)

    def _fetch(self, job: tinyjpg.Job) -> bytes | None:
        """Download the result; None where its address leads to nothing."""
        if not job.optimized_url:
            raise Rejected(f"{self._shop.host} is done with it, and does not say where the result is")
        patience = _Patience(self)
        while True:
            self._shop.rest(self._shop.account.paused())
            try:
                return self._download(job)
            except Broken as broken:
                failure = broken
            if failure.forbidden:
                raise AccountError(
                    f"{self._shop.host} {failure}{_TRUST if str(failure).endswith(UNLISTED) else _LATER}"
                )
            if failure.nonsense and patience.last:
                raise Rejected(f"{self._shop.host} {failure}")
            patience.lose(f"{self._shop.host} {failure}")

    def _download(self, job: tinyjpg.Job) -> bytes | None:
        wanted = job.optimized_size
        largest = len(self._data) if wanted is None else wanted
        reply = self._shop.transport.download(job.optimized_url, largest, time.monotonic() + self._timing.download)
        if reply.code in GONE:
            return None
        if reply.code != 200:
            self._shop.account.pause(min(retry_after(reply.retry_after, time.time()) or 0.0, self._timing.pause))
            raise Broken(f"answered {reply.code} when asked for the result")
        if not reply.body or wanted not in (None, len(reply.body)):
            raise Broken(f"sent {len(reply.body)} bytes of a result of {wanted}", nonsense=True)
        return reply.body

    def _leave(self, reason: str) -> NoReturn:
        """Leave it to the next run; what has not come within a day never will."""
        if self._age > self._timing.lost:
            raise Rejected(f"{reason} after a day")
        raise Pending(f"paid for, but {reason}: the next run collects it")


class _Patience:
    """How often, and how long, an image asks again for what is free."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._shop = collection._shop
        self._begun = time.monotonic()
        self._failures = 0

    @property
    def last(self) -> bool:
        """The next failure is the last one."""
        return self._failures + 1 >= self._shop.timing.tries

    def lose(self, reason: str, delay: float | None = None, step: replies.Step | None = None) -> None:
        """Wait for another try, or leave it to the next run."""
        last, timing = self.last, self._shop.timing
        self._failures += 1
        late = delay is None and time.monotonic() - self._begun > timing.persistence
        if late or last or self._shop.account.silence or (delay or 0.0) > timing.pause:
            if isinstance(step, Silence):
                self._shop.account.gave_up(step.reason, for_good=step.unreached)
            self._collection._leave(reason)
        self._shop.rest(max(delay or 0.0, self._shop.backoff(self._failures)))
