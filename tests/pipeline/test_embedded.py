"""What images carry for other programs, on its way through the pipeline: kept, left alone, or dropped and counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import Bench, chunk, deflated, png, rows_of, same_rows
from imgshrink.core.keys import cache_key, content_hash
from imgshrink.core.model import DROP, Accept, Entry, Format, Judgement, Outcome, Recipe, Source, Status, Verdict
from imgshrink.image.carried import REASON, read_carried
from imgshrink.image.metadata import dress
from imgshrink.image.seal import COST, unseal
from imgshrink.pipeline.check import check
from imgshrink.pipeline.run import Policy
from imgshrink.report.messages import result
from imgshrink.report.summary import summarize

DIAGRAM = chunk(b"tEXt", b"mxfile\0" + b"x" * 50)
CARRYING = png(1)[:-12] + DIAGRAM + png(1)[-12:]
BOUND = png(2) + b"PK\3\4" + b"x" * 100
DROPPING = Recipe(80, DROP)


def judged(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
    """As verify does: equal rows, dressed like the original."""
    return same_rows(original, dress(candidate, original, keep=recipe.keeps), recipe)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """An engine whose results are judged and dressed."""
    bench.verify = judged
    return bench


def dropping(bench: Bench) -> list[Source]:
    return [replace(one, recipe=DROPPING) for one in bench.sources()]


def test_left_alone(bench: Bench) -> None:
    """What must not be rewritten is not: no engine is asked, the reason is said, and the check passes it."""
    path = bench.put("a.png", BOUND)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, f"{REASON} (ZIP archive behind its end)")
    assert path.read_bytes() == BOUND
    found = check(bench.sources(), min_size=0, seal="all")
    assert (len(found.not_shrunk), len(found.left)) == (0, 1)


def test_kept(bench: Bench) -> None:
    """What is safe to copy is on the result, which the next run knows."""
    path = bench.put("a.png", CARRYING)
    assert bench.run()["a.png"].status is Status.OPTIMIZED
    assert read_carried(path.read_bytes()) == read_carried(CARRYING)
    path.write_bytes(CARRYING)
    assert bench.run()["a.png"].from_cache


def test_remembered_result_that_lost_it_is_none(bench: Bench) -> None:
    """A result in the cache that does not carry what the image does is a miss."""
    path = bench.put("a.png", CARRYING)
    key = cache_key(content_hash(CARRYING), Recipe(80), bench.engines[0].fingerprint)
    bench.cache.put(key, Entry(Verdict.BETTER, deflated(png(1)), "", "builtin", 1, 0, 80))
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.from_cache) == (Status.OPTIMIZED, False)
    assert DIAGRAM in path.read_bytes()


@pytest.mark.parametrize("data", [CARRYING, BOUND], ids=["copied", "bound"])
def test_dropped(bench: Bench, data: bytes) -> None:
    """`drop` takes it, and the summary says how many images lost something."""
    path = bench.put("a.png", data)
    bench.put("b.png", png(3))
    outcomes = bench.run(sources=dropping(bench))
    after = unseal(path.read_bytes())
    assert rows_of(after) == rows_of(data)
    assert (read_carried(after).trailing, read_carried(after).reason) == (b"", "")
    assert [outcomes[name].dropped for name in ("a.png", "b.png")] == [True, False]
    said = result(summarize(outcomes.values()))
    assert said.endswith("1 image lost what it carried for other programs (embedded: drop)")


def test_dropped_however_little_it_saves(bench: Bench) -> None:
    """An image that no engine makes smaller loses what it carries all the same."""
    optimal = deflated(png(1))
    data = optimal[:-12] + chunk(b"tEXt", b"mxfile\0" + b"x" * 70) + optimal[-12:]
    path = bench.put("a.png", data)
    outcome = bench.run(sources=dropping(bench))["a.png"]
    assert (outcome.status, outcome.dropped) == (Status.OPTIMIZED, True)
    assert unseal(path.read_bytes()) == optimal


@pytest.mark.parametrize(("saved", "expected"), [(1, Status.OPTIMIZED), (0, Status.KEPT)])
def test_dropped_for_one_byte(bench: Bench, saved: int, expected: Status) -> None:
    """One byte less is enough where something is dropped; the file never grows for it."""
    optimal = deflated(png(1))
    text = b"mxfile\0" + b"x" * (COST[Format.PNG] + saved - 12 - len(b"mxfile\0"))
    data = optimal[:-12] + chunk(b"tEXt", text) + optimal[-12:]
    path = bench.put("a.png", data)
    outcome = bench.run(Policy(min_size=0), sources=dropping(bench))["a.png"]
    assert (outcome.status, len(data) - path.stat().st_size) == (expected, saved)


def test_our_own_output_is_no_end_of_it(bench: Bench) -> None:
    """An output that kept it, found again without its seal, still loses it where that is asked for."""
    path = bench.put("a.png", CARRYING)
    bench.run()
    path.write_bytes(unseal(path.read_bytes()))
    assert bench.run(sources=dropping(bench))["a.png"].dropped
    assert DIAGRAM not in path.read_bytes()


def test_nothing_carried_is_one_content_for_both(bench: Bench) -> None:
    """Where there is nothing to drop, results are shared between the two settings."""
    path = bench.put("a.png", png(1))
    bench.run()
    path.write_bytes(png(1))
    assert bench.run(sources=dropping(bench))["a.png"].from_cache


def test_embedded_is_part_of_the_key() -> None:
    """What is kept and what is dropped are two results, and the default has the key that it always had."""
    assert cache_key("content", DROPPING, "f") != cache_key("content", Recipe(80), "f")
    assert isinstance(Outcome("a", Status.KEPT, 1, 1).dropped, bool)
    assert isinstance(judged(png(1), deflated(png(1)), DROPPING), Accept)
