"""The shared cache as a server uses it: for months, one image at a time, whatever happens to the shared cache."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..core.keys import cache_key, content_hash
from ..core.model import Entry, Recipe, Verdict
from ..image.limits import VERIFY_VERSION

if TYPE_CHECKING:
    from ..cache.opening import Opened

log = logging.getLogger("imgshrink.server")

T = TypeVar("T")

PAUSE_SECONDS = 60.0
"""After a call that failed the shared cache is left alone for so long: a call may take 2 seconds."""


class SharedResults:
    """What the shared cache knows of results of one engine, and adds to it. Safe for threads; raises nothing."""

    def __init__(self, parts: Opened, fingerprint: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._shelf, self._keyring, self._signer = parts.shelf, parts.keyring, parts.signer
        self._fingerprint = fingerprint
        self._clock = clock
        self._again = 0.0
        self._announced = False
        self._lock = threading.Lock()

    def get(self, data: bytes, recipe: Recipe) -> bytes | None:
        """Return the verified result for an image, the image itself where nothing is to be gained, None if unknown."""
        from ..cache import record
        from ..cache.shared import AROUND, name_of
        from ..cache.signature import Genuine

        key = cache_key(content_hash(data), recipe, self._fingerprint)
        blob = self._call(lambda: self._shelf.get(name_of(key), len(data) + AROUND))
        if blob is None:
            return None
        found = self._keyring.unseal(name_of(key), blob)
        if not isinstance(found, Genuine):
            log.warning("shared cache: a result is not believed (%s)", found.value)
            return None
        entry = record.decode(key, found.record)
        if entry is None or entry.verdict not in (Verdict.BETTER, Verdict.NOT_SMALLER):
            return None
        return entry.data if entry.verdict is Verdict.BETTER else data

    def put(self, data: bytes, recipe: Recipe, result: bytes) -> None:
        """Add a verified result; `data` itself says that nothing is to be gained."""
        from ..cache import record
        from ..cache.shared import name_of

        if self._signer is None:
            return
        key, signer = cache_key(content_hash(data), recipe, self._fingerprint), self._signer
        verdict, kept = (Verdict.NOT_SMALLER, b"") if result == data else (Verdict.BETTER, result)
        entry = Entry(verdict, kept, "", "builtin", int(time.time()), VERIFY_VERSION, recipe.quality)
        blob = signer.seal(name_of(key), record.encode(key, entry))
        self._call(lambda: self._write(name_of(key), blob))

    def _write(self, name: str, blob: bytes) -> None:
        from ..cache.shared import ANNOUNCED, announcement

        assert self._signer is not None
        if not self._announced:
            first = announcement(self._signer.key_id)
            self._shelf.put_new(first, self._signer.seal(first, ANNOUNCED))
            self._announced = True
        self._shelf.put_new(name, blob)

    def _call(self, call: Callable[[], T]) -> T | None:
        from ..cache.shelf import Trouble

        with self._lock:
            if self._clock() < self._again:
                return None
        try:
            return call()
        except Trouble as trouble:
            if trouble.refused and self._signer is None:  # S3 says so of what is not there, where names are not listed
                return None
            with self._lock:
                self._again = self._clock() + PAUSE_SECONDS
            log.warning("shared cache: %s; left alone for %g s", trouble, PAUSE_SECONDS)
            return None
