"""The lines of a build and of the command: each states a fact and a cure in one line, without the name in front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..core.model import Note, Outcome, Plan
from .quoting import shown
from .summary import Summary
from .units import about, counted, part, share, size, span

CI_PAGE = "https://github.com/imgshrink/imgshrink/blob/main/example_site/docs/ci.md"
LISTED = 10
LOCAL = "the built-in codecs"


def announcement(plan: Plan, *, host: str = "", later: str = "later runs") -> str:
    """Say how many images are new and what shrinks them, before the first engine is called."""
    engines = [host or "the API"] if "hosted" in plan.asked else []
    engines += [LOCAL] if "builtin" in plan.asked else []
    return (
        f"{_new_images(plan)}, shrinking {'it' if plan.new == 1 else 'them'} with {' and '.join(engines) or LOCAL}; "
        f"{later} reuse the result{'' if plan.new == 1 else 's'}"
    )


def _new_images(plan: Plan) -> str:
    if plan.new == plan.images:
        return f"{counted(plan.new, 'new image')} ({size(plan.new_bytes)})"
    are = "is" if plan.new == 1 else "are"
    return f"{plan.new} of {counted(plan.images, 'image')} {are} new ({part(plan.new_bytes, plan.before)})"


def progress(done: int, images: int, done_bytes: int, all_bytes: int, left: float | None) -> str:
    """Say how many of the new images are processed; `left` is an estimate in seconds, None where there is none yet."""
    line = f"{done} of {counted(images, 'image')}, {part(done_bytes, all_bytes)}"
    return line if left is None else f"{line}, {about(left)} left"


def result(summary: Summary) -> str:
    """Return the line that sums up a run. Sizes are left out where nothing was shrunk."""
    if not summary.images:
        return "no images found" + (f" ({summary.excluded} excluded)" if summary.excluded else "")
    ending = f"{counted(summary.uploads, 'upload')}, {span(summary.seconds)}"
    if summary.dropped:
        ending += f". {dropped(summary.dropped)}"
    saving = f"{size(summary.before)} -> {size(summary.after)}, {share(summary.before, summary.after)} smaller. "
    sizes = saving if summary.optimized else ""
    if summary.answered or summary.late or summary.unserved or summary.pending:
        return f"{sizes}{', '.join(_parts(summary))}. {ending}"
    if not (summary.optimized or summary.sealed):
        return f"nothing to do: {_unchanged(summary)}. {ending}"
    return f"{sizes}{_known(summary)}. {ending}"


def _unchanged(summary: Summary) -> str:
    shrunk = f"{_all(summary.kept, summary.images)} shrunk"
    return ", ".join([shrunk, *_left(summary)] if summary.kept else _left(summary))


def _known(summary: Summary) -> str:
    known = summary.images - summary.skipped - summary.failed
    where = "in the cache" if summary.from_cache == known else "in the cache, or shrunk before"
    line = f"{_all(known, summary.images)} {where}"
    return ", ".join([line[0].upper() + line[1:], *_left(summary)])


def _all(images: int, of: int) -> str:
    """Return the start of a sentence about `images` out of `of`."""
    if images < of:
        return f"{counted(images, 'image')} {'is' if images == 1 else 'are'}"
    return {1: "the image is", 2: "both images are"}.get(images, f"all {images} images are")


def _left(summary: Summary) -> list[str]:
    counts = {"left alone": summary.skipped + summary.failed - summary.small, "under min_size": summary.small}
    counts["excluded"] = summary.excluded
    return [f"{count} {words}" for words, count in counts.items() if count]


def _parts(summary: Summary) -> list[str]:
    new = summary.optimized - summary.known
    gained_nothing = summary.kept + summary.sealed - summary.shrunk_before
    return [
        f"{summary.optimized} shrunk ({summary.known} from the cache, {new} new)",
        *([f"{summary.shrunk_before} shrunk before"] if summary.shrunk_before else []),
        f"{gained_nothing} had nothing to gain",
        f"{summary.skipped + summary.failed - summary.small} left alone",
        *([f"{summary.small} under min_size"] if summary.small else []),
        *([f"{summary.excluded} excluded"] if summary.excluded else []),
    ]


def dropped(images: int) -> str:
    """Say how many images lost what they carried for other programs, as was asked for."""
    them = "it" if images == 1 else "they"
    return f"{counted(images, 'image')} lost what {them} carried for other programs (embedded: drop)"


def shrunk_before(qualities: Mapping[int, int], redo: str) -> str:
    """Say that images stay as they are, though another quality is asked for; `qualities` counts them by theirs.

    `redo` is the command that starts again.
    """
    count = sum(qualities.values())
    at = " and ".join(str(made_with) for made_with in sorted(qualities))
    stay, originals = ("was", "the original") if count == 1 else ("were", "the originals")
    return f"{counted(count, 'image')} {stay} shrunk at quality {at} before: `{redo}` starts from {originals}"


def in_order(notes: Iterable[Note], *, strict: bool) -> list[str]:
    """Return the lines of notes; with `strict` those that fail the run come last, and one line says that they do."""
    notes = list(notes)
    failures = [note.text for note in notes if note.failure]
    if not (strict and failures):
        return [note.text for note in notes]
    lines = "the line" if len(failures) == 1 else f"the {len(failures)} lines"
    return [*(note.text for note in notes if not note.failure), *failures, f"failed for {lines} above: strict is on"]


def left_alone(rows: Sequence[Outcome]) -> str:
    """Name at most ten images that were left alone, with the reason of each."""
    listed = ", ".join(f"{shown(row.path)} ({shown(row.reason)})" for row in rows[:LISTED])
    return f"left alone: {listed}" + (f", and {len(rows) - LISTED} more" if len(rows) > LISTED else "")


def report_written(file: str) -> str:
    """Say where the report is."""
    return f"report written to {shown(file)}"


def wider_than_shown(times: float) -> str:
    """Say how many times wider than on the pages an image is."""
    return f"{times:.1f} x wider than shown"


def wider(row: Outcome) -> str:
    """Name an image that is much wider than shown."""
    return f"{shown(row.path)} is {wider_than_shown(row.wider)}"


def making_previews(images: int) -> str:
    """Say that the report takes some time."""
    return f"making previews of {counted(images, 'image')} for the report"


def empty_cache(seconds: float) -> str:
    """Say on a build machine how much time a kept cache saves."""
    return f"the cache was empty; keep it between runs to save these {span(seconds)}: {CI_PAGE}"


def not_backed_up(images: int) -> str:
    """Say that files which git ignores can't be restored."""
    return f"{counted(images, 'original')} not kept: git ignores {'that file' if images == 1 else 'those files'}"


def time_over(limit: float, images: int, count: int, *, next_run: str = "the next build") -> str:
    """Say how many images, of `count` bytes, are left because `max_time`, in seconds, was over."""
    are = "is" if images == 1 else "are"
    return (
        f"stopped after {span(limit)} (max_time): {counted(images, 'image')} ({size(count)}) {are} left for {next_run}"
    )


def key_empty() -> str:
    """Say what an empty key means."""
    return (
        "TINYJPG_API_KEY is empty (usual on forks): API results from the cache are used, "
        "new images go to the built-in codecs"
    )


def no_key(images: int) -> str:
    """Say how many images stay unchanged because only the API may be used and there is no key."""
    return f'no TINYJPG_API_KEY, and engine is "hosted": {_stay(images)}. Set the key, or engine: auto'


def key_refused(host: str, code: int, images: int, *, fallen_back: bool = True) -> str:
    """Say that the API refused the key; with `fallen_back` the images went to the next engine."""
    fate = _went(images, "new image") if fallen_back else _stay(images)
    return f"{host} refused the API key ({code}): {fate}. Check TINYJPG_API_KEY"


def quota_used_up(uploads: int, images: int, *, renews: str = "", fallen_back: bool = True) -> str:
    """Say that the quota is used up; `renews` is a date, "" where the API names none."""
    fate = _went(images, "image") if fallen_back else _stay(images)
    line = f"TinyJPG quota used up after {counted(uploads, 'upload')}: {fate}"
    return f"{line}. It renews on {renews}" if renews else line


def out_of_reach(reason: str, images: int, *, fallen_back: bool = True, retry: str = "the next run tries again") -> str:
    """Say why an engine was not used any more in this run; `retry` says how images that went elsewhere get to it."""
    if not fallen_back:
        return f"{reason}: {_stay(images)}; the next run tries again"
    return f"{reason}: {_went(images, 'new image')}" + (f"; {retry}" if retry else "")


def refused(host: str, reasons: Mapping[str, int], *, fallen_back: bool = True) -> str:
    """Say which results of the API were not taken, why, what they cost, and what became of their images."""
    count = sum(reasons.values())
    why = ", ".join(shown(reason) + (f" ({number})" if len(reasons) > 1 else "") for reason, number in reasons.items())
    spent = "was not used, and its upload is spent" if count == 1 else "were not used, and their uploads are spent"
    fate = (
        f"{LOCAL} did the work"
        if fallen_back
        else f"{'the image stays as it is' if count == 1 else 'the images stay as they are'}"
    )
    return f"{counted(count, 'result')} of {host} {spent}: {why}; {fate}"


def uploading(images: int, count: int, host: str, quota_left: int | None) -> str:
    """Say before the first upload how many images, of `count` bytes, go to which host, and the quota that is left."""
    quota = "" if quota_left is None else f"; quota left: {quota_left}"
    return f"uploading {counted(images, 'image')} ({size(count)}) to {host}{quota}"


def in_work(images: int, host: str) -> str:
    """Say how many results are paid for and not ready yet."""
    are, them = ("is", "it") if images == 1 else ("are", "them")
    return (
        f"{counted(images, 'image')} {are} paid for and still in work at {host}: "
        f"the next run collects {them}, without new uploads"
    )


def _went(images: int, one: str) -> str:
    return f"{counted(images, one)} went to {LOCAL}"


def _stay(images: int) -> str:
    return f"{counted(images, 'new image')} {'stays as it is' if images == 1 else 'stay as they are'}"


def dry_run_summary(plan: Plan, *, finished: int, known: int, small: int, left: int, excluded: int) -> str:
    """Say how many images a run would find in each state."""
    new = f"{plan.new} new ({size(plan.new_bytes)})" if plan.new else "0 new"
    parts = [f"{finished} shrunk", f"{known} in the cache", new]
    apart = {"left alone": left, "under min_size": small, "excluded": excluded}
    parts += [f"{count} {words}" for words, count in apart.items() if count]
    return f"{counted(plan.images, 'image')}, {size(plan.before)}: {', '.join(parts)}"


def known_savings(rows: Sequence[Outcome]) -> str:
    """Say what results in the cache would save."""
    before, after = sum(row.before for row in rows), sum(row.after for row in rows)
    return f"in the cache, {size(before)} -> {size(after)}, {share(before, after)} smaller:"


def uploads_needed(needed: int, allowed: int, quota_left: int | None) -> str:
    """Say how many uploads a run would make; `quota_left` is None where the API was not asked."""
    quota = "" if quota_left is None else f", quota left: {quota_left}"
    most = f", of which this run may make {allowed} (max_uploads)" if needed > allowed else ""
    return f"{counted(needed, 'upload')} needed{most}{quota}"
