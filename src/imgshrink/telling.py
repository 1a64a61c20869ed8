"""What a run tells people, while it goes on and when it ends: the same for a build and for the command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from . import report
from .errors import AccountError, EngineError
from .model import Note, Outcome, Plan
from .settings import Settings

EVERY = 10.0
FIRST_ESTIMATE = 5.0

Say = Callable[[str], None]


class Telling:
    """Watches a run: says at once that there is work, then every ten seconds how far it is; keeps notes for its end.

    `host` is where uploads go. `quota_left` is asked once, before the first upload.
    """

    def __init__(
        self,
        settings: Settings,
        say: Say,
        *,
        host: str = "",
        quota_left: Callable[[], int | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._say = say
        self._host = host
        self._quota_left = quota_left
        self._clock = clock
        self._begun = clock()
        self._plan: Plan | None = None
        self._done = self._done_bytes = self._uploads = 0
        self._notes: list[Note] = []

    def planned(self, plan: Plan) -> None:
        """Say what is new, and what will be uploaded."""
        self._plan = plan
        self._work_begun = self._said = self._clock()
        if plan.new:
            self._say(report.announcement(plan, host=self._host))
        images, count = plan.asked.get("hosted", (0, 0))
        if images and self._host:
            self._say(report.uploading(images, count, self._host, self._quota_left()))

    def waiting(self) -> None:
        """Say how far the work is, where nothing has been said for ten seconds."""
        now = self._clock()
        if self._plan is not None and now - self._said >= EVERY:
            self._said = now
            plan, left = self._plan, self._left(now)
            self._say(report.progress(self._done, plan.new, self._done_bytes, plan.new_bytes, left))

    def retired(self, engine: str, error: EngineError, images: int) -> None:
        """Keep one note about an engine that was given up."""
        text = self._given_up(engine, error, images)
        if text:
            self._notes.append(Note(text, failure=getattr(error, "failure", True)))

    def counted(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass `outcomes` on, counting those of new images."""
        for outcome in outcomes:
            self._uploads += outcome.uploads
            if self._plan is not None:
                self._done += 1
                self._done_bytes += outcome.before
            yield outcome

    def summary(self, outcomes: Iterable[Outcome]) -> report.Summary:
        """Return the numbers of the run, which ends now."""
        return report.summarize(outcomes, seconds=self._clock() - self._begun)

    def notes(self, outcomes: Sequence[Outcome], others: Iterable[str] = (), *, next_run: str) -> list[Note]:
        """Return what is to be said beside the result; `others` are the notes of the parts that were used."""
        settings, summary = self._settings, self.summary(outcomes)
        notes = [Note(report.key_empty(), failure=False)] if settings.key_empty and settings.engine == "auto" else []
        notes += self._notes
        if summary.late and settings.max_time is not None:
            late = report.time_over(settings.max_time, summary.late, summary.late_bytes, next_run=next_run)
            notes.append(Note(late))
        if rows := report.left(outcomes):
            notes.append(Note(report.left_alone(rows)))
        return notes + [Note(text) for text in others]

    def _left(self, now: float) -> float | None:
        passed = now - self._work_begun
        if self._plan is None or passed < FIRST_ESTIMATE or not self._done_bytes:
            return None
        return passed * (self._plan.new_bytes - self._done_bytes) / self._done_bytes

    def _given_up(self, engine: str, error: EngineError, images: int) -> str:
        passed_on = self._settings.engine != "hosted"
        match error:
            case AccountError(kind="refused"):
                return report.key_refused(error.host, error.status, images, passed_on=passed_on)
            case AccountError(kind="quota"):
                return report.quota_used_up(self._uploads, images, renews=error.renews, passed_on=passed_on)
            case AccountError(kind="no-key"):
                return report.no_key(images)
            case AccountError():
                return str(error)
        return f"{engine} was given up in this run after {report.counted(images, 'image')}: {error}"
