"""What a run tells people, while it goes on and when it ends: the same for a build and for the command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from ..core.errors import AccountError, EngineError
from ..core.model import Note, Outcome, Plan, Source
from ..image.carried import REASON as CARRIED
from ..settings.schema import Settings
from . import messages
from .summary import Summary, left, summarize

EVERY = 10.0
FIRST_ESTIMATE = 5.0

Say = Callable[[str], None]


class Spending(Protocol):
    """What a run may spend at the API, and what it has spent."""

    @property
    def host(self) -> str:
        """Where uploads go, "" where nothing is uploaded."""

    @property
    def uploads(self) -> int:
        """How many uploads this run has cost."""

    def to_upload(self, plan: Plan) -> list[int]:
        """Return the bytes of each content of `plan` that is to be uploaded, in the order of the uploads."""

    def quota_left(self) -> int | None:
        """Ask the API what is left of the quota; None where it does not say."""


class ProgressReporter:
    """Watches a run: says at once that there is work, then every ten seconds how far it is; keeps notes for its end."""

    def __init__(
        self, settings: Settings, say: Say, spending: Spending, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._say = say
        self._spending = spending
        self._clock = clock
        self._begun = clock()
        self._plan: Plan | None = None
        self._done = self._done_bytes = 0
        self._quota_left: int | None = None
        self._notes: list[Note] = []

    def planned(self, plan: Plan) -> None:
        """Say what is new, and what will be uploaded."""
        self._plan = plan
        self._work_begun = self._said = self._clock()
        if plan.new:
            self._say(messages.announcement(plan, host=self._spending.host))
        sizes = self._spending.to_upload(plan)[: self._settings.max_uploads]
        if sizes:
            self._quota_left = self._spending.quota_left()
            self._say(messages.uploading(len(sizes), sum(sizes), self._spending.host, self._quota_left))

    def waiting(self) -> None:
        """Say how far the work is, where nothing has been said for ten seconds."""
        now = self._clock()
        if self._plan is not None and now - self._said >= EVERY:
            self._said = now
            plan, left = self._plan, self._left(now)
            self._say(messages.progress(self._done, plan.new, self._done_bytes, plan.new_bytes, left))

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """Nothing is said of a single image."""

    def disabled(self, engine: str, error: EngineError, images: int) -> None:
        """Keep one note about an engine that was given up."""
        text = self._given_up(engine, error, images)
        if text:
            self._notes.append(Note(text, failure=getattr(error, "failure", True)))

    def counted(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass `outcomes` on, counting those of new images."""
        for outcome in outcomes:
            if self._plan is not None:
                self._done += 1
                self._done_bytes += outcome.before
            yield outcome

    def summary(self, outcomes: Iterable[Outcome]) -> Summary:
        """Return the numbers of the run, which ends now."""
        uploads, left = self._spending.uploads, self._quota_left
        return summarize(
            outcomes,
            seconds=self._clock() - self._begun,
            uploads=uploads,
            quota_left=None if left is None else max(0, left - uploads),
        )

    def notes(self, outcomes: Sequence[Outcome], others: Iterable[str] = (), *, next_run: str) -> list[Note]:
        """Return what is to be said beside the result; `others` are the notes of the parts that were used."""
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
        return notes + [Note(text) for text in others]

    def _left(self, now: float) -> float | None:
        passed = now - self._work_begun
        if self._plan is None or passed < FIRST_ESTIMATE or not self._done_bytes:
            return None
        return passed * (self._plan.new_bytes - self._done_bytes) / self._done_bytes

    def _given_up(self, engine: str, error: EngineError, images: int) -> str:
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
        return messages.out_of_reach(str(error), images, fallen_back=fallen_back)
