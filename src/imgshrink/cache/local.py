"""The cache on this machine: one for all frontends and projects, shared by processes, opened when it is needed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.model import Entry, Verdict
from . import record

if TYPE_CHECKING:
    from .archive import Imported
    from .maintenance import CacheInfo, Removed

FOLDER = "results"
REFUSAL_SECONDS = 30 * 86400
DAY = 86400
TRIES = 3
ROOM = 0.9

T = TypeVar("T")


class LocalCache:
    """A `Cache` in `folder`, created and opened at the first call.

    `size` limits what is kept after a run that stored something, in bytes. With `writable` false nothing is changed. A
    refusal older than 30 days, or of another `verify_version`, is a miss.
    """

    def __init__(
        self,
        folder: Path,
        *,
        size: int = 2 * 10**9,
        writable: bool = True,
        verify_version: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._place = folder / FOLDER
        self._size = size
        self._writable = writable
        self._verify_version = verify_version
        self._clock = clock
        self._lock = threading.RLock()
        self._store: Any = None
        self._bypassed = False
        self._recovered = False
        self._failures = 0
        self._stored = False
        self._used: set[str] = set()
        self._notes: dict[str, str] = {}

    def get(self, key: str) -> Entry | None:
        """Return the entry stored under `key`, whole and checked, or None."""
        store = self._opened(create=False)
        if store is None:
            return None
        try:
            found = store.get(key)
        except Exception as error:  # noqa: BLE001  a broken cache is a miss
            self._trouble(error, store)
            self._bypass_if_locked(error)
            return None
        if found is None:
            return None
        entry = record.decode(key, found)
        if entry is None:
            self._note("damaged", "holds damaged records, which are made again")
        if entry is None or not self._counts(entry):
            return None
        self._used.add(key)
        return entry

    def put(self, key: str, entry: Entry) -> bool:
        """Store durably; return whether `get` would now find it."""
        entry = entry if entry.stored else replace(entry, stored=int(self._clock()))
        return self._write(key, record.encode(key, entry), entry.verdict) and self._counts(entry)

    def holds(self, key: str) -> bool:
        """Return whether something is stored under `key`, which `get` may still refuse."""
        store = self._opened(create=False)
        try:
            return store is not None and store.has(key)
        except Exception as error:  # noqa: BLE001  as above
            self._trouble(error, store)
            self._bypass_if_locked(error)
            return False

    def prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], *, end: float | None = None) -> None:
        """Do nothing: there is no other tier."""

    def notes(self) -> list[str]:
        """Return a line for each problem of this cache, each once."""
        return list(self._notes.values())

    def close(self) -> None:
        """Write when entries were used, prune, close. Safe to call twice."""
        try:
            with self._lock:
                self._finish()
        except Exception as error:  # noqa: BLE001  as above
            self._trouble(error, None)

    def info(self) -> CacheInfo:
        """Return what the cache holds."""
        from .maintenance import CacheInfo, measure

        return self._maintain(measure, CacheInfo(self._place, 0, 0, {}, None), writes=False)

    def verify_all(self) -> Removed:
        """Read every record, remove those that are damaged or foreign, and return how many."""
        from .maintenance import Removed, check

        return self._maintain(lambda folder, _: check(folder), Removed(0, 0, 0))

    def prune(self, size: int | None = None) -> Removed:
        """Remove the least recently used entries until at most `size` bytes are left; by default the cache's size."""
        from .maintenance import Removed, prune

        limit = self._size if size is None else size
        return self._maintain(lambda folder, _: prune(folder, limit), Removed(0, 0, 0))

    def clear(self) -> Removed:
        """Remove everything."""
        from .maintenance import Removed, empty

        return self._maintain(lambda folder, _: empty(folder), Removed(0, 0, 0))

    def export(self, path: Path) -> int:
        """Write every valid entry to a file at `path` and return their number; raises `Unwritable`."""
        from .archive import export

        return export(self.records(), path)

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Return key and record of every valid entry."""
        from .maintenance import records

        return self._maintain(records, iter(()), writes=False)

    def import_(self, path: Path) -> Imported:
        """Store the entries of a file that `export` wrote; raises `SettingsError` for another file.

        Each record must be complete and match its key. What its results look like is not checked: importing a cache
        means trusting its source, as with any build cache.
        """
        from .archive import Fate, read

        def take(key: str, value: bytes, entry: Entry) -> Fate:
            if self.get(key) is not None:
                return Fate.KNOWN
            return Fate.STORED if self._write(key, value, entry.verdict) else Fate.REFUSED

        return read(path, take)

    def _write(self, key: str, value: bytes, verdict: Verdict) -> bool:
        if not self._writable or self._failures >= TRIES or len(value) > record.MAX_RECORD:
            return False
        store = self._opened(create=True)
        if store is None or store.mode != "rw":
            return False
        try:
            store.set(key, value, tag=verdict.value)
        except Exception as error:  # noqa: BLE001  as above
            self._failures += 1
            self._trouble(error, store)
            # If a new database has replaced a damaged one, it stores this entry too.
            return self._store is not store and self._write(key, value, verdict)
        self._failures = 0
        self._stored = True
        return True

    def _counts(self, entry: Entry) -> bool:
        if entry.verdict is not Verdict.REFUSED:
            return True
        age = self._clock() - entry.stored
        return entry.verify == self._verify_version and -DAY <= age <= REFUSAL_SECONDS

    def _opened(self, *, create: bool) -> Any:  # noqa: ANN401  a store of an untyped library
        if self._store is None and not self._bypassed:
            with self._lock:
                if self._store is None and (create or os.path.exists(self._place / "cache.db")):
                    self._store = self._open()
        return self._store

    def _open(self) -> Any:  # noqa: ANN401  as above
        from .store import open_store, why

        try:
            return open_store(self._place, writable=self._writable, note=self._note)
        except Exception as error:  # noqa: BLE001  as above
            self._bypassed = True
            self._note("open", f"can't be used, so no result of this run is stored ({why(error)})")
            return None

    def _trouble(self, error: Exception, store: Any) -> None:  # noqa: ANN401  as above
        """Note what went wrong; a database that turns out to be damaged is replaced, once a run."""
        from .store import is_damage, is_foreign, why

        if store is not None and self._store is not store:
            return  # another thread found the damage first, and has replaced the store
        if is_foreign(error):
            self._note("foreign", f"holds foreign data ({error}), which is ignored and replaced")
        elif not is_damage(error):
            self._note("trouble", f"can't be read or written ({why(error)})")
        else:
            with self._lock:
                if self._store is store:
                    self._recover(error, may_write=store is not None and store.mode == "rw")

    def _bypass_if_locked(self, error: Exception) -> None:
        """Ask no more where even reading is locked: each image would wait for it anew."""
        from .store import is_locked

        if is_locked(error):
            with self._lock:
                self._bypassed, self._store = True, None

    def _recover(self, error: Exception, *, may_write: bool) -> None:
        from .store import renew, why

        self._store, self._bypassed = None, self._recovered or not may_write
        if not self._bypassed:
            self._recovered = True
            try:
                renew(self._place, note=self._note)
            except Exception:  # noqa: BLE001  as above
                self._bypassed = True
        if self._bypassed:
            self._note("open", f"is damaged and not used in this run ({why(error)})")

    def _finish(self) -> None:
        store, self._store = self._store, None
        if store is None:
            return
        used, stored, self._used, self._stored = self._used, self._stored, set(), False
        store.close()
        if self._writable and used and store.mode == "rw":
            from . import last_used

            last_used.write(self._place, used, int(self._clock()))
        if stored:
            self._prune()

    def _prune(self) -> None:
        from .maintenance import prune, volume

        if volume(self._place) <= self._size:
            return
        removed = prune(self._place, int(self._size * ROOM))
        removed_ones = f"the {removed.entries} results ({removed.bytes / 10**6:.1f} MB)"
        self._note("pruned", f"was over its size: {removed_ones} unused for the longest time were removed")

    def _maintain(self, work: Callable[[Path, str], T], nothing: T, *, writes: bool = True) -> T:
        """Run `work` on the open cache; return `nothing` if there is none, or if it fails, with a note."""
        store = self._opened(create=False)
        if store is None:
            return nothing
        try:
            if writes and store.mode != "rw":
                raise PermissionError("it is read-only")  # noqa: TRY301  one place notes it
            return work(self._place, store.mode)
        except Exception as error:  # noqa: BLE001  as above
            self._trouble(error, store)
            return nothing

    def _note(self, kind: str, text: str) -> None:
        from ..core.text import shown

        self._notes.setdefault(kind, f"the cache in {shown(self.folder)} {text}")
