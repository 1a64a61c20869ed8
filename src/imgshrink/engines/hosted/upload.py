"""One image's way through the API: upload, ask until it is done, fetch. A payment is written down before it is made."""

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
from .client import ApiClient, Interrupted, NoResponse
from .journal import REJECTED, UPLOADED, UPLOADS, JournalError, Row
from .response import Reply
from .result import ResultFetcher


class Upload:
    """One image, to be run once. `key` is what the journal knows it by."""

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
        return self._buy(row)

    @cached_property
    def _reduced(self) -> bytes:
        return reduce(self._data, notices=False)

    def _buy(self, before: Row | None) -> bytes:
        row, job = self._upload(before)
        result = self._collect(row, job)
        if result is None:  # it may be found again, but is not bought again
            self._note(replace(row, attempts=UPLOADS))
            raise UploadLimitReached(f"{self._client.host} has lost it")
        return result

    def _collect(self, row: Row, job: tinyjpg.Job | None) -> bytes | None:
        """Return the result of an upload, None where the API no longer has it."""
        self._paid = True
        fetcher = ResultFetcher(self._client, row, job, self._data, self._reduced)
        try:
            result = fetcher.result()
        except Rejected as rejected:
            self._note(replace(row, state=REJECTED, reason=str(rejected)))
            raise
        self._paid = result is not None
        return result

    def _upload(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload, repeating only what certainly did not happen."""
        begun, timing = time.monotonic(), self._client.timing
        for repeat in range(1, timing.tries + 1):
            self._client.sleep(self._client.account.paused())
            try:
                return self._send(before)
            except _Postponed as postponed:
                later, delay = postponed.later, postponed.delay
            if delay is None and time.monotonic() - begun > timing.persistence:
                break
            if self._client.account.silence or repeat == timing.tries or (delay or 0.0) > timing.pause:
                break
            self._client.sleep(max(delay or 0.0, self._client.backoff(repeat)))
        if isinstance(later, NoResponse):
            self._client.account.trip(later.reason, for_good=later.unreached)
        raise Unavailable(f"{self._client.host} {later.reason}")

    def _send(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload once; whatever it comes to is written down before anything else is done."""
        row = self._begin(before)
        step, delay = self._client.call(lambda: self._post(row), replies.after_upload)
        match step:
            case replies.Working(job) | replies.Finished(job):
                row = replace(row, state=UPLOADED, image_id=job.image_id)
                self._note(row)
                self._client.account.answered()
                if row.spent:
                    self._client.account.repeat()
                return row, job
            case replies.Later():
                self._take_back(before)
                raise _Postponed(step, delay)
            case replies.Denied():
                self._take_back(before)
                raise self._client.denied(step)
            case replies.Refused(reason):
                raise self._rejected(row, f"{self._client.host} {reason}")
            case replies.Unclear(reason):
                raise self._broken_off(row, reason)
            case replies.Gone():
                raise self._broken_off(row, "has nothing under this address")

    def _begin(self, before: Row | None) -> Row:
        """Write down that an upload begins; raises `AccountError` or `JournalError` where it may not."""
        self._client.account.permit()
        row = None
        try:
            row = self._client.ledger.begin(self._key, token_hex(16), instead_of=before)
        finally:
            if row is None:
                self._client.account.refund()
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

    def _take_back(self, before: Row | None) -> None:
        self._uploads -= 1
        self._client.account.refund()
        with suppress(JournalError):
            self._client.ledger.undo(self._key, before)

    def _broken_off(self, row: Row, reason: str) -> Exception:
        """Nobody knows whether it was paid for: it is not repeated in this run, and once at most in a later one."""
        if row.spent:
            return UploadLimitReached(
                f"twice {self._client.host} gave no usable answer to its upload ({reason}): no third time"
            )
        self._client.account.unknown_upload(reason)
        if self._client.stop.is_set():
            return Interrupted()
        return Unavailable(f"{self._client.host} gave no usable answer to an upload ({reason})")

    def _rejected(self, row: Row, reason: str) -> Rejected:
        self._note(replace(row, state=REJECTED, reason=reason))
        return Rejected(reason)

    def _note(self, row: Row) -> None:
        """Write down what became of it; where that fails, the row that says `sending` holds: that is the safe side."""
        with suppress(JournalError):
            self._client.ledger.settle(self._key, row)


class _Postponed(Exception):
    """An upload certainly did not happen, and may be tried again after `delay` seconds, where there is one."""

    def __init__(self, later: replies.Later, delay: float | None) -> None:
        super().__init__(later.reason)
        self.later = later
        self.delay = delay
