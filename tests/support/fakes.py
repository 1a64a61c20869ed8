"""Small real parts for tests of the pipeline: PNGs made by hand, an engine that only deflates, a cache in memory."""

from __future__ import annotations

import random
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imgshrink.core.errors import EngineError
from imgshrink.core.model import Accept, Entry, ImageInfo, Judgement, NotSmaller, Outcome, Plan, Recipe, Refuse, Source
from imgshrink.pipeline.resolver import Resolver
from imgshrink.pipeline.run import Policy, run

IN_PLACE = Policy(in_place=True)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, payload: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(seed: int = 0, *, side: int = 96, level: int = 0) -> bytes:
    """A square grey PNG whose rows depend on `seed`; at level 0 it has everything to gain, at 9 nothing."""
    pick = random.Random(seed)
    rows = b"".join(b"\0" + bytes(pick.choices(range(4), k=side)) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND", b"")


def rows_of(data: bytes) -> bytes:
    """The rows that a PNG of `png` holds."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    return zlib.decompress(data[at + 4 : at + 4 + length])


def deflated(data: bytes) -> bytes:
    """The same PNG at level 9."""
    at = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[at - 4 : at])
    packed = zlib.compress(rows_of(data), 9)
    return data[: at - 4] + chunk(b"IDAT", packed) + data[at + 8 + length :]


def same_rows(original: bytes, candidate: bytes, recipe: Recipe) -> Judgement:
    """A verify for such PNGs: the rows must be equal."""
    if len(candidate) >= len(original):
        return NotSmaller()
    return Accept(candidate) if rows_of(original) == rows_of(candidate) else Refuse("a different picture")


class Deflate:
    """An engine that deflates, counts, and can be told to do something else first."""

    def __init__(self, name: str = "builtin", before: Callable[[bytes], bytes | None] = lambda data: None) -> None:
        self.name = name
        self.local = name != "hosted"
        self.fingerprint = f"{name} 1"
        self.asked: list[bytes] = []
        self.closed = False
        self._before = before
        self._lock = threading.Lock()

    def optimize(self, data: bytes, info: ImageInfo, recipe: Recipe) -> bytes:
        """Deflate `data`, unless `before` returns or raises something else."""
        with self._lock:
            self.asked.append(data)
        return self._before(data) or deflated(data)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class Memory:
    """A cache in a dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.prefetched: list[tuple[dict[str, int], dict[str, int]]] = []

    def get(self, key: str) -> Entry | None:
        """Return what was put."""
        return self.entries.get(key)

    def put(self, key: str, entry: Entry) -> bool:
        """Keep it."""
        self.entries[key] = entry
        return True

    def prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], *, end: float | None = None) -> None:
        """Remember what was to be fetched."""
        self.prefetched.append((dict(likely), dict(doubtful)))

    def notes(self) -> list[str]:
        """A dictionary is always well."""
        return []

    def close(self) -> None:
        """Nothing to let go of."""


class Free:
    """Locks that nobody else wants, but the keys in `taken`, which come free after as many tries as they say."""

    def __init__(self, taken: int = 0) -> None:
        self.taken = taken
        self.held: list[str] = []

    @contextmanager
    def hold(self, key: str, *, deadline: float | None, stop: threading.Event) -> Iterator[bool]:
        """Hold `key`."""
        self.held.append(key)
        self.taken -= 1
        yield self.taken < 0


@dataclass
class Watcher:
    """An observer that remembers."""

    plans: list[Plan] = field(default_factory=list)
    given_up: list[tuple[str, str, int]] = field(default_factory=list)
    refusals: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    ticks: int = 0
    replacements: list[tuple[str, bytes, bytes]] = field(default_factory=list)

    def planned(self, plan: Plan) -> None:
        """Remember the plan."""
        self.plans.append(plan)

    def waiting(self) -> None:
        """Count."""
        self.ticks += 1

    def replaced(self, source: Source, before: bytes, after: bytes) -> None:
        """Remember what was replaced."""
        self.replacements.append((source.name, before, after))

    def unanswered(self, engine: str, error: EngineError, images: int) -> None:
        """Remember who was given up."""
        self.given_up.append((engine, str(error), images))

    def refused(self, engine: str, reasons: Mapping[str, int]) -> None:
        """Remember what was refused."""
        self.refusals.append((engine, dict(reasons)))


@dataclass
class Written:
    """A place that writes at once, and remembers."""

    names: list[str] = field(default_factory=list)

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Write `data` over the file."""
        source.path.write_bytes(data)
        self.names.append(source.name)


def source(path: Path, *, quality: int = 80, engines: tuple[str, ...] = ("builtin",)) -> Source:
    """A source named like its file."""
    return Source(path, path.name, Recipe(quality), engines)


def by_name(outcomes: list[Outcome]) -> dict[str, Outcome]:
    """Outcomes by the name of their file."""
    return {outcome.path: outcome for outcome in outcomes}


class Bench:
    """A folder with a pipeline over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines = [Deflate()]
        self.cache = Memory()
        self.locks = Free()
        self.destination = Written()
        self.watcher = Watcher()
        self.verify = same_rows
        self.resolver_options: dict[str, object] = {}

    def put(self, name: str, data: bytes) -> Path:
        """Write a file."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def resolver(self) -> Resolver:
        """A resolver over the bench's parts."""
        return Resolver(self.engines, self.cache, self.locks, self.verify, **self.resolver_options)  # type: ignore[arg-type]

    def sources(self) -> list[Source]:
        """Every file of the folder, for the engines in their order."""
        names = tuple(engine.name for engine in self.engines)
        return [source(path, engines=names) for path in sorted(self.folder.iterdir())]

    def run(self, policy: Policy = IN_PLACE, sources: list[Source] | None = None) -> dict[str, Outcome]:
        """Run over the folder."""
        steps = run(
            self.sources() if sources is None else sources,
            resolver=self.resolver(), destination=self.destination, policy=policy, observers=[self.watcher],
        )  # fmt: skip
        return by_name(list(steps))


def raising(error: Exception) -> Callable[[bytes], bytes | None]:
    """What an engine does that fails."""

    def fail(data: bytes) -> bytes | None:
        raise error

    return fail
