"""`--dry-run`: what would be done, without doing, writing or spending anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..pipeline.check import LEFT_ALONE
from ..pipeline.inspection import State
from ..report.messages import outlook as line
from ..report.messages import uploads_needed
from .output import say, tell

if TYPE_CHECKING:
    from ..session import Session
    from .run import Found


def outlook(session: Session, images: Found) -> int:
    """Count images by state and the uploads that a run would need; return the exit code."""
    surveys, plan = session.survey(images.sources)
    states = Counter(survey.seen.state for survey in surveys)
    for note in (*images.notes, *images.hints):
        say(f"imgshrink: {note}")
    tell(
        "imgshrink: "
        + line(
            plan,
            finished=states[State.SHRUNK],
            known=states[State.OPEN] - plan.new,
            small=states[State.SMALL],
            left=sum(states[state] for state in LEFT_ALONE),
            excluded=images.excluded,
        )
    )
    if "hosted" in plan.asked:
        needed = len(session.to_upload(plan))
        tell(f"imgshrink: {uploads_needed(needed, session.settings.max_uploads, session.quota_left())}")
    return 0
