"""Resolves one content: from the cache, else by the first engine of its list that answers. Thread-safe."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Protocol

from ..cache import Cache
from ..core import errors
from ..core.keys import cache_key, content_hash, done_key
from ..core.model import Accept, Entry, ImageKey, Judgement, NotSmaller, Reason, Recipe, Refuse, Verdict
from ..engines import Engine
from .inspection import suffices
from .resolution import Resolution, WorkItem, fits

MOST_FAILURES = 2
SLOTS = 16
VERIFYING = 8
POLL = 0.1

Verify = Callable[[bytes, bytes, Recipe], Judgement]


class Locks(Protocol):
    """Locks by key, between threads and processes."""

    def hold(self, key: str, *, deadline: float | None, stop: threading.Event) -> AbstractContextManager[bool]:
        """Enter with True once `key` is held, with False if others held it until `deadline` (monotonic seconds)."""


class _LeftAlone(Exception):
    """The image is left alone in this run, for `reason`."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Resolver:
    """Resolves one image through cache and engines, and tracks the engines' failures for the run.

    `unanswered` holds the last error of each engine that did not answer, `refused` why results of a remote one were not
    taken: both for people, at the end.
    Engines in `lookup_only` are not asked: only their cached results are used. `slots` bounds how many images an engine
    holds at once, 16 by default. `wait` bounds the wait for another process that works on the same content, in seconds;
    after `end`, in monotonic seconds, nothing new is begun. Everything that waits watches `stop`.
    `owes` says whether an image is paid for at an engine: that engine is asked even when it is disabled, and no other.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        cache: Cache,
        locks: Locks,
        verify: Verify,
        *,
        lookup_only: frozenset[str] = frozenset(),
        slots: Mapping[str, int] | None = None,
        verify_version: int = 0,
        wait: float = 300.0,
        end: float | None = None,
        stop: threading.Event | None = None,
        owes: Callable[[str, ImageKey], bool] = lambda _, __: False,
    ) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self._cache = cache
        self._locks = locks
        self._verify = verify
        self._lookup_only = lookup_only
        self._limits = {engine.name: SLOTS for engine in engines} | dict(slots or {})
        self._slots = {name: threading.BoundedSemaphore(count) for name, count in self._limits.items()}
        self._verify_version = verify_version
        self._wait = wait
        self._end = end
        self._owes = owes
        self.stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self.disabled: dict[str, errors.EngineError] = {}
        self.fallen_back: Counter[str] = Counter()
        self.unanswered: dict[str, errors.EngineError] = {}
        self.refused: dict[str, Counter[str]] = {}

    def threads(self, items: Sequence[WorkItem]) -> int:
        """Return how many threads can have work: one for each slot of the largest engine, and some that verify.

        A single engine gets no more threads than slots, so that images begin in the order of `items`.
        """
        names = {name for item in items for name in item.engines if name in self._engines} - self._lookup_only
        most = max((self._limits[name] for name in names), default=1)
        return min(len(items), most + VERIFYING if len(names) > 1 else most)

    def prefetch(self, items: Sequence[WorkItem]) -> None:
        """Fetch what another tier of the cache knows of `items`, at once; before the first `lookup`.

        The engine that would be asked first most probably made the result; whether others did, a sample tells.
        """
        likely: dict[str, int] = {}
        doubtful: dict[str, int] = {}
        for item in items:
            first = self.first(item)
            for engine in self._order(item):
                key = cache_key(item.content, item.recipe, engine.fingerprint)
                (likely if engine.name == first else doubtful)[key] = item.size
        if items:
            self._cache.prefetch(likely, doubtful, end=self._end)

    def lookup(self, item: WorkItem) -> Resolution | None:
        """Return what the cache knows of `item`, or None when an engine has to be asked."""
        done = self._cache.get(done_key(item.content)) if item.recipe.keeps else None
        if done is not None and done.verdict is Verdict.DONE and suffices(done.quality, item.recipe.quality):
            return Resolution(done, from_cache=True)
        refusal: Entry | None = None
        for engine in self._order(item):
            entry = self._known(engine, item)
            if entry is None and engine.name not in self._lookup_only:
                return None
            if entry is not None and entry.verdict is not Verdict.REFUSED:
                return Resolution(entry, from_cache=True)
            refusal = entry or refusal
        return Resolution(refusal, from_cache=refusal is not None, reason="" if refusal else Reason.UNSERVED)

    def first(self, item: WorkItem) -> str:
        """Return the name of the engine that will be asked first for `item`, "" if there is none."""
        return next((engine.name for engine in self._asked(item)), "")

    def local(self, item: WorkItem) -> bool:
        """Whether `item` will be worked on here first, at the cost of time alone."""
        return any(engine.local for engine in itertools.islice(self._asked(item), 1))

    def resolve(self, item: WorkItem, data: bytes, *, wait: bool) -> Resolution:
        """Ask engine after engine about `data`; without `wait`, content that another process works on is `busy`."""
        complete, why = True, str(Reason.UNSERVED)
        refusal: Entry | None = None
        for engine in self._asked(item):
            try:
                entry, from_cache = self._resolve_with(engine, item, data, wait=wait)
            except _LeftAlone as left:
                return Resolution(None, complete=False, reason=left.reason, busy=left.reason is Reason.BUSY)
            except errors.ResultPending:
                return Resolution(None, complete=False, reason=Reason.PENDING)
            except errors.MachineTrouble as error:
                return Resolution(None, complete=False, reason=str(error))
            except errors.UploadLimitReached as error:
                complete, why = False, str(error)
                continue
            except errors.EngineError as error:
                if self._owes(engine.name, item):
                    return Resolution(None, complete=False, reason=Reason.PENDING)
                self._record_failure(engine, item, error)
                complete = False
                continue
            if entry.verdict is not Verdict.REFUSED:
                return Resolution(entry, from_cache, complete)
            refusal = entry
        return Resolution(refusal, complete=complete, reason="" if refusal else why)

    def _order(self, item: WorkItem) -> Iterator[Engine]:
        return (self._engines[name] for name in item.engines if name in self._engines)

    def _asked(self, item: WorkItem) -> Iterator[Engine]:
        return (engine for engine in self._order(item) if engine.name not in self._lookup_only)

    def _resolve_with(self, engine: Engine, item: WorkItem, data: bytes, *, wait: bool) -> tuple[Entry, bool]:
        key = cache_key(item.content, item.recipe, engine.fingerprint)
        self._require_enabled(engine, item)
        deadline = time.monotonic() + self._wait if wait else time.monotonic()
        if self._end is not None:
            deadline = min(deadline, self._end)
        with ExitStack() as slot:
            slot.enter_context(self._slot(engine, item))
            with self._locks.hold(key, deadline=deadline, stop=self.stop) as held:
                if not held:
                    raise _LeftAlone(Reason.BUSY)
                known = self._known(engine, item)
                if known is not None:
                    return known, True
                self._require_enabled(engine, item)
                self._require_time()
                entry = self._ask_engine(engine, item, data, slot.close)
                self._remember(key, entry)
                return entry, False

    def _ask_engine(self, engine: Engine, item: WorkItem, data: bytes, answered: Callable[[], None]) -> Entry:
        """Ask `engine`, call `answered` so that it may take the next image, and verify its answer."""
        now = int(time.time())
        try:
            candidate = engine.optimize(data, item.info, item.recipe)
            self._reached(engine)
            answered()
            unchanged = candidate == data and item.recipe.keeps  # else dropping alone makes it smaller
            judgement = NotSmaller() if unchanged else self._judge(engine, data, candidate, item.recipe)
            if isinstance(judgement, Refuse):
                self._record_refusal(engine, judgement.reason)
        except errors.Declined as error:
            judgement = Refuse(str(error))
        except errors.Rejected as error:
            if not error.remembered:
                self._reached(engine)
                self._record_refusal(engine, str(error))
            judgement = Refuse(str(error))
        entry = Entry(Verdict.NOT_SMALLER, b"", "", engine.name, now, self._verify_version, item.recipe.quality)
        match judgement:
            case Accept(data=better):
                return replace(entry, verdict=Verdict.BETTER, data=better)
            case Refuse(reason=reason):
                return replace(entry, verdict=Verdict.REFUSED, reason=reason)
        return entry

    def _judge(self, engine: Engine, data: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
        """Verify a candidate; one that is paid for and can't be judged on this machine now is left to the next run."""
        try:
            return self._verify(data, candidate, recipe)
        except errors.EngineError as error:
            if engine.local:
                raise
            raise errors.ResultPending(str(error)) from error

    def _reached(self, engine: Engine) -> None:
        with self._lock:
            self._failures[engine.name] = 0

    def _remember(self, key: str, entry: Entry) -> None:
        self._cache.put(key, entry)
        if entry.verdict is Verdict.BETTER:
            done = Entry(Verdict.DONE, b"", "", entry.engine, entry.stored, entry.verify, entry.quality)
            self._cache.put(done_key(content_hash(entry.data)), done)

    def _known(self, engine: Engine, item: WorkItem) -> Entry | None:
        entry = self._cache.get(cache_key(item.content, item.recipe, engine.fingerprint))
        if entry is None or (entry.verdict is Verdict.BETTER and not fits(item, entry.data)):
            return None
        return entry

    @contextmanager
    def _slot(self, engine: Engine, item: WorkItem) -> Iterator[None]:
        slot = self._slots[engine.name]
        while not slot.acquire(timeout=POLL):
            self._require_enabled(engine, item)
            self._require_time()
        try:
            self._require_time()
            yield
        finally:
            slot.release()

    def _require_time(self) -> None:
        if self.stop.is_set() or (self._end is not None and time.monotonic() >= self._end):
            raise _LeftAlone(Reason.LATE)

    def _require_enabled(self, engine: Engine, item: WorkItem) -> None:
        """Raise `Unavailable` if the engine is disabled, unless it owes the result: collecting it costs nothing."""
        with self._lock:
            disabled = engine.name in self.disabled
        if disabled and not self._owes(engine.name, item):
            raise errors.Unavailable

    def _record_failure(self, engine: Engine, item: WorkItem, error: errors.EngineError) -> None:
        with self._lock:
            self.fallen_back[engine.name] += len(item.files)
            if engine.name in self.disabled:
                return
            self.unanswered[engine.name] = error
            self._failures[engine.name] += 1
            if error.lasting or self._failures[engine.name] >= MOST_FAILURES:
                self.disabled[engine.name] = error

    def _record_refusal(self, engine: Engine, reason: str) -> None:
        if engine.local:
            return
        with self._lock:
            self.refused.setdefault(engine.name, Counter())[reason] += 1
