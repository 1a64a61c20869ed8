"""The lines of a build and of the command, each a fact and a cure in one line, without the name in front."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.model import Outcome, Plan
from .quoting import shown
from .summary import Summary
from .units import about, counted, part, share, size, span

CI_PAGE = "https://github.com/imgshrink/imgshrink/blob/main/example_site/docs/ci.md"
LISTED = 10
LOCAL = "the built-in codecs"


def announcement(plan: Plan, *, host: str = "") -> str:
    """Say what is new and who shrinks it, before the first engine is asked."""
    asked = [host or "the API"] if "hosted" in plan.asked else []
    asked += [LOCAL] if "builtin" in plan.asked else []
    return (
        f"{plan.new} of {counted(plan.images, 'image')} {'is' if plan.new == 1 else 'are'} new "
        f"({part(plan.new_bytes, plan.before)}): shrinking {'it' if plan.new == 1 else 'them'} "
        f"with {' and '.join(asked) or LOCAL}, first time only"
    )


def progress(done: int, images: int, done_bytes: int, all_bytes: int, left: float | None) -> str:
    """Say how far the new images are; `left` is an estimate in seconds, None where there is none yet."""
    line = f"{done} of {counted(images, 'image')}, {part(done_bytes, all_bytes)}"
    return line if left is None else f"{line}, {about(left)} left"


def result(summary: Summary) -> str:
    """Say what the run came to."""
    if not summary.images:
        return "no images found"
    sizes = f"{size(summary.before)} -> {size(summary.after)}, {share(summary.before, summary.after)} smaller. "
    ending = f"{counted(summary.uploads, 'upload')}, {span(summary.seconds)}"
    if summary.dropped:
        ending += f". {dropped(summary.dropped)}"
    if not (summary.answered or summary.late or summary.unserved or summary.failed):
        everything = f"All {summary.images} images" if summary.images > 1 else "The only image"
        return f"{sizes}{everything} known, {ending}"
    return f"{sizes}{', '.join(_parts(summary))}. {ending}"


def _parts(summary: Summary) -> list[str]:
    new = summary.optimized - summary.known
    gained_nothing = summary.kept + summary.sealed
    stayed = summary.skipped + summary.failed - summary.small
    parts = [
        f"{summary.optimized} shrunk ({summary.known} known, {new} new)",
        f"{gained_nothing} had nothing to gain",
        f"{stayed} left alone",
    ]
    return [*parts, f"{summary.small} under min_size"] if summary.small else parts


def dropped(images: int) -> str:
    """Say how many images lost what they carried for other programs, as was asked for."""
    them = "it" if images == 1 else "they"
    return f"{counted(images, 'image')} lost what {them} carried for other programs (embedded: drop)"


def left_alone(rows: Sequence[Outcome]) -> str:
    """Name what was left alone, and why; at most ten."""
    listed = ", ".join(f"{shown(row.path)} ({shown(row.reason)})" for row in rows[:LISTED])
    return f"left alone: {listed}" + (f", and {len(rows) - LISTED} more" if len(rows) > LISTED else "")


def making_previews(images: int) -> str:
    """Say that a report takes its time."""
    return f"making previews of {counted(images, 'image')} for the report"


def empty_cache(seconds: float) -> str:
    """Tell a build machine to keep the cache."""
    return f"the cache was empty; keep it between runs to save these {span(seconds)}: {CI_PAGE}"


def not_kept(images: int) -> str:
    """Say that there is no way back for what git ignores."""
    return f"{counted(images, 'original')} not kept: git ignores {'that file' if images == 1 else 'those files'}"


def time_over(limit: float, images: int, count: int, *, next_run: str = "the next build") -> str:
    """Say what stays as it is because `max_time`, in seconds, is over; `count` is bytes."""
    stay, them = ("stays as it is", "it") if images == 1 else ("stay as they are", "them")
    are = "is" if limit in (60, 3600) else "are"
    left = f"{counted(images, 'image')}, {size(count)}, {stay}"
    return f"{span(limit)} {are} over (max_time): {left}; {next_run} goes on with {them}"


def key_empty() -> str:
    """Say what an empty key means."""
    return (
        "TINYJPG_API_KEY is empty (usual on forks): API results from the cache are used, "
        "new images go to the built-in codecs"
    )


def no_key(images: int) -> str:
    """Say what stays as it is because only the API was asked for and there is no key."""
    return f'no TINYJPG_API_KEY, and engine is "hosted": {_stay(images)}. Set the key, or engine: auto'


def key_refused(host: str, code: int, images: int, *, fallen_back: bool = True) -> str:
    """Say that the API refused the key; `fallen_back`: the images went to the next engine."""
    fate = _went(images, "new image") if fallen_back else _stay(images)
    return f"{host} refused the API key ({code}): {fate}. Check TINYJPG_API_KEY"


def quota_used_up(uploads: int, images: int, *, renews: str = "", fallen_back: bool = True) -> str:
    """Say that the quota is used up; `renews` is a date if the API names one."""
    fate = _went(images, "image") if fallen_back else _stay(images)
    line = f"TinyJPG quota used up after {counted(uploads, 'upload')}: {fate}"
    return f"{line}. It renews on {renews}" if renews else line


def out_of_reach(reason: str, images: int, *, fallen_back: bool = True) -> str:
    """Say why an engine was not asked any more in this run; what it did not get is new to the next one."""
    fate = _went(images, "new image") if fallen_back else _stay(images)
    return f"{reason}: {fate}; the next run tries again"


def uploading(images: int, count: int, host: str, quota_left: int | None) -> str:
    """Say before the first upload how many, how large, to which host, and what is left."""
    quota = "" if quota_left is None else f"; quota left: {quota_left}"
    return f"uploading {counted(images, 'image')} ({size(count)}) to {host}{quota}"


def in_work(images: int, host: str) -> str:
    """Say what is paid for and not ready yet."""
    are, them = ("is", "it") if images == 1 else ("are", "them")
    return (
        f"{counted(images, 'image')} {are} paid for and still in work at {host}: "
        f"the next run collects {them}, without new uploads"
    )


def _went(images: int, one: str) -> str:
    return f"{counted(images, one)} went to {LOCAL}"


def _stay(images: int) -> str:
    return f"{counted(images, 'new image')} {'stays as it is' if images == 1 else 'stay as they are'}"


def outlook(plan: Plan, *, finished: int, known: int, small: int, left: int, excluded: int) -> str:
    """Say what a run would find, for a dry run."""
    new = f"{plan.new} new ({size(plan.new_bytes)})" if plan.new else "0 new"
    parts = [f"{finished} finished", f"{known} known", new]
    apart = {"left alone": left, "under min_size": small, "excluded": excluded}
    parts += [f"{count} {words}" for words, count in apart.items() if count]
    return f"{counted(plan.images, 'image')}, {size(plan.before)}: {', '.join(parts)}"


def uploads_needed(needed: int, allowed: int, quota_left: int | None) -> str:
    """Say what a run would spend; `quota_left` is None where the API was not asked."""
    quota = "" if quota_left is None else f", quota left: {quota_left}"
    most = f", of which this run may make {allowed} (max_uploads)" if needed > allowed else ""
    return f"{counted(needed, 'upload')} needed{most}{quota}"
