"""One image at the API: upload, wait for the job, download. Every upload is recorded before it is made."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from secrets import token_hex

from ...core import tinyjpg
from ...core.errors import EngineError, Rejected, ResultPending, Unavailable, UploadLimitReached
from ...core.model import ImageInfo, Recipe
from ...image.metadata import reduce
from . import replies
from .client import ApiClient, Interrupted, Retryable
from .journal import REJECTED, UPLOADED, UPLOADS, JournalError, Row
from .replies import Reply
from .result import ResultFetcher


class Upload:
    """One image, for one call of `run`. `key` is the key of its row in the journal."""

    def __init__(self, client: ApiClient, key: str, data: bytes, info: ImageInfo, recipe: Recipe) -> None:
        self._client = client
        self._key = key
        self._data = data
        self._info = info
        self._recipe = recipe
        self._uploads = 0
        self._paid = False

    def run(self) -> bytes:
        """Return the API's result, or the image itself where there is nothing to gain; raises `EngineError`."""
        try:
            return self._run()
        except EngineError as error:
            error.uploads = self._uploads
            raise
        except Interrupted:
            pass
        if self._paid:
            raise ResultPending("interrupted; it is paid for, and the next run collects it", uploads=self._uploads)
        raise Unavailable("interrupted", uploads=self._uploads)

    def _run(self) -> bytes:
        row = self._client.ledger.find(self._key)
        if row is not None and row.state == REJECTED:
            raise Rejected(row.reason)
        if row is not None and row.state == UPLOADED:
            result = self._collect(row, None)
            if result is not None:
                return result
        if row is not None and row.spent:
            raise UploadLimitReached(f"{self._client.host} was sent it twice and has not delivered: no third time")
        return self._upload_and_collect(row)

    @cached_property
    def _reduced(self) -> bytes:
        return reduce(self._data)

    def _upload_and_collect(self, before: Row | None) -> bytes:
        row, job = self._upload(before)
        result = self._collect(row, job)
        if result is None:  # a later run may find it, but no further upload is made
            self._record(replace(row, attempts=UPLOADS))
            raise UploadLimitReached(f"{self._client.host} has lost it")
        return result

    def _collect(self, row: Row, job: tinyjpg.Job | None) -> bytes | None:
        """Return the result of an upload, None where the API no longer has it."""
        self._paid = True
        fetcher = ResultFetcher(self._client, row, job, self._data, self._reduced)
        try:
            result = fetcher.result()
        except Rejected as rejected:
            self._record(replace(row, state=REJECTED, reason=str(rejected)))
            raise
        self._paid = result is not None
        return result

    def _upload(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload; an attempt is repeated only if it certainly did not happen."""
        try:
            return self._client.repeat(lambda: self._send(before))
        except Retryable as failure:
            reason = failure.step.reason
        raise Unavailable(f"{self._client.host} {reason}")

    def _send(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload once, and record the outcome before anything else is done."""
        row = self._begin(before)
        step, delay = self._client.call(lambda: self._post(row), replies.after_upload)
        match step:
            case replies.Working(job) | replies.Finished(job):
                row = replace(row, state=UPLOADED, image_id=job.image_id)
                self._record(row)
                self._client.breaker.reset()
                if row.spent:
                    self._client.budget.repeated_upload()
                return row, job
            case replies.Later():
                self._undo(before)
                raise Retryable(step, delay)
            case replies.Denied():
                self._undo(before)
                raise self._client.deny(step)
            case replies.Refused(reason):
                raise self._rejected(row, f"{self._client.host} {reason}")
            case replies.Unclear(reason):
                raise self._unknown(row, reason)
            case replies.Gone():
                raise self._unknown(row, "has nothing under this address")

    def _begin(self, before: Row | None) -> Row:
        """Record that an upload begins; raises `AccountError` or `JournalError` where it may not."""
        self._client.budget.permit()
        row = None
        try:
            row = self._client.ledger.begin(self._key, token_hex(16), instead_of=before)
        finally:
            if row is None:
                self._client.budget.refund()
        if row is None:
            raise Unavailable(f"another process is uploading it to {self._client.host}")
        self._uploads += 1
        return row

    def _post(self, row: Row) -> Reply:
        form = self._info.format
        upload = tinyjpg.upload(self._reduced, form.extension, form.media_type, self._recipe.quality, row.token)
        return self._client.transport.post(
            tinyjpg.OPTIMIZE, upload, row.token, time.monotonic() + self._client.timing.job
        )

    def _undo(self, before: Row | None) -> None:
        self._uploads -= 1
        self._client.budget.refund()
        with suppress(JournalError):
            self._client.ledger.undo(self._key, before)

    def _unknown(self, row: Row, reason: str) -> Exception:
        """Return the error for an upload that may have been paid for: it is repeated at most once, in a later run."""
        if row.spent:
            return UploadLimitReached(
                f"twice {self._client.host} gave no usable answer to its upload ({reason}): no third time"
            )
        self._client.budget.unknown_upload(reason)
        if self._client.stop.is_set():
            return Interrupted()
        return Unavailable(f"{self._client.host} gave no usable answer to an upload ({reason})")

    def _rejected(self, row: Row, reason: str) -> Rejected:
        self._record(replace(row, state=REJECTED, reason=reason))
        return Rejected(reason)

    def _record(self, row: Row) -> None:
        """Record the outcome; where that fails the row stays `sending`, which permits fewer uploads, not more."""
        with suppress(JournalError):
            self._client.ledger.settle(self._key, row)
