"""What a run tells people, with a clock that the test turns."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from imgshrink.core.errors import AccountError, Unavailable
from imgshrink.core.model import Format, Outcome, Plan, Reason, Status
from imgshrink.report.progress import ProgressReporter
from imgshrink.settings.load import load
from imgshrink.settings.schema import Settings

MB = 1_000_000


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Spending:
    """An account of a stated host, uploads and quota."""

    def __init__(self, host: str = "", uploads: int = 0, images: tuple[int, ...] = (), left: int | None = None) -> None:
        self.host, self.uploads, self._images, self._left = host, uploads, images, left

    def to_upload(self, plan: Plan) -> list[int]:
        return list(self._images)

    def quota_left(self) -> int | None:
        return self._left


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a build where nothing was set."""
    return load(tmp_path, frontend="plugin", environ={})


def plan(new: int, new_bytes: int, images: int = 100) -> Plan:
    """A plan of that many new images."""
    return Plan(images=images, before=50 * MB, new=new, new_bytes=new_bytes, asked={})


def outcome(size: int = MB, status: Status = Status.OPTIMIZED, reason: str = "") -> Outcome:
    """What became of one image."""
    return Outcome("a.png", status, size, size // 2, Format.PNG, "builtin", reason=reason)


def test_work_is_announced_at_once(settings):
    """The first line comes with the plan; without new images there is none."""
    said: list[str] = []
    ProgressReporter(settings, said.append, Spending()).planned(plan(0, 0))
    assert said == []
    ProgressReporter(settings, said.append, Spending()).planned(plan(2, 3 * MB))
    assert said == [
        "2 of 100 images are new (3.0 of 50.0 MB), shrinking them with the built-in codecs; "
        "later builds reuse the results"
    ]


def test_uploads_are_announced_before_the_first(settings):
    """What will be uploaded, where to and what is left of the quota is said before the first upload."""
    said: list[str] = []
    ProgressReporter(settings, said.append, Spending("api.test", images=(MB // 4,) * 12, left=137)).planned(
        plan(12, 3 * MB)
    )
    assert said[-1] == "uploading 12 images (3.0 MB) to api.test; quota left: 137"


def test_no_more_uploads_are_announced_than_may_be_made(settings):
    """What max_uploads forbids is not announced: the largest come first."""
    said: list[str] = []
    few = dataclasses.replace(settings, max_uploads=2)
    ProgressReporter(few, said.append, Spending("api.test", images=(3 * MB, 2 * MB, MB))).planned(plan(3, 6 * MB))
    assert said[-1] == "uploading 2 images (5.0 MB) to api.test"


def test_silence_lasts_ten_seconds_at_most(settings):
    """While work goes on a line comes every ten seconds."""
    said: list[str] = []
    clock = Clock()
    progress = ProgressReporter(settings, said.append, Spending(), clock=clock)
    progress.planned(plan(10, 10 * MB))
    list(progress.counted([outcome(MB // 2)] * 4))
    for clock.now in (104.0, 109.9, 110.0, 115.0, 120.1):
        progress.waiting()
    assert said[1:] == [
        "4 of 10 images, 2.0 of 10.0 MB",
        "4 of 10 images, 2.0 of 10.0 MB",
    ]


@pytest.mark.parametrize(
    ("done", "text"),
    [
        ([MB, MB], "2 of 10 images, 2.0 of 10.0 MB"),
        ([MB // 2] * 4, "4 of 10 images, 2.0 of 10.0 MB"),
        ([MB // 10] * 5, "5 of 10 images, 0.5 of 10.0 MB"),
        ([MB // 5] * 5, "5 of 10 images, 1.0 of 10.0 MB, about 2 min left"),
        ([5 * MB], "1 of 10 images, 5.0 of 10.0 MB, about 10 s left"),
    ],
)
def test_estimate_needs_something_to_go_by(settings, done, text):
    """Two images say nothing about the time of the others; five do, if they are a tenth, or half of the bytes."""
    said: list[str] = []
    clock = Clock()
    progress = ProgressReporter(settings, said.append, Spending(), clock=clock)
    progress.planned(plan(10, 10 * MB))
    list(progress.counted([outcome(size) for size in done]))
    clock.now += 10
    progress.waiting()
    assert said[1:] == [text]


def test_nothing_is_said_before_there_is_a_plan(settings):
    """While files are only looked at, nothing is said."""
    said: list[str] = []
    clock = Clock()
    progress = ProgressReporter(settings, said.append, Spending(), clock=clock)
    clock.now += 60
    progress.waiting()
    assert said == []


def test_no_estimate_without_a_result(settings):
    """Where nothing is ready yet, no time is guessed."""
    said: list[str] = []
    clock = Clock()
    progress = ProgressReporter(settings, said.append, Spending(), clock=clock)
    progress.planned(plan(10, 10 * MB))
    clock.now += 11
    progress.waiting()
    assert said[1] == "0 of 10 images, 0.0 of 10.0 MB"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            AccountError(kind="refused", host="api.test", status=401),
            "api.test refused the API key (401): 3 new images went to the built-in codecs. Check TINYJPG_API_KEY",
        ),
        (
            AccountError(kind="quota", renews="2026-12-01"),
            "TinyJPG quota used up after 7 uploads: 3 images went to the built-in codecs. It renews on 2026-12-01",
        ),
        (AccountError("max_uploads (500) is reached", kind="budget"), "max_uploads (500) is reached"),
        (
            Unavailable("api.test can't be reached (timed out)"),
            "api.test can't be reached (timed out): 3 new images went to the built-in codecs; the next run tries again",
        ),
    ],
)
def test_engine_that_was_given_up_is_one_note(settings, error, words):
    """Each reason to give an engine up has its line, and fails a strict run."""
    progress = ProgressReporter(settings, lambda _: None, Spending(uploads=7))
    progress.unanswered("hosted", error, 3)
    assert [(note.text, note.failure) for note in progress.notes([], next_run="the next run")] == [(words, True)]


def test_codecs_that_are_out_of_reach(settings):
    """Where the built-in codecs themselves can't be started, the images stay as they are."""
    progress = ProgressReporter(settings, lambda _: None, Spending())
    progress.unanswered("builtin", Unavailable("no worker process could be started"), 1)
    (note,) = progress.notes([], next_run="the next run")
    expected = "no worker process could be started: 1 new image stays as it is; the next run tries again"
    assert note.text == expected


def test_account_with_nothing_to_say_is_no_note(settings):
    """An account error without words leaves none."""
    progress = ProgressReporter(settings, lambda _: None, Spending())
    progress.unanswered("hosted", AccountError("", failure=False), 3)
    assert progress.notes([], next_run="the next run") == []


def test_empty_key_is_said_and_fails_nothing(settings):
    """The line about an empty key, usual on forks, never fails a strict run; with builtin there is nothing to say."""
    forked = replace(settings, key_empty=True)
    notes = ProgressReporter(forked, lambda _: None, Spending()).notes([], next_run="the next run")
    assert [note.failure for note in notes] == [False]
    assert notes[0].text.startswith("TINYJPG_API_KEY is empty")
    private = replace(forked, engine="builtin")
    assert ProgressReporter(private, lambda _: None, Spending()).notes([], next_run="the next run") == []


def test_what_was_late_left_alone_and_in_trouble_is_noted(settings):
    """At the end: what max_time cut off, what was left alone and why, and what the parts have to say."""
    rows = [outcome(status=Status.SKIPPED, reason=Reason.LATE), outcome(status=Status.FAILED, reason="file ends early")]
    notes = ProgressReporter(settings, lambda _: None, Spending()).notes(
        rows, ["the cache is full"], next_run="the next build"
    )
    assert [note.text for note in notes] == [
        "stopped after 10 min (max_time): 1 image (1.0 MB) is left for the next build",
        "left alone: a.png (file ends early)",
        "the cache is full",
    ]


def test_hosted_without_a_key_names_the_cure(settings):
    """With only the API to ask and no key, one note says what stays and what to set."""
    rows = [outcome(status=Status.SKIPPED, reason="no engine could be asked")]
    hosted = replace(settings, engine="hosted")
    notes = ProgressReporter(hosted, lambda _: None, Spending()).notes(rows, next_run="the next build")
    assert [note.text for note in notes] == [
        'no TINYJPG_API_KEY, and engine is "hosted": 1 new image stays as it is. Set the key, or engine: auto'
    ]


def test_summary_counts_time_and_what_is_left_of_the_quota(settings):
    """The numbers hold the time since the start, the uploads, and the quota less those."""
    clock = Clock()
    progress = ProgressReporter(settings, lambda _: None, Spending("api.test", 5, (MB // 5,) * 5, 20), clock=clock)
    progress.planned(plan(5, MB))
    clock.now += 3
    summary = progress.summary([outcome()])
    assert (summary.seconds, summary.uploads, summary.quota_left) == (3, 5, 15)
