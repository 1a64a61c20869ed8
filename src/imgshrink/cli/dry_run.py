"""`--dry-run`: what a run would do, without writing or uploading anything."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..pipeline.check import LEFT_ALONE
from ..pipeline.inspection import State
from ..report.messages import dry_run_summary, uploads_needed
from .output import info, print_result

if TYPE_CHECKING:
    from ..session import Session
    from .run import Images


def dry_run_of(session: Session, images: Images) -> int:
    """Print the number of images by state and the uploads that a run would need; return the exit code."""
    surveys, plan = session.survey(images.sources)
    states = Counter(survey.seen.state for survey in surveys)
    for note in (*images.notes, *images.hints):
        info(f"imgshrink: {note}")
    print_result(
        "imgshrink: "
        + dry_run_summary(
            plan,
            finished=states[State.SHRUNK],
            known=states[State.OPEN] - plan.new,
            small=states[State.SMALL],
            left=sum(states[state] for state in LEFT_ALONE),
            excluded=images.excluded,
        )
    )
    if "hosted" in plan.asked:
        needed = len(session.spending.to_upload(plan))
        print_result(
            f"imgshrink: {uploads_needed(needed, session.settings.max_uploads, session.spending.quota_left())}"
        )
    return 0
