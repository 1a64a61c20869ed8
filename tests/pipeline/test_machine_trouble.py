"""Trouble of the machine is nobody's verdict: what the pipeline makes of it."""

from __future__ import annotations

import pytest

from fakes import Bench, Deflate, deflated, png, raising
from imgshrink.core.errors import EngineError, MachineTrouble, Unavailable
from imgshrink.core.model import Judgement, Reason, Recipe, Status
from imgshrink.image.seal import read_seal, unseal

BIG = png(1)
KILLED = MachineTrouble("its worker process was killed")


def fail_to_judge(error: EngineError):  # type: ignore[no-untyped-def]
    """A verify whose worker ends."""

    def verify(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
        raise error

    return verify


def test_codec(bench: Bench) -> None:
    """An image whose codec the machine ended is skipped with the reason: not sealed, remembered or sent on."""
    path = bench.put("a.png", BIG)
    last = Deflate("another")
    bench.engines = [Deflate(before=raising(KILLED)), last]
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, "its worker process was killed")
    assert (path.read_bytes(), bench.cache.entries, last.asked) == (BIG, {}, [])
    bench.engines = [Deflate()]
    assert bench.run()["a.png"].status is Status.OPTIMIZED


def test_many_images(bench: Bench) -> None:
    """However many images the machine fails at, the engine is not disabled: others may be smaller."""
    for number in range(5):
        bench.put(f"{number}.png", png(number))
    bench.engines = [Deflate(before=lambda data: None if data == png(4) else raising(KILLED)(data))]
    outcomes = bench.run()
    assert [row.status for row in outcomes.values()].count(Status.SKIPPED) == 4
    assert outcomes["4.png"].status is Status.OPTIMIZED
    assert bench.watcher.given_up == []


def test_verify_of_our_own_result(bench: Bench) -> None:
    """Our own result that this machine can't judge is as if it had not been made."""
    path = bench.put("a.png", BIG)
    bench.verify = fail_to_judge(KILLED)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, "its worker process was killed")
    assert (path.read_bytes(), bench.cache.entries) == (BIG, {})


@pytest.mark.parametrize("error", [KILLED, Unavailable("no worker process could be started")])
def test_verify_of_a_paid_result(bench: Bench, error: EngineError) -> None:
    """A paid result that this machine can't judge waits for the next run: not refused, not passed on, not forgotten."""
    path = bench.put("a.png", BIG)
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.verify = fail_to_judge(error)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.PENDING)
    assert (path.read_bytes(), bench.cache.entries, bench.engines[1].asked) == (BIG, {}, [])
    bench.verify = Bench(bench.folder).verify
    assert bench.run()["a.png"].engine == "hosted"
    assert (unseal(path.read_bytes()), read_seal(path.read_bytes())) == (deflated(BIG), 80)
