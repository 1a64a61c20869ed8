"""`--dry-run`: what a run would do, without writing or uploading anything."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.model import Outcome, Plan, Reason, Status, Verdict
from ..pipeline.check import LEFT_ALONE
from ..pipeline.inspection import State
from ..report import tables
from ..report.messages import LISTED, dry_run_summary, known_savings, uploads_needed
from .output import info, print_result

if TYPE_CHECKING:
    from ..pipeline.run import Survey
    from ..session import Session
    from .run import Images, Shown

VERSION = 1
"""Of the JSON of a dry run."""


def dry_run_of(session: Session, images: Images, shown: Shown) -> int:
    """Print what a run would do with which images, and the uploads that it would need; return the exit code."""
    surveys, plan = session.survey(images.sources)
    for note in (*images.notes, *images.hints):
        info(f"imgshrink: {note}")
    known = sorted(_known(surveys), key=lambda row: (row.after - row.before, row.path))
    new = sorted(_new(surveys), key=lambda row: (-row.before, row.path))
    if shown.as_json:
        print_result(_as_json(session, plan, [*known, *new]))
    elif not shown.quiet:
        _print(session, images, surveys, plan, known, new, listed=len(surveys) if shown.verbose else LISTED)
    return 0


def _known(surveys: Sequence[Survey]) -> list[Outcome]:
    """Return the images whose smaller result is in the cache."""
    rows = []
    for survey in surveys:
        entry = survey.resolution.entry if survey.resolution else None
        if survey.seen.state is State.OPEN and entry is not None and entry.verdict is Verdict.BETTER:
            name, size = survey.seen.source.name, survey.seen.size
            rows.append(Outcome(name, Status.OPTIMIZED, size, len(entry.data), engine=entry.engine, from_cache=True))
    return rows


def _new(surveys: Sequence[Survey]) -> list[Outcome]:
    """Return the images that an engine would be asked about."""
    return [
        Outcome(one.seen.source.name, Status.SKIPPED, one.seen.size, one.seen.size, reason=Reason.NOT_SHRUNK)
        for one in surveys
        if one.seen.state is State.OPEN and one.resolution is None
    ]


def _as_json(session: Session, plan: Plan, rows: Sequence[Outcome]) -> str:
    uploads = len(session.spending.to_upload(plan)) if "hosted" in plan.asked else 0
    images = [
        {
            "path": row.path,
            "state": "known" if row.from_cache else "new",
            "before": row.before,
            "after": row.after if row.from_cache else None,
        }
        for row in sorted(rows, key=lambda row: row.path)
    ]
    summary = {"images": plan.images, "new": plan.new, "new_bytes": plan.new_bytes, "uploads": uploads}
    return json.dumps({"version": VERSION, "summary": summary, "images": images}, indent=1)


def _print(
    session: Session,
    images: Images,
    surveys: Sequence[Survey],
    plan: Plan,
    known: Sequence[Outcome],
    new: Sequence[Outcome],
    *,
    listed: int,
) -> None:
    states = Counter(survey.seen.state for survey in surveys)
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
    for title, lines in (
        (known_savings(known), tables.table(known, listed=listed)),
        ("new:", tables.sizes(new, listed=listed)),
    ):
        for line in [title, *lines] if lines else []:
            print_result(line)
