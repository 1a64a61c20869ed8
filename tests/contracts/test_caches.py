"""What every cache promises, whatever stands behind it; one row of CACHES for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from caches import ENTRIES, KEY, LARGE, OTHER, SMALL, make
from fakes import Memory
from imgshrink.cache import Cache
from imgshrink.cache.local import LocalCache
from imgshrink.core.model import Entry
from shelves import SIGNER, in_folder, tiered

MOST = 1 << 20


class Reopened:
    """A cache that is closed and opened again for each call, as by another run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._notes: list[str] = []

    def _once(self, use: Callable[[LocalCache], object]) -> object:
        cache = make(self._folder)
        result = use(cache)
        cache.close()
        self._notes += cache.notes()
        return result

    def get(self, key: str) -> Entry | None:
        return self._once(lambda cache: cache.get(key))  # type: ignore[return-value]

    def put(self, key: str, entry: Entry) -> bool:
        return self._once(lambda cache: cache.put(key, entry)) is True

    def prefetch(self, likely: Mapping[str, int], doubtful: Mapping[str, int], *, end: float | None = None) -> None:
        self._once(lambda cache: cache.prefetch(likely, doubtful, end=end))

    def notes(self) -> list[str]:
        return self._notes

    def close(self) -> None:
        pass


class Carried(Reopened):
    """A cache that is carried to another machine before each look at it."""

    def get(self, key: str) -> Entry | None:
        there = self._folder.with_name("there")
        self._once(lambda cache: cache.export(there.with_suffix(".zip")))
        cache = make(there)
        cache.import_(there.with_suffix(".zip"))
        found = cache.get(key)
        cache.close()
        self._notes += cache.notes()
        return found


def prefetched(cache: Cache) -> Cache:
    """A cache that was asked for what the tests put: so a writer shares it."""
    cache.prefetch(dict.fromkeys([KEY, OTHER, *(f"{number:064x}" for number in range(64))], MOST), {})
    return cache


CACHES: dict[str, Callable[[Path], Cache]] = {
    "local": make,
    "reopened": Reopened,
    "carried": Carried,
    "shared": lambda folder: prefetched(tiered(folder, in_folder(folder / "bucket"), signer=SIGNER)),
    "memory": lambda folder: Memory(),
}


@pytest.fixture(params=CACHES)
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    """Each cache, empty and healthy: it must have nothing to say in the end."""
    made = CACHES[request.param](tmp_path / "cache")
    yield made
    made.close()
    assert made.notes() == []


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_what_is_put_can_be_got(cache: Cache, entry: Entry) -> None:
    """Every kind of entry comes back as it was put."""
    assert cache.put(KEY, entry) is True
    assert entry == cache.get(KEY)


def test_what_was_not_put_is_missing(cache: Cache) -> None:
    """A key that nothing was put under is a miss, in an empty cache and in a filled one."""
    assert cache.get(KEY) is None
    cache.put(KEY, SMALL)
    assert cache.get(OTHER) is None


def test_the_last_put_counts(cache: Cache) -> None:
    """A second entry under the same key takes the first one's place."""
    cache.put(KEY, LARGE)
    cache.put(KEY, SMALL)
    assert cache.get(KEY) == SMALL


def test_closing_twice(cache: Cache) -> None:
    """A cache may be closed twice, also unused."""
    cache.close()
    cache.put(KEY, SMALL)
    cache.close()
    cache.close()
    assert cache.get(KEY) == SMALL


def test_threads_share_it(cache: Cache) -> None:
    """Sixteen threads may put and get at once."""
    keys = [f"{number:064x}" for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda key: cache.put(key, LARGE), keys[:16]))
        assert all(pool.map(lambda key: cache.put(key, SMALL), keys[16:32]))
        found = list(pool.map(cache.get, keys[:48]))
    assert found == [LARGE] * 16 + [SMALL] * 16 + [None] * 16
