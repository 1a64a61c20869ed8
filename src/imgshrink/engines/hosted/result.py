"""Collecting what was paid for: ask until it is done, then fetch it. All of this is free and may be repeated."""

from __future__ import annotations

import time
from typing import NoReturn

from ...core import tinyjpg
from ...core.errors import AccountError, Rejected, ResultPending
from . import polling, replies
from .client import ApiClient, NoResponse
from .journal import Row
from .parsing import retry_after
from .response import Reply, TransportError
from .urls import UNLISTED

GONE = (401, 403, 404, 410)
_LATER = ": the next run tries to collect what was paid for"
_TRUST = ". If you trust that host, add it to TINYJPG_DOWNLOAD_HOSTS: the next run collects what was paid for"


class ResultFetcher:
    """The result of one upload. `job` is what the API answered to it just now, None for an earlier run's upload."""

    def __init__(self, client: ApiClient, row: Row, job: tinyjpg.Job | None, data: bytes, reduced: bytes) -> None:
        self._client = client
        self._timing = client.timing
        self._row = row
        self._job = job
        self._data = data
        self._reduced = reduced
        self._begun = time.monotonic()
        self._age = 0.0 if job is not None else max(0.0, client.ledger.journal.now() - row.at)

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
            self._client.sleep(self._client.account.first_wait(self._timing.first))
        while True:
            step, delay = self._status()
            waited = self._age + time.monotonic() - self._begun
            if isinstance(step, replies.Gone):
                return None
            if isinstance(step, replies.Finished):
                if fresh:
                    self._client.account.took(waited, in_vain, step.job.processing_time)
                return step.job
            in_vain = waited
            wait = max(polling.next_wait(waited, self._client.account.chance()), delay or 0.0)
            if waited + wait > self._timing.job:
                self._leave(f"{self._client.host} is not done with it")
            self._client.sleep(wait)

    def _status(self) -> tuple[replies.Working | replies.Finished | replies.Gone, float | None]:
        """Ask, and again where no usable answer comes."""
        patience = _Patience(self)
        while True:
            self._client.sleep(self._client.account.paused())
            step, delay = self._client.call(self._ask, self._read)
            match step:
                case replies.Working() | replies.Finished() | replies.Gone():
                    self._client.account.answered()
                    return step, delay
                case replies.Denied():
                    raise self._client.denied(step)
                case replies.Refused(reason):
                    raise Rejected(f"{self._client.host} {reason}")
                case replies.Later(reason) | replies.Unclear(reason):
                    patience.lose(f"{self._client.host} {reason}", delay, step)

    def _ask(self) -> Reply:
        route = tinyjpg.STATUS.format(image_id=self._row.image_id)
        return self._client.transport.get(route, time.monotonic() + self._timing.answer)

    def _read(self, code: int, body: bytes) -> replies.Step:
        return replies.after_status(code, body, self._row.image_id)

    def _fetch(self, job: tinyjpg.Job) -> bytes | None:
        """Download the result; None where its address leads to nothing."""
        if not job.optimized_url:
            raise Rejected(f"{self._client.host} is done with it, and does not say where the result is")
        patience = _Patience(self)
        while True:
            self._client.sleep(self._client.account.paused())
            try:
                return self._download(job)
            except TransportError as broken:
                failure = broken
            if failure.forbidden:
                raise AccountError(
                    f"{self._client.host} {failure}{_TRUST if str(failure).endswith(UNLISTED) else _LATER}"
                )
            if failure.nonsense and patience.last:
                raise Rejected(f"{self._client.host} {failure}")
            patience.lose(f"{self._client.host} {failure}")

    def _download(self, job: tinyjpg.Job) -> bytes | None:
        wanted = job.optimized_size
        largest = len(self._data) if wanted is None else wanted
        reply = self._client.transport.download(job.optimized_url, largest, time.monotonic() + self._timing.download)
        if reply.code in GONE:
            return None
        if reply.code != 200:
            self._client.account.pause(min(retry_after(reply.retry_after, time.time()) or 0.0, self._timing.pause))
            raise TransportError(f"answered {reply.code} when asked for the result")
        if not reply.body or wanted not in (None, len(reply.body)):
            raise TransportError(f"sent {len(reply.body)} bytes of a result of {wanted}", nonsense=True)
        return reply.body

    def _leave(self, reason: str) -> NoReturn:
        """Leave it to the next run; what has not come within a day never will."""
        if self._age > self._timing.lost:
            raise Rejected(f"{reason} after a day")
        raise ResultPending(f"paid for, but {reason}: the next run collects it")


class _Patience:
    """How often, and how long, an image asks again for what is free."""

    def __init__(self, fetcher: ResultFetcher) -> None:
        self._fetcher = fetcher
        self._client = fetcher._client
        self._begun = time.monotonic()
        self._failures = 0

    @property
    def last(self) -> bool:
        """The next failure is the last one."""
        return self._failures + 1 >= self._client.timing.tries

    def lose(self, reason: str, delay: float | None = None, step: replies.Step | None = None) -> None:
        """Wait for another try, or leave it to the next run."""
        last, timing = self.last, self._client.timing
        self._failures += 1
        late = delay is None and time.monotonic() - self._begun > timing.persistence
        if late or last or self._client.account.silence or (delay or 0.0) > timing.pause:
            if isinstance(step, NoResponse):
                self._client.account.trip(step.reason, for_good=step.unreached)
            self._fetcher._leave(reason)
        self._client.sleep(max(delay or 0.0, self._client.backoff(self._failures)))
