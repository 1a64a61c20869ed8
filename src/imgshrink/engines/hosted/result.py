"""Collects the result of an upload: waits until the job is done, then downloads. All of this is free and repeatable."""

from __future__ import annotations

import time

from ...core import tinyjpg
from . import polling, replies
from .client import ApiClient, Retryable
from .parsing import retry_after
from .payment import Row, Trouble
from .replies import Reply, TransportError
from .urls import UNLISTED

GONE = (404, 410)
NO_ACCESS = (401, 403)
_TRUST = ". If you trust that host, add it to TINYJPG_DOWNLOAD_HOSTS"


class Uncollected(Exception):
    """The result can't be collected now; the text says why, `trouble` what that means for the payment."""

    def __init__(self, trouble: Trouble, reason: str) -> None:
        super().__init__(reason)
        self.trouble = trouble


class ResultFetcher:
    """Collects the result of one upload. `job` is the API's reply to it, None for an upload of an earlier run."""

    def __init__(self, client: ApiClient, row: Row, job: tinyjpg.Job | None, data: bytes, reduced: bytes) -> None:
        self._client = client
        self._timing = client.timing
        self._row = row
        self._job = job
        self._data = data
        self._reduced = reduced
        self._begun = time.monotonic()
        self._age = 0.0 if job is not None else max(0.0, client.ledger.journal.now() - row.at)
        self._missing = ""

    def result(self) -> bytes:
        """Return the result, checked for its length only; raises `Uncollected`, or `Interrupted`.

        Where the API gains nothing it is the smaller of the image and the uploaded bytes, without a download.
        """
        done_at_once = self._job is not None and self._job.status == tinyjpg.COMPLETED
        found = self._take(self._job if done_at_once else self._finished())
        if found is None:  # a URL may have expired; a fresh one costs nothing
            found = self._take(self._finished(again=True))
        if found is None:
            raise self._uncollected(
                Trouble.ELSEWHERE if self._missing else Trouble.GONE, self._missing or "has lost it"
            )
        return found

    def _take(self, job: tinyjpg.Job | None) -> bytes | None:
        if job is None:
            return None
        if job.optimized_size is not None and job.optimized_size >= len(self._reduced):
            return self._reduced if len(self._reduced) < len(self._data) else self._data
        return self._fetch(job)

    def _finished(self, *, again: bool = False) -> tinyjpg.Job | None:
        """Wait until the job is done; None where the API does not know it."""
        in_vain, fresh = 0.0, self._job is not None and not again
        if fresh:
            self._client.sleep(self._client.latency.first_wait(self._client.chance(), self._timing.first))
        while True:
            step, delay = self._status()
            waited = self._age + time.monotonic() - self._begun
            if isinstance(step, replies.Gone):
                self._missing = ""
                return None
            if isinstance(step, replies.Finished):
                if fresh:
                    self._client.latency.add(waited, in_vain, step.job.processing_time)
                return step.job
            in_vain = waited
            wait = max(polling.next_wait(waited, self._client.chance()), delay or 0.0)
            if waited + wait > self._timing.job or wait > self._client.end.left():
                raise self._uncollected(Trouble.UNFINISHED, "is not done with it")
            self._client.sleep(wait)

    def _status(self) -> tuple[replies.Working | replies.Finished | replies.Gone, float | None]:
        """Request the status, repeatedly where no usable reply comes."""
        try:
            return self._client.repeat(self._status_once)
        except Retryable as failure:
            reason = failure.step.reason
        raise self._uncollected(Trouble.ELSEWHERE, reason)

    def _status_once(self) -> tuple[replies.Working | replies.Finished | replies.Gone, float | None]:
        step, delay = self._client.call(self._request, self._read)
        match step:
            case replies.Working() | replies.Finished() | replies.Gone():
                self._client.breaker.reset()
                return step, delay
            case replies.Denied():
                reason = str(self._client.deny(step)).removeprefix(f"{self._client.host} ")
                if step.code == 401:  # no request with this key will do better
                    self._client.breaker.trip(reason, at_once=True)
                raise self._uncollected(Trouble.ELSEWHERE, reason)
            case replies.Refused(reason):
                raise self._uncollected(Trouble.REFUSED, reason)
            case replies.Later() | replies.Unclear():
                raise Retryable(step, delay)

    def _request(self) -> Reply:
        route = tinyjpg.STATUS.format(image_id=self._row.image_id)
        return self._client.transport.get(route, self._client.end.deadline(self._timing.answer))

    def _read(self, code: int, body: bytes) -> replies.Step:
        return replies.after_status(code, body, self._row.image_id)

    def _fetch(self, job: tinyjpg.Job) -> bytes | None:
        """Download the result; None where its URL leads to nothing."""
        if not job.optimized_url:
            raise self._uncollected(Trouble.UNUSABLE, "is done with it, and does not say where the result is")
        try:
            return self._client.repeat(lambda: self._fetch_once(job))
        except Retryable as failure:
            reason = failure.step.reason
            unusable = isinstance(failure.step, replies.Unclear) and failure.exhausted
        raise self._uncollected(Trouble.UNUSABLE if unusable else Trouble.ELSEWHERE, reason)

    def _fetch_once(self, job: tinyjpg.Job) -> bytes | None:
        try:
            return self._download(job)
        except TransportError as broken:
            failure = broken
        if failure.forbidden:
            trust = _TRUST if str(failure).endswith(UNLISTED) else ""
            raise self._uncollected(Trouble.ELSEWHERE, f"{failure}{trust}")
        raise Retryable((replies.Unclear if failure.nonsense else replies.Later)(str(failure)))

    def _download(self, job: tinyjpg.Job) -> bytes | None:
        wanted = job.optimized_size
        largest = len(self._data) if wanted is None else wanted
        deadline = self._client.end.deadline(self._timing.download)
        reply = self._client.transport.download(job.optimized_url, largest, deadline)
        if reply.code in GONE + NO_ACCESS:
            self._missing = f"answered {reply.code} when asked for the result" if reply.code in NO_ACCESS else ""
            return None
        if reply.code != 200:
            reason = f"answered {reply.code} when asked for the result"
            self._client.respect(retry_after(reply.retry_after, time.time()) or 0.0, reason)
            raise TransportError(reason)
        if not reply.body or wanted not in (None, len(reply.body)):
            raise TransportError(f"sent {len(reply.body)} bytes of a result of {wanted}", nonsense=True)
        return reply.body

    def _uncollected(self, trouble: Trouble, reason: str) -> Uncollected:
        return Uncollected(trouble, f"{self._client.host} {reason}")
