"""One image at the API: upload, wait for the job, download. Every upload is recorded before it is made."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from secrets import token_hex

from ...core import tinyjpg
from ...core.errors import EngineError, Rejected, ResultPending, Unavailable, UploadLimitReached
from ...core.model import ImageInfo, Recipe
from ...image.metadata import reduce
from . import replies
from .client import UPLOAD_GRACE, ApiClient, Interrupted, Retryable
from .journal import JournalError
from .payment import REJECTED, UPLOADED, Action, Row, Trouble, action_after, first_action
from .replies import Reply
from .result import ResultFetcher, Uncollected


class Upload:
    """One image, for one call of `run`. `key` is the key of its row in the journal."""

    def __init__(self, client: ApiClient, key: str, data: bytes, info: ImageInfo, recipe: Recipe) -> None:
        self._client = client
        self._key = key
        self._data = data
        self._info = info
        self._recipe = recipe
        self._uploads = 0

    def run(self) -> bytes:
        """Return the API's result, or the image itself where there is nothing to gain; raises `EngineError`."""
        try:
            return self._run()
        except EngineError as error:
            error.uploads = self._uploads
            raise
        except Interrupted as interrupted:
            reason = str(interrupted)
        raise Unavailable(reason, uploads=self._uploads)

    def _run(self) -> bytes:
        row = self._client.ledger.find(self._key)
        action = first_action(row)
        if row is not None and action is Action.COLLECT:
            result = self._collect(row, None)
            if isinstance(result, bytes):
                return result
            action = result
        if row is not None and action is Action.REJECT:
            raise Rejected(row.reason, remembered=True)
        if action is Action.STOP_UPLOADS:
            raise UploadLimitReached(f"{self._client.host} was sent it twice and has not delivered: no third time")
        row, job = self._upload(row)
        result = self._collect(row, job)
        if isinstance(result, bytes):
            return result
        raise UploadLimitReached(f"{self._client.host} has lost it")

    @cached_property
    def _reduced(self) -> bytes:
        return reduce(self._data, notices=False)

    def _collect(self, row: Row, job: tinyjpg.Job | None) -> bytes | Action:
        """Return the result of an upload, or what to do if the API no longer has it; raises `EngineError` otherwise."""
        if row.state == REJECTED:
            self._client.budget.same_image_id()
            raise Rejected(f"{self._client.host} {row.reason}")
        try:
            result = ResultFetcher(self._client, row, job, self._data, self._reduced).result()
        except Interrupted as interrupted:
            failure = Uncollected(Trouble.ELSEWHERE, str(interrupted))
        except Uncollected as uncollected:
            failure = uncollected
        else:
            return self._delivered(result)
        return self._after(failure, row)

    def _after(self, failure: Uncollected, row: Row) -> Action:
        age = self._client.ledger.journal.now() - row.at
        action = action_after(failure.trouble, row, age)
        if action is Action.LEAVE:
            if failure.trouble is not Trouble.UNFINISHED:
                self._client.budget.left_uncollected(str(failure))
            raise ResultPending(f"paid for, but {failure}: the next run collects it")
        if action is Action.REJECT:
            reason = str(failure) if failure.trouble is Trouble.REFUSED else f"{failure} after a day"
            raise self._rejected(row, reason)
        return action

    def _delivered(self, result: bytes) -> bytes:
        """Record the delivery; raises `Rejected` if meanwhile another image got the same image id."""
        row = None
        with suppress(JournalError):
            row = self._client.ledger.deliver(self._key)
        if row is not None and row.state == REJECTED:
            raise Rejected(f"{self._client.host} {row.reason}")
        return result

    def _upload(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload; an attempt is repeated only if it certainly did not happen."""
        try:
            return self._client.repeat(lambda: self._send(before))
        except Retryable as failure:
            reason = failure.step.reason
        raise Unavailable(f"{self._client.host} {reason}", lasting=bool(self._client.breaker.reason))

    def _send(self, before: Row | None) -> tuple[Row, tinyjpg.Job]:
        """Upload once, and record the outcome before anything else is done."""
        row = self._begin(before)
        step, delay = self._client.call(lambda: self._post(row), replies.after_upload)
        match step:
            case replies.Working(job) | replies.Finished(job):
                row = self._accepted(replace(row, state=UPLOADED, image_id=job.image_id))
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
            body = hashlib.sha256(self._reduced).hexdigest()[:32]
            row = self._client.ledger.begin(self._key, token_hex(16), instead_of=before, body=body)
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
        deadline = self._client.end.deadline(self._client.timing.job, grace=UPLOAD_GRACE)
        return self._client.transport.post(tinyjpg.OPTIMIZE, upload, row.token, deadline)

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
            return Interrupted("interrupted")
        return Unavailable(f"{self._client.host} gave no usable answer to an upload ({reason})")

    def _rejected(self, row: Row, reason: str) -> Rejected:
        self._record(replace(row, state=REJECTED, reason=reason))
        return Rejected(reason)

    def _accepted(self, row: Row) -> Row:
        """Record the image id; return the row as it is now, which is rejected if another image got the same id."""
        with suppress(JournalError):
            return self._client.ledger.accept(self._key, row)
        return row

    def _record(self, row: Row) -> None:
        """Record the outcome; where that fails the row stays `sending`, which permits fewer uploads, not more."""
        with suppress(JournalError):
            self._client.ledger.settle(self._key, row)
