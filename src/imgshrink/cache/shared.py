"""A cache with a tier that is shared by many machines: one prefetch a run, signed results, writes behind the run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from itertools import islice

from ..core.keys import content_hash, done_key
from ..core.model import Entry, Verdict
from . import record, tally
from .local import LocalCache
from .shelf import Shelf, Trouble
from .signature import HEAD, Doubt, Genuine, Keyring, Signer
from .tally import Tally
from .threads import Behind, in_threads

READERS, WRITERS = 32, 8
PATIENCE = 2.0
PATIENCE_A_KEY = 0.02
"""Seconds that a prefetch takes at most, and more for each key."""

TO_WRITE = 10.0
"""Seconds that the end of a run waits for results on their way."""

MOST_WAITING = 1000
SAMPLE = 16
AROUND = HEAD + record.HEAD + 4 + record.MAX_FIELDS
"""Bytes of a blob beside the result itself, at most."""

ANNOUNCED = b"imgshrink"


@dataclass(frozen=True)
class Writing:
    """One result on its way."""

    key: str
    entry: Entry


def name_of(key: str) -> str:
    """Return the name under which the result for a cache key is shared."""
    return f"v1/{key[:2]}/{key}"


def announcement(key_id: str) -> str:
    """Return the name under which a key announces that it has signed something here. It is written first."""
    return f"v1/keys/{key_id}"


class SharedCache:
    """A `Cache`: the local one, and results from a `shelf` that a key of `keyring` has signed.

    Those are stored in `believed`, a cache for each key id: believing a key no longer is deleting a folder. Only
    `prefetch` asks the shelf. With a `signer`, results for prefetched keys that were not found are written
    to the shelf. Never raises; whatever the shelf does, a run is as without it. In a forked child only the local caches
    are used.
    """

    def __init__(
        self,
        local: LocalCache,
        believed: Mapping[str, LocalCache],
        shelf: Shelf,
        keyring: Keyring,
        *,
        signer: Signer | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._local = local
        self._believed = dict(believed)
        self._shelf = shelf
        self._keyring = keyring
        self._signer = signer
        self._stop = stop or threading.Event()
        self._process = os.getpid()
        self._tally = Tally()
        self._asked: set[str] = set()
        self._readable: bool | None = None
        self._announcing = threading.Lock()
        self._announced = False
        self._behind: Behind[Writing] = Behind(self._write, threads=WRITERS, most=MOST_WAITING)

    def get(self, key: str) -> Entry | None:
        """Return the entry stored under `key` on this machine, fetched before or made here, or None."""
        found = self._local.get(key)
        for cache in self._believed.values():
            found = found or cache.get(key)
        return found

    def put(self, key: str, entry: Entry) -> bool:
        """Store on this machine; a writer shares results for keys that were prefetched in vain."""
        if self._signer and key in self._asked and self._is_open() and not self._behind.add(Writing(key, entry)):
            self._tally.count("not added in time", 1)
        return self._local.put(key, entry)

    def prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], *, end: float | None = None) -> None:
        """Fetch what the shelf has and this machine has not; no key is asked for twice."""
        try:
            self._prefetch(likely, doubtful, end)
        except Exception as error:  # noqa: BLE001  a broken tier is a miss
            self._tally.close(tally.SILENT, type(error).__name__)

    def summary(self) -> str:
        """Return what came of all calls, "" where none was made, and in a forked child."""
        return self._tally.line() if self._process == os.getpid() else ""

    def notes(self) -> list[str]:
        """Return a line for each problem of the caches on this machine."""
        return [note for cache in self._caches() for note in cache.notes()]

    def close(self) -> None:
        """Wait at most 10 seconds for results on their way; close the caches on this machine. Safe to call twice."""
        if self._process == os.getpid():
            dropped = self._behind.finish(0 if self._tally.closed else TO_WRITE, self._stop)
            if not self._tally.closed:
                self._tally.count("not added in time", dropped)
        for cache in self._caches():
            cache.close()

    def _caches(self) -> list[LocalCache]:
        return [self._local, *self._believed.values()]

    def _is_open(self) -> bool:
        if self._process != os.getpid():
            return False
        return not self._tally.closed

    def _prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], end: float | None) -> None:
        if not self._is_open():
            return
        wanted = {key: most for key, most in likely.items() if self._is_new(key)}
        spare = {key: most for key, most in doubtful.items() if self._is_new(key) and key not in wanted}
        self._asked |= wanted.keys() | spare.keys()
        if not (wanted or spare) or not self._probe():
            return
        started = time.monotonic()
        sample = dict(islice(spare.items(), SAMPLE))
        if self._fetch(wanted | sample, wanted, started, end) & sample.keys():
            rest = {key: most for key, most in spare.items() if key not in sample}
            self._fetch(rest, wanted, started, end)

    def _is_new(self, key: str) -> bool:
        return key not in self._asked and not any(cache.holds(key) for cache in self._caches())

    def _probe(self) -> bool:
        """Return whether a key that we believe has announced itself; ask once a run."""
        if self._readable is None:
            self._readable = any(self._probe_key(key_id) for key_id in self._keyring.ids)
            if not self._readable and not self._tally.closed:
                self._tally.remark(f"nothing there yet that key {' or '.join(self._keyring.ids)} has signed")
        return self._readable and not self._tally.closed

    def _probe_key(self, key_id: str) -> bool:
        if self._tally.closed:
            return False
        try:
            found = self._look(announcement(key_id), AROUND)
        except Trouble as trouble:
            # S3 refuses what is not there where names may not be listed: the first writer finds out by writing.
            if not (trouble.refused and self._signer):
                self._tally.close(tally.REFUSED if trouble.refused else tally.SILENT, str(trouble))
            return False
        if isinstance(found, Doubt):
            self._tally.close(tally.FOREIGN, found.value)
        self._tally.success()
        return isinstance(found, Genuine)

    def _look(self, name: str, most: int) -> Genuine | Doubt | None:
        blob = self._shelf.get(name, most)
        return None if blob is None else self._keyring.unseal(name, blob)

    def _fetch(self, wanted: Mapping[str, int], counted: Container[str], started: float, end: float | None) -> set[str]:
        """Fetch the results for the keys and store those that are believed; return their keys.

        What is not there is counted for the keys that are `counted`.
        """
        deadline = started + PATIENCE + PATIENCE_A_KEY * len(wanted)
        found: set[str] = set()
        answers = 0

        def ask(key: str) -> Genuine | Doubt | Trouble | None:
            try:
                return self._look(name_of(key), wanted[key] + AROUND)
            except Trouble as trouble:
                return trouble

        threads = in_threads(
            ask, wanted, threads=READERS, deadline=deadline if end is None else min(deadline, end), stop=self._stop
        )
        for key, answer in threads:
            answers += 1
            if self._take(answer, key, counted):
                found.add(key)
            if self._tally.closed:
                break
        threads.close()
        self._tally.count("not fetched in time", 0 if self._tally.closed else len(wanted) - answers)
        return found

    def _take(self, answer: Genuine | Doubt | Trouble | None, key: str, counted: Container[str]) -> bool:
        match answer:
            case Trouble(refused=False):
                self._tally.failure(str(answer))
                self._tally.count("not fetched", 1)
            case Doubt():
                self._tally.success(f"not believed ({answer.value})")
            case Genuine() if self._store(key, answer):
                self._tally.success("found")
                return True
            case _:  # nothing there; S3 says 403 for that where the names may not be listed
                self._tally.success("not there" if key in counted else "")
        return False

    def _store(self, key: str, genuine: Genuine) -> bool:
        entry = record.decode(key, genuine.record)
        if entry is None or entry.verdict is Verdict.DONE:
            return False
        cache = self._believed[genuine.key_id]
        if entry.verdict is Verdict.BETTER:
            done = Entry(Verdict.DONE, b"", "", entry.engine, entry.stored, entry.verify, entry.quality)
            cache.put(done_key(content_hash(entry.data)), done)
        return cache.put(key, entry)

    def _write(self, item: Writing) -> None:
        """Write one result, in a thread behind the run."""
        assert self._signer is not None
        if self._tally.closed:
            return
        try:
            self._announce(self._signer)
            name = name_of(item.key)
            blob = self._signer.seal(name, record.encode(item.key, item.entry))
            self._tally.success("added" if self._shelf.put_new(name, blob) else "")
        except Trouble as trouble:
            if trouble.refused or not self._announced:
                self._tally.close(tally.UNWRITABLE, str(trouble))
            else:
                self._tally.failure(str(trouble))
                self._tally.count("not added", 1)
        except Exception as error:  # noqa: BLE001  as above
            self._tally.close(tally.UNWRITABLE, type(error).__name__)

    def _announce(self, signer: Signer) -> None:
        with self._announcing:
            if not self._announced and not self._tally.closed:
                name = announcement(signer.key_id)
                self._shelf.put_new(name, signer.seal(name, ANNOUNCED))
                self._announced = True
