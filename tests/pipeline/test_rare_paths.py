"""Paths of the pipeline that few runs take."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import Bench, Deflate, png, raising
from imgshrink.core.errors import Rejected, SettingsError, Unavailable
from imgshrink.core.keys import cache_key, content_hash, done_key
from imgshrink.core.model import Entry, Reason, Recipe, Status, Verdict
from imgshrink.image.seal import read_seal
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


def test_output_of_ours_at_another_quality(bench: Bench) -> None:
    """An output found without its seal gets the seal of the quality that it was made with."""
    data = png(1)
    path = bench.put("a.png", data)
    bench.cache.put(done_key(content_hash(data)), Entry(Verdict.DONE, quality=60))
    bench.run()
    assert read_seal(path.read_bytes()) == 60


def test_nothing_to_gain_is_sealed_with_the_quality_asked_for(bench: Bench) -> None:
    """An entry that says that nothing is to be gained says so of the quality that was asked for."""
    data = png(1, level=9)
    path = bench.put("a.png", data)
    key = cache_key(content_hash(data), Recipe(80), bench.engines[0].fingerprint)
    bench.cache.put(key, Entry(Verdict.NOT_SMALLER, engine="builtin", quality=0))
    assert bench.run()["a.png"].from_cache
    assert read_seal(path.read_bytes()) == 80


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
