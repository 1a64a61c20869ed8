"""The lines that a run prints while it goes on and at its end: the same for a build, the hook and the command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from ..core.errors import AccountError, EngineError
from ..core.model import Note, Outcome, Plan, Source
from ..image.carried import REASON as CARRIED
from ..settings.schema import Settings
from . import messages
from .summary import Summary, left, summarize

EVERY = 10.0
FIRST_ESTIMATE = 5.0
FEWEST, LEAST, ENOUGH = 5, 0.1, 0.5
"""An estimate needs so many images and at least so large a share of the bytes, or that share alone."""


Info = Callable[[str], None]


class Spending(Protocol):
    """What a run may spend at the API, and what it has spent."""

    @property
    def host(self) -> str:
        """The host that images are uploaded to, "" where nothing is uploaded."""

    @property
    def uploads(self) -> int:
        """The number of uploads that this run has cost."""

    def to_upload(self, plan: Plan) -> list[int]:
        """Return the size in bytes of each content of `plan` to upload, in the order of the uploads."""

    def quota_left(self) -> int | None:
        """Ask the API what is left of the quota; return None where it does not say."""


class ProgressReporter:
    """An observer of a run: announces the work, prints the progress every ten seconds, collects notes for the end.

    `retry` says how images that an engine did not get can be sent to it again, "" where there is no such way.
    """

    def __init__(
        self,
        settings: Settings,
        info: Info,
        spending: Spending,
        *,
        retry: str = "the next run tries again",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._retry = retry
        self._settings = settings
        self._info = info
        self._spending = spending
        self._clock = clock
        self._started = clock()
        self._plan: Plan | None = None
        self._done = self._done_bytes = 0
        self._quota_left: int | None = None
        self._notes: list[Note] = []

    def planned(self, plan: Plan) -> None:
        """Say what is new, and what will be uploaded."""
        self._plan = plan
        self._work_started = self._last_info = self._clock()
        if plan.new:
            later = "later builds" if self._settings.frontend == "plugin" else "later runs"
            self._info(messages.announcement(plan, host=self._spending.host, later=later))
        sizes = self._spending.to_upload(plan)[: self._settings.max_uploads]
        if sizes:
            self._quota_left = self._spending.quota_left()
            self._info(messages.uploading(len(sizes), sum(sizes), self._spending.host, self._quota_left))

    def waiting(self) -> None:
        """Print the progress if nothing was printed for ten seconds."""
        now = self._clock()
        if self._plan is not None and now - self._last_info >= EVERY:
            self._last_info = now
            plan, left = self._plan, self._left(now)
            self._info(messages.progress(self._done, plan.new, self._done_bytes, plan.new_bytes, left))

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """Do nothing: single images are not announced."""

    def unanswered(self, engine: str, error: EngineError, images: int) -> None:
        """Collect a note about an engine that did not answer."""
        text = self._why_unanswered(engine, error, images)
        if text:
            self._notes.append(Note(text, failure=getattr(error, "failure", True)))

    def refused(self, engine: str, reasons: Mapping[str, int]) -> None:
        """Collect a note about results that were paid for and not taken."""
        fallen_back = engine == "hosted" and self._settings.engine != "hosted"
        self._notes.append(Note(messages.refused(self._spending.host, reasons, fallen_back=fallen_back)))

    def counted(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass `outcomes` on, and count those of new images."""
        for outcome in outcomes:
            if self._plan is not None:
                self._done += 1
                self._done_bytes += outcome.before
            yield outcome

    def summary(self, outcomes: Iterable[Outcome], *, excluded: int = 0) -> Summary:
        """Return the numbers of the run, whose time ends now; `excluded` images were left out of it."""
        uploads, left = self._spending.uploads, self._quota_left
        return summarize(
            outcomes,
            seconds=self._clock() - self._started,
            uploads=uploads,
            quota_left=None if left is None else max(0, left - uploads),
            excluded=excluded,
        )

    def notes(self, outcomes: Sequence[Outcome], others: Iterable[str | Note] = (), *, next_run: str) -> list[Note]:
        """Return the notes to print after the result; `others` are those of the parts that were used."""
        settings, summary = self._settings, self.summary(outcomes)
        notes = [Note(messages.key_empty(), failure=False)] if settings.key_empty and settings.engine == "auto" else []
        notes += self._notes
        if summary.late and settings.max_time is not None:
            late = messages.time_over(settings.max_time, summary.late, summary.late_bytes, next_run=next_run)
            notes.append(Note(late))
        if summary.pending:
            notes.append(Note(messages.in_work(summary.pending, self._spending.host)))
        if settings.engine == "hosted" and settings.api_key is None and summary.unserved:
            notes.append(Note(messages.no_key(summary.unserved)))
        if rows := left(outcomes):
            on_purpose = all(row.reason.startswith(CARRIED) for row in rows)
            notes.append(Note(messages.left_alone(rows), failure=not on_purpose))
        return notes + [other if isinstance(other, Note) else Note(other) for other in others]

    def _left(self, now: float) -> float | None:
        """Return an estimate in seconds, None while too little is done to make one: images differ a lot."""
        passed = now - self._work_started
        if self._plan is None or passed < FIRST_ESTIMATE:
            return None
        share = self._done_bytes / max(1, self._plan.new_bytes)
        if share < ENOUGH and (self._done < FEWEST or share < LEAST):
            return None
        return passed * (self._plan.new_bytes - self._done_bytes) / self._done_bytes

    def _why_unanswered(self, engine: str, error: EngineError, images: int) -> str:
        fallen_back = engine == "hosted" and self._settings.engine != "hosted"
        match error:
            case AccountError(kind="refused"):
                return messages.key_refused(error.host, error.status, images, fallen_back=fallen_back)
            case AccountError(kind="quota"):
                return messages.quota_used_up(
                    self._spending.uploads, images, renews=error.renews, fallen_back=fallen_back
                )
            case AccountError():
                return str(error)
        return messages.out_of_reach(str(error), images, fallen_back=fallen_back, retry=self._retry)
