"""Paths of the pipeline that few runs take."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import Bench, Deflate, png, raising
from imgshrink.core.errors import Rejected, SettingsError, Unavailable
from imgshrink.core.keys import content_hash, done_key
from imgshrink.core.model import Entry, Reason, Status, Verdict
from imgshrink.pipeline.baseline import read_baseline
from imgshrink.pipeline.check import check


def test_baseline_that_is_none(tmp_path: Path) -> None:
    """A baseline that is not text, or holds another line than a hash, is an error that names it."""
    file = tmp_path / "baseline.txt"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="it is not text"):
        read_baseline(file)
    file.write_text("no hash\n")
    with pytest.raises(SettingsError, match="line 1 is no SHA-256"):
        read_baseline(file)
    with pytest.raises(SettingsError, match="can't be read as a baseline"):
        read_baseline(tmp_path / "gone.txt")


def test_check_needs_the_seal() -> None:
    """A check where images get no seal is wrong use."""
    with pytest.raises(SettingsError, match="seal"):
        check([], min_size=0, seal="none")


def test_output_of_ours_without_its_seal(bench: Bench) -> None:
    """A content that is known as an output of ours is not worked on again."""
    data = png(1)
    bench.put("a.png", data)
    bench.cache.put(done_key(content_hash(data)), Entry(Verdict.DONE, quality=80))
    assert bench.run()["a.png"].status is Status.SEALED
    assert bench.watcher.plans[0].new == 0


def test_remembered_refusal_clears_no_failures(bench: Bench) -> None:
    """A refusal that the engine remembers is a verdict all the same."""
    bench.put("a.png", png(1))
    bench.engines = [Deflate("builtin", raising(Rejected("no", remembered=True)))]
    assert bench.run()["a.png"].status in (Status.SEALED, Status.KEPT)


def test_engine_that_owes_a_result_and_fails(bench: Bench) -> None:
    """An image that is paid for waits for the next run, whatever error its engine ends with."""
    bench.put("a.png", png(1))
    bench.engines = [Deflate("hosted", raising(Unavailable("away"))), Deflate()]
    bench.resolver_options["owes"] = lambda name, _: name == "hosted"
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.PENDING)
    assert bench.engines[1].asked == []
