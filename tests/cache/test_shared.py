"""The cache of many machines: one prefetch, signed results, writes behind, and never in the way."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from caches import DONE, KEY, LARGE, NOTHING, NOW, OTHER, REFUSED, SMALL, make, rows, stored_in
from imgshrink.cache import shared
from imgshrink.cache.push import push
from imgshrink.cache.shared import SAMPLE, announcement, name_of
from imgshrink.cache.shelf import Trouble
from imgshrink.core.errors import Unwritable
from imgshrink.core.keys import content_hash, done_key
from imgshrink.core.model import Entry, Verdict
from shelves import PUBLIC, SIGNER, STRANGER, Shelved, blob, tiered

MOST = 200_000
KEYS = [f"{number:064x}" for number in range(60)]


def raising(trouble: Trouble, *, after: int = 0):
    """What a shelf does that is in trouble after so many calls."""
    calls: list[str] = []

    def fail(name: str) -> None:
        calls.append(name)
        if len(calls) > after:
            raise trouble

    return fail


def wanted(*keys: str) -> dict[str, int]:
    return dict.fromkeys(keys, MOST)


def test_what_one_machine_shares_another_has(tmp_path: Path) -> None:
    """A result that a writer puts is found by the next machine, by one prefetch, and needs no further call."""
    shelf = Shelved()
    writer = tiered(tmp_path / "first", shelf, signer=SIGNER)
    writer.prefetch(wanted(KEY, OTHER), {})
    assert writer.get(KEY) is None
    assert writer.put(KEY, LARGE)
    assert writer.put(OTHER, NOTHING)
    writer.close()
    assert writer.summary() == "2 added"

    reader = tiered(tmp_path / "second", shelf)
    reader.prefetch(wanted(KEY, OTHER, KEYS[0]), {})
    calls = dict(shelf.calls)
    assert (reader.get(KEY), reader.get(OTHER), reader.get(KEYS[0])) == (LARGE, NOTHING, None)
    assert shelf.calls == calls
    assert reader.summary() == "2 found, 1 not there"
    assert reader.notes() == []
    reader.close()


def test_an_output_of_others_is_known_as_one(tmp_path: Path) -> None:
    """The result that arrived is known as an output; that fact is not shared by itself."""
    shelf = Shelved()
    shelf.share(KEY, LARGE)
    reader = tiered(tmp_path, shelf)
    reader.prefetch(wanted(KEY), {})
    done = reader.get(done_key(content_hash(LARGE.data)))
    assert done == Entry(Verdict.DONE, b"", "", "hosted", NOW, 1, 80)


def test_only_results_are_shared(tmp_path: Path) -> None:
    """Entries under keys that were not prefetched (probes, outputs) stay on this machine."""
    shelf = Shelved()
    writer = tiered(tmp_path, shelf, signer=SIGNER)
    writer.prefetch(wanted(KEY), {})
    writer.put("probe", NOTHING)
    writer.put(done_key(KEY), DONE)
    writer.close()
    assert shelf.calls["put"] == 0


def test_readers_do_not_write(tmp_path: Path) -> None:
    """Without a secret nothing is written."""
    shelf = Shelved()
    shelf.announce()
    reader = tiered(tmp_path, shelf)
    reader.prefetch(wanted(KEY), {})
    assert reader.put(KEY, SMALL)
    reader.close()
    assert shelf.calls == {"get": 2}


def test_results_of_this_machine_are_not_asked_for(tmp_path: Path) -> None:
    """What is here, made or fetched before, costs no call; what was not there is not asked for again."""
    shelf = Shelved()
    shelf.share(OTHER, SMALL)
    first = tiered(tmp_path, shelf)
    first.put(KEY, SMALL)
    first.prefetch(wanted(KEY, OTHER, KEYS[0]), {})
    assert shelf.calls["get"] == 3
    first.prefetch(wanted(KEY, OTHER, KEYS[0]), {})
    assert shelf.calls["get"] == 3
    first.close()
    second = tiered(tmp_path, shelf)
    second.prefetch(wanted(KEY, OTHER), {})
    assert second.get(OTHER) == SMALL
    assert shelf.calls["get"] == 3
    assert second.summary() == ""


def test_two_writers_make_one_object(tmp_path: Path) -> None:
    """A result that is there already stays."""
    shelf = Shelved()
    writers = [tiered(tmp_path / name, shelf, signer=SIGNER) for name in ("first", "second")]
    for writer, entry in zip(writers, (SMALL, LARGE), strict=True):
        writer.prefetch(wanted(KEY), {})
        writer.put(KEY, entry)
    writers[0].close()
    writers[1].close()
    assert len(shelf.blobs) == 2
    assert sorted(writer.summary().count("1 added") for writer in writers) == [0, 1]


def test_doubtful_keys_are_sampled(tmp_path: Path) -> None:
    """Keys of engines that are not asked cost a sample, and all of them only where the sample brings one."""
    shelf = Shelved()
    shelf.announce()
    tiered(tmp_path / "first", shelf).prefetch(wanted(KEY), wanted(*KEYS))
    assert shelf.calls["get"] == 2 + SAMPLE
    shelf.share(KEYS[3], SMALL)
    shelf.share(KEYS[50], LARGE)
    reader = tiered(tmp_path / "second", shelf)
    reader.prefetch(wanted(KEY), wanted(*KEYS))
    assert shelf.calls["get"] == 2 + SAMPLE + 2 + len(KEYS)
    assert reader.get(KEYS[50]) == LARGE
    assert reader.summary() == "2 found, 1 not there"


def other_bytes(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


GENUINE = blob(KEY, SMALL)
POISON = {
    "first line": (other_bytes(GENUINE, 3), "unsigned"),
    "key id": (other_bytes(GENUINE, 20), "signed with another key"),
    "signature": (other_bytes(GENUINE, 40), "changed after it was signed"),
    "record": (other_bytes(GENUINE, 100), "changed after it was signed"),
    "data": (other_bytes(GENUINE, len(GENUINE) - 1), "changed after it was signed"),
    "cut off": (GENUINE[:-1], "changed after it was signed"),
    "another name's": (blob(OTHER, SMALL), "changed after it was signed"),
    "another key's": (blob(KEY, SMALL, STRANGER), "signed with another key"),
    "a record alone": (GENUINE[91:], "unsigned"),
    "HTML": (b"<html><title>Sign in</title>" * 20, "unsigned"),
    "nothing": (b"", "unsigned"),
}


@pytest.mark.parametrize(("poison", "why"), POISON.values(), ids=POISON)
def test_poison(poison: bytes, why: str, tmp_path: Path) -> None:
    """What is not signed by a key that is believed, for this name, is a miss, and the summary says why."""
    shelf = Shelved()
    shelf.announce()
    shelf.blobs[name_of(KEY)] = poison
    reader = tiered(tmp_path, shelf)
    reader.prefetch(wanted(KEY), {})
    assert reader.get(KEY) is None
    assert reader.summary() == f"1 not believed ({why})"


SIGNED_NONSENSE = {
    "no record": SIGNER.seal(name_of(KEY), b"nonsense"),
    "another key's record": SIGNER.seal(name_of(KEY), GENUINE[91:].replace(b"small", b"large")),
    "a fact": blob(KEY, DONE),
    "an old refusal": blob(KEY, Entry(Verdict.REFUSED, b"", "no", "hosted", NOW - 40 * 86400, 1, 80)),
}


@pytest.mark.parametrize("found", SIGNED_NONSENSE.values(), ids=SIGNED_NONSENSE)
def test_signed_nonsense(found: bytes, tmp_path: Path) -> None:
    """A signature does not make a result of what is none."""
    shelf = Shelved()
    shelf.announce()
    shelf.blobs[name_of(KEY)] = found
    reader = tiered(tmp_path, shelf)
    reader.prefetch(wanted(KEY), {})
    assert reader.get(KEY) is None
    assert reader.summary() == "0 found, 1 not there"


def test_a_refusal_is_shared_like_a_result(tmp_path: Path) -> None:
    """What was refused elsewhere is not paid for again here."""
    shelf = Shelved()
    shelf.share(KEY, REFUSED)
    reader = tiered(tmp_path, shelf)
    reader.prefetch(wanted(KEY), {})
    assert reader.get(KEY) == REFUSED


def test_an_answer_too_large_for_a_result(tmp_path: Path) -> None:
    """A result can't be larger than its image; more is not taken."""
    shelf = Shelved()
    shelf.share(KEY, LARGE)
    reader = tiered(tmp_path, shelf)
    reader.prefetch({KEY: 1000}, {})
    assert reader.get(KEY) is None
    assert reader.summary() == "1 not fetched"


def test_withdrawn_trust(tmp_path: Path) -> None:
    """What came by a key is used only as long as that key is believed, and lies in a folder of its own."""
    shelf = Shelved()
    shelf.share(KEY, SMALL, STRANGER)
    believing = tiered(tmp_path, shelf, STRANGER.public)
    believing.prefetch(wanted(KEY), {})
    believing.close()
    assert (tmp_path / "shared" / STRANGER.key_id / "results").is_dir()
    assert tiered(tmp_path, shelf, STRANGER.public, PUBLIC).get(KEY) == SMALL
    assert tiered(tmp_path, shelf).get(KEY) is None
    assert make(tmp_path).get(KEY) is None


def test_a_tier_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    """Where the first call is in trouble no other is made, and what it met is said; this machine's cache goes on."""
    shelf = Shelved(raising(Trouble("time-out")))
    cache = tiered(tmp_path, shelf, signer=SIGNER)
    cache.prefetch(wanted(*KEYS), {})
    cache.prefetch(wanted(KEY), {})
    assert cache.put(KEY, SMALL)
    assert cache.get(KEY) == SMALL
    cache.close()
    assert shelf.calls == {"get": 1}
    assert cache.summary() == "not answering, went on without it (time-out)"
    assert cache.notes() == []


def test_access_refused(tmp_path: Path) -> None:
    """A refusal is never a miss in silence."""
    cache = tiered(tmp_path, Shelved(raising(Trouble("status 403", refused=True))))
    cache.prefetch(wanted(KEY), {})
    assert cache.summary() == "access refused, went on without it (status 403)"


def test_the_first_writer_may_not_list_names(tmp_path: Path) -> None:
    """S3 refuses what is not there to a writer that may not list names: it writes all the same, and is found."""
    shelf = Shelved()

    def refuse_what_is_not_there(name: str) -> None:
        if not shelf.calls["put"]:
            raise Trouble("status 403", refused=True)

    shelf.before = refuse_what_is_not_there
    writer = tiered(tmp_path / "first", shelf, signer=SIGNER)
    writer.prefetch(wanted(KEY), {})
    writer.put(KEY, SMALL)
    writer.close()
    assert writer.summary() == "1 added"
    reader = tiered(tmp_path / "second", shelf)
    reader.prefetch(wanted(KEY), {})
    assert reader.get(KEY) == SMALL


def test_refused_names_are_not_there(tmp_path: Path) -> None:
    """Once a key has announced itself, 403 is what S3 says for names that are not there and may not be listed."""
    shelf = Shelved(raising(Trouble("status 403", refused=True), after=1))
    shelf.announce()
    cache = tiered(tmp_path, shelf)
    cache.prefetch(wanted(*KEYS), {})
    assert cache.summary() == f"0 found, {len(KEYS)} not there"


@pytest.mark.parametrize(
    ("found", "why"),
    [(b"<html>", "unsigned"), (STRANGER.seal(announcement(SIGNER.key_id), b""), "signed with another key")],
    ids=["unsigned", "another key"],
)
def test_what_answers_is_no_shared_cache(found: bytes, why: str, tmp_path: Path) -> None:
    """A server that answers everything with something else is asked once."""
    shelf = Shelved()
    shelf.blobs[announcement(SIGNER.key_id)] = found
    cache = tiered(tmp_path, shelf)
    cache.prefetch(wanted(*KEYS), {})
    assert shelf.calls["get"] == 1
    assert cache.summary() == f"its answers are not signed with this key, went on without it ({why})"


def test_nothing_there_yet(tmp_path: Path) -> None:
    """An empty place is asked once for each key that is believed."""
    shelf = Shelved()
    cache = tiered(tmp_path, shelf, PUBLIC, STRANGER.public)
    cache.prefetch(wanted(*KEYS), {})
    assert shelf.calls["get"] == 2
    assert cache.summary() == f"nothing there yet that key {SIGNER.key_id} or {STRANGER.key_id} has signed"


def test_a_place_that_can_only_be_read(tmp_path: Path) -> None:
    """A writer that may not write tries once, and says so."""
    shelf = Shelved()

    def refuse(name: str) -> None:
        if shelf.calls["put"]:
            raise Trouble("status 403", refused=True)

    shelf.before = refuse
    cache = tiered(tmp_path, shelf, signer=SIGNER)
    cache.prefetch(wanted(*KEYS), {})
    for key in KEYS:
        assert cache.put(key, SMALL)
    cache.close()
    assert shelf.calls["put"] == 1
    assert cache.summary() == "can't be written, went on without it (status 403)"


def test_passing_trouble(tmp_path: Path) -> None:
    """Single troubles are counted, and close nothing while other calls succeed."""
    shelf = Shelved()
    for key in KEYS:
        shelf.share(key, SMALL)

    def sometimes(name: str) -> None:
        if name.endswith("7") and not name.startswith("v1/keys"):
            raise Trouble("status 503")

    shelf.before = sometimes
    cache = tiered(tmp_path, shelf)
    cache.prefetch(wanted(*KEYS), {})
    assert cache.summary() == "56 found, 0 not there, 4 not fetched"
    assert sum(cache.get(key) == SMALL for key in KEYS) == 56


def test_an_error_of_ours_is_a_miss(tmp_path: Path) -> None:
    """Whatever a shelf raises, nothing comes of it but a line."""

    def broken(name: str) -> None:
        raise RuntimeError("nonsense")

    cache = tiered(tmp_path, Shelved(broken))
    cache.prefetch(wanted(KEY), {})
    assert cache.get(KEY) is None
    assert cache.summary() == "not answering, went on without it (RuntimeError)"


def test_a_stopped_run_waits_for_nothing(tmp_path: Path) -> None:
    """A run that is interrupted waits neither for what it reads nor for what it writes."""
    stop, release = threading.Event(), threading.Event()
    shelf = Shelved()
    shelf.announce()

    def hang(name: str) -> None:
        if not name.startswith("v1/keys"):
            stop.set()
            release.wait()

    shelf.before = hang
    cache = tiered(tmp_path, shelf, signer=SIGNER, stop=stop)
    cache.prefetch(wanted(KEY), {})
    cache.put(KEY, SMALL)
    cache.close()
    said = cache.summary()
    release.set()
    assert cache.get(KEY) == SMALL
    assert said == "1 not fetched in time, 1 not added in time"


def test_the_runs_end_bounds_it(tmp_path: Path) -> None:
    """Nothing is fetched after the end of the run."""
    shelf = Shelved()
    shelf.announce()
    release = threading.Event()
    shelf.before = lambda name: None if name.startswith("v1/keys") else release.wait() and None
    cache = tiered(tmp_path, shelf)
    cache.prefetch(wanted(*KEYS), {}, end=0.0)
    release.set()
    assert cache.summary() == f"{len(KEYS)} not fetched in time"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Trouble("status 503"), "1 added, 1 not added"),
        (Trouble("status 403", refused=True), "1 added, can't be written, went on without it (status 403)"),
        (RuntimeError("nonsense"), "1 added, can't be written, went on without it (RuntimeError)"),
    ],
)
def test_trouble_with_writing(error: Exception, said: str, tmp_path: Path) -> None:
    """A result that can't be written is counted; one that may not be written, and an error of ours, end the writing."""
    shelf = Shelved()
    cache = tiered(tmp_path, shelf, signer=SIGNER)
    cache.prefetch(wanted(*KEYS), {})
    cache.put(KEYS[0], SMALL)
    cache.close()

    def fail(name: str) -> None:
        raise error

    shelf.before = fail
    cache.put(KEYS[1], SMALL)
    cache.close()
    assert cache.summary() == said
    calls = shelf.calls["put"]
    cache.put(KEYS[2], SMALL)
    cache.close()
    assert shelf.calls["put"] == calls + (said == "1 added, 1 not added")


def test_too_many_results_on_their_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a shelf takes results more slowly than they are made, those beyond a limit are left out, and counted."""
    monkeypatch.setattr(shared, "MOST_WAITING", 5)
    release, shelf = threading.Event(), Shelved()
    cache = tiered(tmp_path, shelf, signer=SIGNER)
    cache.prefetch(wanted(*KEYS), {})
    shelf.before = lambda name: release.wait() and None
    for key in KEYS:
        cache.put(key, SMALL)
    release.set()
    cache.close()
    added = len(shelf.blobs) - 1
    assert shared.WRITERS <= added + 1 <= shared.WRITERS + 6
    assert cache.summary() == f"{len(KEYS) - added} not added in time, {added} added"


def test_push_ends_with_the_first_trouble(tmp_path: Path) -> None:
    """What can't be written ends a push, with the reason; nothing is begun after it."""
    local = make(tmp_path)
    for key in KEYS:
        local.put(key, SMALL)
    shelf = Shelved(raising(Trouble("status 503"), after=10))
    with pytest.raises(Unwritable, match="the shared cache can't be written: status 503"):
        push(local, shelf, SIGNER)
    assert 10 < shelf.calls["put"] <= 10 + shared.WRITERS


def test_a_broken_cache_holds_nothing(tmp_path: Path) -> None:
    """A cache that can't be read holds nothing, and says so once; one that is only read holds what it has."""
    stored_in(tmp_path)
    assert make(tmp_path, writable=False).holds(KEY)
    assert not make(tmp_path, writable=False).holds(KEYS[0])
    cache = make(tmp_path)
    assert cache.holds(KEY)
    cache._store.close()
    rows(tmp_path, "DROP TABLE Cache")
    assert not cache.holds(KEY)
    assert len(cache.notes()) == 1
