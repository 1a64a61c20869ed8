"""The pipeline over small real parts: every rule of the way of the data."""

from __future__ import annotations

import struct
import threading
import time

import pytest

from fakes import (
    IN_PLACE,
    SIGNATURE,
    Bench,
    Deflate,
    Free,
    Memory,
    chunk,
    deflated,
    png,
    raising,
    rows_of,
    same_rows,
    source,
)
from imgshrink.core.errors import (
    AccountError,
    Declined,
    FileChanged,
    Rejected,
    ResultPending,
    Unavailable,
    Unwritable,
    UploadLimitReached,
)
from imgshrink.core.keys import cache_key, content_hash
from imgshrink.core.model import Entry, Format, Judgement, Reason, Recipe, Refuse, Source, Status, Verdict
from imgshrink.image.seal import COST, read_seal, seal, unseal
from imgshrink.pipeline.inspection import inspect
from imgshrink.pipeline.run import Policy, decide, run, survey
from patience import PATIENCE, until

BIG = png(1)


def test_shrinks_and_seals(bench: Bench) -> None:
    """An image that shrinks is replaced by its smaller bytes with a valid seal."""
    path = bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert outcome.status is Status.OPTIMIZED
    assert (outcome.before, outcome.after) == (len(BIG), path.stat().st_size)
    assert unseal(path.read_bytes()) == deflated(BIG)
    assert read_seal(path.read_bytes()) == 80


def test_observers_see_what_was_replaced(bench: Bench) -> None:
    """What a file held and what it holds now is told once it is placed: an undo needs both."""
    path = bench.put("a.png", BIG)
    bench.put("b.png", b"no image")
    bench.run()
    assert bench.watcher.replacements == [("a.png", BIG, path.read_bytes())]


def test_second_run_asks_nobody(bench: Bench) -> None:
    """A sealed image is finished with an empty cache, and nothing is written."""
    path = bench.put("a.png", BIG)
    bench.run()
    first = path.read_bytes()
    bench.cache = Memory()
    bench.engines = [Deflate()]
    outcome = bench.run()["a.png"]
    assert outcome.status is Status.KEPT
    assert outcome.engine == ""
    assert bench.engines[0].asked == []
    assert path.read_bytes() == first


def test_equal_files_are_one_task(bench: Bench) -> None:
    """Fifty names of one content are one question."""
    for number in range(50):
        bench.put(f"{number}.png", BIG)
    outcomes = bench.run()
    assert len(bench.engines[0].asked) == 1
    assert {outcome.status for outcome in outcomes.values()} == {Status.OPTIMIZED}
    assert len(outcomes) == 50


def test_equal_content_at_two_qualities_is_two_tasks(bench: Bench) -> None:
    """The recipe is part of the question."""
    one, two = bench.put("a.png", BIG), bench.put("b.png", BIG)
    bench.run(sources=[source(one), source(two, quality=100)])
    assert len(bench.engines[0].asked) == 2


def test_known_is_not_asked_again(bench: Bench) -> None:
    """What a build optimized is remembered by content: another file with it costs nothing."""
    bench.put("a.png", BIG)
    bench.run(Policy())
    bench.put("a.png", b"")
    bench.put("b.png", BIG)
    outcome = bench.run(Policy())["b.png"]
    assert outcome.status is Status.OPTIMIZED
    assert outcome.from_cache
    assert len(bench.engines[0].asked) == 1


@pytest.mark.parametrize(("engine", "first"), [("builtin", "many pixels.png"), ("hosted", "many bytes.png")])
def test_longest_or_largest_first(bench: Bench, engine: str, first: str) -> None:
    """Our own codecs begin with what takes longest, pixels and bytes; an API that is paid for with most bytes."""
    bench.resolver_options["slots"] = {engine: 1}
    bench.put("few.png", png(1, side=60))
    bench.put("many bytes.png", png(2, side=145))
    bench.put("many pixels.png", png(3, side=240, level=9))
    assert (bench.folder / "many bytes.png").stat().st_size > (bench.folder / "many pixels.png").stat().st_size
    bench.engines = [Deflate(engine)]
    bench.run()
    order = [next(path.name for path in bench.folder.iterdir() if rows_of(path.read_bytes()) == rows_of(data))
             for data in bench.engines[0].asked]  # fmt: skip
    assert order[0] == first
    assert order[-1] == "few.png"


def test_not_smaller_is_remembered_and_sealed(bench: Bench) -> None:
    """An image that gains nothing gets a seal and no other change, and the answer is kept."""
    small = png(1, level=9)
    path = bench.put("a.png", small)
    outcome = bench.run()["a.png"]
    assert outcome.status is Status.SEALED
    assert unseal(path.read_bytes()) == small
    assert outcome.after - outcome.before == COST[outcome.format]
    path.write_bytes(small)
    assert bench.run()["a.png"].from_cache
    assert len(bench.engines[0].asked) == 1


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(seal="outputs", in_place=True), Policy(seal="none", in_place=True)]
)
def test_nothing_to_gain_is_untouched(bench: Bench, policy: Policy) -> None:
    """In a build, and unless everything is to be sealed, an image that gains nothing keeps its bytes."""
    small = png(1, level=9)
    path = bench.put("a.png", small)
    assert bench.run(policy)["a.png"].status is Status.KEPT
    assert path.read_bytes() == small


def test_seal_none(bench: Bench) -> None:
    """Without seals the file holds the engine's bytes alone, known again as our output."""
    path = bench.put("a.png", BIG)
    policy = Policy(seal="none", in_place=True)
    bench.run(policy)
    assert path.read_bytes() == deflated(BIG)
    again = bench.run(policy)["a.png"]
    assert (again.status, again.from_cache) == (Status.KEPT, True)
    assert len(bench.engines[0].asked) == 1


def test_stripped_seal_comes_back(bench: Bench) -> None:
    """An output whose seal was stripped is known by its hash and sealed again without an engine."""
    path = bench.put("a.png", BIG)
    bench.run()
    sealed = path.read_bytes()
    path.write_bytes(unseal(sealed))
    assert bench.run()["a.png"].status is Status.SEALED
    assert path.read_bytes() == sealed
    assert len(bench.engines[0].asked) == 1


def test_min_saving_counts_the_seal(bench: Bench) -> None:
    """A saving below the margin replaces nothing, and a lower margin needs no new answer."""
    bench.put("a.png", BIG)
    huge = Policy(min_saving=99.9)
    assert bench.run(huge)["a.png"].status is Status.KEPT
    outcome = bench.run(Policy())["a.png"]
    assert (outcome.status, outcome.from_cache) == (Status.OPTIMIZED, True)


def test_size_of_the_smallest_image(bench: Bench) -> None:
    """1,024 bytes are enough where nobody says otherwise."""
    for size in (1023, 1024):
        bench.put(f"{size}.png", padded(size - len(padded(0))))
    reasons = {name: (outcome.before, outcome.reason) for name, outcome in bench.run().items()}
    assert reasons == {"1023.png": (1023, Reason.SMALL), "1024.png": (1024, Reason.NOTHING_TO_GAIN)}


def test_min_size(bench: Bench) -> None:
    """Files under `min_size` are left alone."""
    path = bench.put("a.png", png(1, side=16))
    assert bench.run()["a.png"].status is Status.SKIPPED
    assert read_seal(path.read_bytes()) is None


def test_lossless_seal_is_new_where_loss_is_wanted(bench: Bench) -> None:
    """A q100 seal counts only while quality is 100."""
    path = bench.put("a.png", seal(BIG, 100))
    assert bench.run(sources=[source(path, quality=100)])["a.png"].status is Status.KEPT
    assert bench.run(sources=[source(path, quality=80)])["a.png"].status is Status.OPTIMIZED
    assert bench.engines[0].asked == [BIG]


def test_edited_since_sealed_is_new(bench: Bench) -> None:
    """A stale seal is removed before the engine sees the image."""
    mark = seal(png(2), 80)[-COST[Format.PNG] - 12 : -12]
    path = bench.put("a.png", png(3)[:-12] + mark + png(3)[-12:])
    assert bench.run()["a.png"].status is Status.OPTIMIZED
    assert bench.engines[0].asked == [png(3)]
    assert read_seal(path.read_bytes()) == 80


def test_broken_image_is_named(bench: Bench) -> None:
    """A file that ends early keeps its bytes and says why; the rest is done."""
    path = bench.put("bad.png", BIG[:-20])
    bench.put("good.png", BIG)
    outcomes = bench.run()
    assert outcomes["bad.png"].status is Status.SKIPPED
    assert "ends early" in outcomes["bad.png"].reason
    assert path.read_bytes() == BIG[:-20]
    assert outcomes["good.png"].status is Status.OPTIMIZED


def test_unreadable_file(bench: Bench) -> None:
    """A file that can't be read is a failed outcome that says why."""
    outcome = bench.run(sources=[source(bench.folder / "gone.png")])["gone.png"]
    assert outcome.status is Status.FAILED
    assert "can't be read" in outcome.reason


@pytest.mark.parametrize("error", [Declined("not ours"), Rejected("no"), Unavailable("away"), AccountError("no quota")])
def test_next_engine_answers(bench: Bench, error: Exception) -> None:
    """Whatever an engine can't do goes to the next one of the list."""
    bench.engines = [Deflate("hosted", raising(error)), Deflate()]
    bench.put("a.png", BIG)
    assert bench.run()["a.png"].status is Status.OPTIMIZED


def test_different_picture_is_refused_and_remembered(bench: Bench) -> None:
    """A candidate that verify refuses is not bought again, and the next engine answers."""
    bench.engines = [Deflate("hosted", lambda data: png(9, level=9)), Deflate()]
    path = bench.put("a.png", BIG)
    bench.run(Policy())
    path.write_bytes(BIG)
    outcome = bench.run(Policy())["a.png"]
    assert outcome.status is Status.OPTIMIZED
    assert [len(engine.asked) for engine in bench.engines] == [1, 1]


def test_all_refused_counts_as_nothing_to_gain(bench: Bench) -> None:
    """When the last engine refused too, the image is sealed, so that a check can pass, and the reason is told."""
    bench.engines = [Deflate(before=raising(Rejected("the codec crashed")))]
    bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert outcome.status is Status.SEALED
    assert outcome.reason == "the codec crashed"
    assert bench.run()["a.png"].status is Status.KEPT


def test_incomplete_answer_is_not_sealed(bench: Bench) -> None:
    """An image that gains nothing is not sealed while an engine of the list could not answer."""
    small = png(1, level=9)
    path = bench.put("a.png", small)
    bench.engines = [Deflate("hosted", raising(Unavailable("away"))), Deflate()]
    assert bench.run()["a.png"].status is Status.KEPT
    assert path.read_bytes() == small


def test_pending_waits_for_the_next_run(bench: Bench) -> None:
    """An image that is paid for and in work is asked of nobody else."""
    bench.engines = [Deflate("hosted", raising(ResultPending("in work"))), Deflate()]
    bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.PENDING)
    assert bench.engines[1].asked == []


def test_spent_is_no_verdict(bench: Bench) -> None:
    """An image that may not be uploaded again is left alone, with the reason: neither remembered nor sealed."""
    bench.engines = [Deflate("hosted", raising(UploadLimitReached("no third time")))]
    path = bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, "no third time")
    assert (path.read_bytes(), bench.cache.entries) == (BIG, {})


def test_spent_images_do_not_retire_an_engine(bench: Bench) -> None:
    """However many images may not be uploaded again, the engine is asked about the others, and the next one goes on."""
    bench.engines = [Deflate("hosted", raising(UploadLimitReached("no third time"))), Deflate()]
    for number in range(5):
        bench.put(f"{number}.png", png(number))
    outcomes = bench.run()
    assert {(outcome.status, outcome.engine) for outcome in outcomes.values()} == {(Status.OPTIMIZED, "builtin")}
    assert len(bench.engines[0].asked) == 5
    assert bench.watcher.given_up == []


def test_account_error_retires_at_once(bench: Bench) -> None:
    """An account that can't be used is asked once; the note counts the images that went on without it."""
    bench.resolver_options["slots"] = {"hosted": 1}
    bench.engines = [Deflate("hosted", raising(AccountError("quota used up"))), Deflate()]
    for number in range(8):
        bench.put(f"{number}.png", png(number))
    outcomes = bench.run()
    assert {outcome.status for outcome in outcomes.values()} == {Status.OPTIMIZED}
    assert len(bench.engines[0].asked) == 1
    assert bench.watcher.given_up == [("hosted", "quota used up", 8)]


def test_two_failures_in_a_row_retire(bench: Bench) -> None:
    """An engine that was unavailable twice with no success between is given up for the run."""
    bench.resolver_options["slots"] = {"hosted": 1}
    bench.engines = [Deflate("hosted", raising(Unavailable("away"))), Deflate()]
    for number in range(8):
        bench.put(f"{number}.png", png(number))
    bench.run()
    assert len(bench.engines[0].asked) == 2
    assert bench.watcher.given_up == [("hosted", "away", 8)]


def test_success_between_failures_keeps_the_engine(bench: Bench) -> None:
    """An engine that answers now and then stays."""
    turns = iter([Unavailable("1"), None, Unavailable("2"), None, Unavailable("3"), None])

    def alternate(data: bytes) -> None:
        if error := next(turns):
            raise error

    bench.resolver_options["slots"] = {"hosted": 1}
    bench.engines = [Deflate("hosted", alternate), Deflate()]
    for number in range(6):
        bench.put(f"{number}.png", png(number))
    bench.run()
    assert len(bench.engines[0].asked) == 6
    assert bench.watcher.given_up == [("hosted", "3", 3)]


def test_single_failure_is_said(bench: Bench) -> None:
    """With one image, the usual commit, an engine's failure is told at the end as well."""
    bench.engines = [Deflate("hosted", raising(Unavailable("away"))), Deflate()]
    bench.put("a.png", BIG)
    assert bench.run()["a.png"].engine == "builtin"
    assert bench.watcher.given_up == [("hosted", "away", 1)]


def test_refused_results_are_told_apart(bench: Bench) -> None:
    """What a remote engine was paid for and verify refuses is told with the reason; the codecs' own results are not."""
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.verify = lambda original, candidate, recipe: Refuse("shows something else")
    for number in range(2):
        bench.put(f"{number}.png", png(number))
    bench.run()
    assert bench.watcher.refusals == [("hosted", {"shows something else": 2})]
    bench.watcher.refusals.clear()
    bench.run()
    assert bench.watcher.refusals == []


def test_rejection_is_told_once(bench: Bench) -> None:
    """An image that the API took and could not serve is told, and not again when that is known."""
    bench.engines = [Deflate("hosted", raising(Rejected("failed: no memory"))), Deflate()]
    bench.put("a.png", BIG)
    bench.run()
    assert bench.watcher.refusals == [("hosted", {"failed: no memory": 1})]
    bench.engines = [Deflate("hosted", raising(Rejected("failed", remembered=True))), Deflate()]
    bench.put("b.png", png(7))
    bench.watcher.refusals.clear()
    bench.run()
    assert bench.watcher.refusals == []


def test_no_engine_left(bench: Bench) -> None:
    """Where nobody could be asked the image stays as it is, and is no failure."""
    bench.engines = [Deflate("hosted", raising(AccountError("no key")))]
    path = bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.UNSERVED)
    assert path.read_bytes() == BIG


def test_lookup_only_engine_uses_what_others_paid_for(bench: Bench) -> None:
    """Without a key the API's results in the cache are used; what is not there goes to the next engine, silently."""
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.put("known.png", BIG)
    bench.run(Policy())
    bench.put("known.png", BIG)
    bench.put("new.png", png(5))
    bench.engines = [Deflate("hosted"), Deflate()]
    bench.resolver_options["lookup_only"] = frozenset({"hosted"})
    outcomes = bench.run(Policy())
    assert (outcomes["known.png"].engine, outcomes["new.png"].engine) == ("hosted", "builtin")
    assert bench.engines[0].asked == []
    assert bench.engines[1].asked == [png(5)]


def test_known_only(bench: Bench) -> None:
    """When every engine is only looked up, new images stay as they are."""
    bench.resolver_options["lookup_only"] = frozenset({"builtin"})
    bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.UNSERVED)


def test_remembered_refusal_of_the_last_engine(bench: Bench) -> None:
    """A refusal in the cache is an answer: nothing to gain, with its reason."""
    bench.put("a.png", BIG)
    key = cache_key(content_hash(BIG), Recipe(), bench.engines[0].fingerprint)
    bench.cache.put(key, Entry(Verdict.REFUSED, reason="flattened"))
    bench.resolver_options["lookup_only"] = frozenset({"builtin"})
    outcome = bench.run(Policy())["a.png"]
    assert (outcome.status, outcome.reason, outcome.from_cache) == (Status.KEPT, "flattened", True)


def test_foreign_payload_is_a_miss(bench: Bench) -> None:
    """A cached payload of another size, or that is no image at all, is not placed."""
    key = cache_key(content_hash(BIG), Recipe(), bench.engines[0].fingerprint)
    for payload in (png(1, side=90, level=9), b"junk"):
        path = bench.put("a.png", BIG)
        bench.cache.put(key, Entry(Verdict.BETTER, payload))
        bench.run(Policy())
        assert unseal(path.read_bytes()) == deflated(BIG)


def test_busy_is_waited_for_at_the_end(bench: Bench) -> None:
    """What another process works on is asked for again, after everything else."""
    bench.locks = Free(taken=1)
    bench.put("a.png", BIG)
    assert bench.run()["a.png"].status is Status.OPTIMIZED
    assert len(bench.locks.held) == 2


def test_busy_for_too_long_is_left(bench: Bench) -> None:
    """When waiting for another process expires, the image is neither asked for nor sent on in this run."""
    bench.locks = Free(taken=99)
    bench.engines = [Deflate("hosted"), Deflate()]
    path = bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.BUSY)
    assert path.read_bytes() == BIG
    assert [engine.asked for engine in bench.engines] == [[], []]


def test_second_look_under_the_lock(bench: Bench) -> None:
    """What another process has stored meanwhile is not computed again."""

    class Meanwhile(Free):
        def hold(self, key: str, **kind: object):  # type: ignore[no-untyped-def,override]
            bench.cache.put(key, Entry(Verdict.BETTER, deflated(BIG), engine="builtin"))
            return super().hold(key, **kind)  # type: ignore[arg-type]

    bench.locks = Meanwhile()
    bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.from_cache) == (Status.OPTIMIZED, True)
    assert bench.engines[0].asked == []


def test_max_time(bench: Bench) -> None:
    """After the end nothing new is begun; what stays is named, and the next run goes on."""
    bench.resolver_options["end"] = time.monotonic() - 1
    path = bench.put("a.png", BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.LATE)
    assert path.read_bytes() == BIG
    bench.resolver_options = {}
    assert bench.run()["a.png"].status is Status.OPTIMIZED


def test_late_while_waiting_for_a_slot(bench: Bench) -> None:
    """An image that waits for its turn when the time is over is left alone."""
    bench.resolver_options["slots"] = {"builtin": 1}
    for number in range(3):
        bench.put(f"{number}.png", png(number))
    resolver = bench.resolver()

    def last(data: bytes) -> None:
        """Let the time be over while this image holds the only slot and others wait for it."""
        resolver._end = time.monotonic() - 1

    bench.engines[0]._before = last
    steps = run(bench.sources(), resolver=resolver, destination=bench.destination, policy=IN_PLACE, observers=[])
    statuses = sorted(outcome.status.value for outcome in steps)
    assert statuses == ["optimized", "skipped", "skipped"]


def test_codec_exception_is_that_images_failure(bench: Bench) -> None:
    """Any exception for one image is that image's outcome; the rest is done."""

    def trip(data: bytes) -> None:
        if data == png(7):
            raise ZeroDivisionError("odd")

    bench.engines = [Deflate(before=trip)]
    bench.put("bad.png", png(7))
    bench.put("good.png", BIG)
    outcomes = bench.run()
    assert (outcomes["bad.png"].status, outcomes["bad.png"].reason) == (Status.FAILED, "ZeroDivisionError: odd")
    assert outcomes["good.png"].status is Status.OPTIMIZED


def test_edit_during_the_run_survives(bench: Bench) -> None:
    """A file that was edited while an engine worked on it keeps the edit."""
    path = bench.folder / "a.png"
    bench.engines = [Deflate(before=lambda data: path.write_bytes(b"edited") and None)]
    path.write_bytes(BIG)
    outcome = bench.run()["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.CHANGED)
    assert path.read_bytes() == b"edited"


def test_edit_before_work_began(bench: Bench) -> None:
    """A file that changed or went after it was inspected is not asked for."""
    path = bench.put("a.png", BIG)
    bench.watcher.planned = lambda plan: path.unlink()  # type: ignore[method-assign]
    outcome = bench.run(sources=[source(path)])["a.png"]
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.CHANGED)
    assert bench.engines[0].asked == []


@pytest.mark.parametrize(
    ("error", "status"), [(FileChanged(), Status.SKIPPED), (Unwritable("folder is read-only"), Status.FAILED)]
)
def test_place_that_fails(bench: Bench, error: Exception, status: Status) -> None:
    """A file that can't be replaced is named, and the run goes on."""

    def place(source: Source, seen: bytes, data: bytes) -> None:
        raise error

    bench.destination = place  # type: ignore[assignment]
    bench.put("a.png", BIG)
    assert bench.run()["a.png"].status is status


def test_stopping_consumer_cancels_the_rest(bench: Bench) -> None:
    """A consumer that stops cancels what has not begun."""
    bench.resolver_options["slots"] = {"builtin": 1}
    engine = Deflate(before=lambda data: len(engine.asked) > 1 and resolver.stop.wait(PATIENCE) and None)
    bench.engines = [engine]
    for number in range(40):
        bench.put(f"{number}.png", png(number))
    resolver, before = bench.resolver(), threading.enumerate()
    steps = run(
        bench.sources(), resolver=resolver, destination=bench.destination, policy=IN_PLACE, observers=[bench.watcher]
    )
    next(steps)
    steps.close()
    assert resolver.stop.is_set()
    until(lambda: not [thread for thread in threading.enumerate() if thread not in before])
    assert len(engine.asked) <= 2


def test_plan(bench: Bench) -> None:
    """Before the first engine is asked the plan counts files, bytes, and contents by engine."""
    bench.put("a.png", BIG)
    bench.put("b.png", BIG)
    bench.put("c.png", seal(png(3), 80))
    bench.run()
    (plan,) = bench.watcher.plans
    assert (plan.images, plan.new, plan.new_bytes) == (3, 2, 2 * len(BIG))
    assert {name: [task.size for task in tasks] for name, tasks in plan.asked.items()} == {"builtin": [len(BIG)]}


def test_too_many_pixels(bench: Bench) -> None:
    """A picture over the limits is left alone, and says why."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    path = bench.put("a.png", SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(2000)) + chunk(b"IEND", b""))
    outcome = bench.run()["a.png"]
    assert outcome.status is Status.SKIPPED
    assert "megapixels" in outcome.reason
    assert path.stat().st_size == outcome.after


def test_retired_while_waiting_for_a_slot(bench: Bench) -> None:
    """An image that waits for an engine's slot goes on at once when the engine is given up."""
    bench.resolver_options["slots"] = {"hosted": 1}
    bench.engines = [Deflate("hosted", lambda data: time.sleep(0.4) or raising(AccountError("quota"))(data)), Deflate()]
    for number in range(4):
        bench.put(f"{number}.png", png(number))
    assert {outcome.engine for outcome in bench.run().values()} == {"builtin"}
    assert len(bench.engines[0].asked) == 1


def test_verify_holds_no_slot(bench: Bench) -> None:
    """While one result is judged, the engine works on the next image."""
    second = threading.Event()

    def wait_for_the_second(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
        assert second.wait(PATIENCE)
        return same_rows(original, candidate, recipe)

    def note(data: bytes) -> None:
        if len(bench.engines[0].asked) == 2:
            second.set()

    bench.verify = wait_for_the_second
    bench.resolver_options["slots"] = {"hosted": 1}
    bench.engines = [Deflate("hosted", note), Deflate()]
    bench.put("a.png", BIG)
    bench.put("b.png", png(2))
    assert {outcome.status for outcome in bench.run().values()} == {Status.OPTIMIZED}


def test_unknown_engine_name_is_passed_over(bench: Bench) -> None:
    """A source may name an engine that this run has not: the others answer."""
    path = bench.put("a.png", BIG)
    assert bench.run(sources=[source(path, engines=("hosted", "builtin"))])["a.png"].engine == "builtin"


def test_survey_spends_nothing(bench: Bench) -> None:
    """A survey says what is finished, known and new; it asks and writes nothing."""
    bench.put("known.png", BIG)
    bench.run(Policy())
    bench.put("known.png", BIG)
    new = bench.put("new.png", png(5))
    bench.put("sealed.png", seal(png(6), 80))
    found, plan = survey(bench.sources(), resolver=bench.resolver(), policy=IN_PLACE)
    states = {item.seen.source.name: (item.seen.state.value, item.resolution is not None) for item in found}
    assert states == {"known.png": ("open", True), "new.png": ("open", False), "sealed.png": ("shrunk", False)}
    assert {name: [item.files[0].source.name for item in items] for name, items in plan.asked.items()} == {
        "builtin": ["new.png"]
    }
    assert len(bench.engines[0].asked) == 1
    assert new.read_bytes() == png(5)


def padded(count: int) -> bytes:
    """A small PNG that is `count` bytes longer than the shortest of its kind."""
    data = png(1, side=8, level=9)
    return data[:-12] + chunk(b"prVt", b"x" * count) + data[-12:]


@pytest.mark.parametrize("data", [b"x" * 2000, b"x" * 40_000], ids=["100 bytes", "2 %"])
@pytest.mark.parametrize(("mode", "cost"), [("all", COST[Format.PNG]), ("none", 0)])
def test_margin_to_the_byte(bench: Bench, data: bytes, mode: str, cost: int) -> None:
    """What is saved must reach 100 bytes and 2 % after the seal is paid for: a byte less, and nothing is replaced."""
    bench.put("a.png", BIG)
    image = inspect(bench.sources()[0], 0)
    margin = max(100, len(data) * 2 // 100)
    shortest = len(padded(0))
    for extra, expected in ((0, Status.OPTIMIZED), (1, Status.KEPT)):
        better = padded(len(data) - margin - cost - shortest + extra)
        status, result = decide(image, data, Entry(Verdict.BETTER, better), Policy(seal=mode), complete=True)
        assert status is expected
        assert len(data) - len(result) == (margin if expected is Status.OPTIMIZED else 0)


def test_a_tier_is_asked_once_before_anything_else(bench: Bench) -> None:
    """All contents are fetched in one call: by the engine that is asked first, and doubtfully by the others."""
    bench.engines = [Deflate("hosted"), Deflate("builtin")]
    bench.resolver_options = {"lookup_only": frozenset({"hosted"})}
    for name, data in (("a.png", BIG), ("b.png", BIG), ("c.png", png(7))):
        bench.put(name, data)
    bench.run()
    keys = {engine.name: cache_key(content_hash(BIG), Recipe(80), engine.fingerprint) for engine in bench.engines}
    ((likely, doubtful),) = bench.cache.prefetched
    assert (len(likely), len(doubtful)) == (2, 2)
    assert likely[keys["builtin"]] == doubtful[keys["hosted"]] == len(BIG)


def test_no_tier_is_asked_for_nothing(bench: Bench) -> None:
    """Where no image is open no tier is asked, not even by a survey."""
    bench.put("a.png", b"no image")
    bench.run()
    survey(bench.sources(), resolver=bench.resolver(), policy=IN_PLACE)
    assert bench.cache.prefetched == []
    bench.put("b.png", BIG)
    survey(bench.sources(), resolver=bench.resolver(), policy=IN_PLACE)
    assert len(bench.cache.prefetched) == 1
