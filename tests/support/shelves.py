"""Shared caches for tests: keys, a shelf in memory that counts its calls, and addresses."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from caches import make
from imgshrink.cache import record
from imgshrink.cache.shared import ANNOUNCED, SharedCache, announcement, name_of
from imgshrink.cache.shelf import Address, ObjectShelf, Shelf, Trouble
from imgshrink.cache.signature import Keyring, Signer, new_secret
from imgshrink.core.model import Entry

SECRET = new_secret()
SIGNER = Signer(SECRET)
PUBLIC = SIGNER.public
STRANGER = Signer(new_secret())


class Shelved:
    """A shelf in a dictionary; `before` is called with each name first, and may raise `Trouble`."""

    def __init__(self, before: Callable[[str], None] = lambda name: None) -> None:
        self.blobs: dict[str, bytes] = {}
        self.calls: Counter[str] = Counter()
        self.before = before
        self._lock = threading.Lock()

    def _count(self, call: str, name: str) -> None:
        with self._lock:
            self.calls[call] += 1
        self.before(name)

    def get(self, name: str, most: int) -> bytes | None:
        """Return what was put."""
        self._count("get", name)
        found = self.blobs.get(name)
        if found is not None and len(found) > most:
            raise Trouble(f"an answer of {len(found)} bytes")
        return found

    def put_new(self, name: str, data: bytes) -> bool:
        """Keep it."""
        self._count("put", name)
        with self._lock:
            return self.blobs.setdefault(name, data) is data

    def names(self, prefix: str, most: int) -> list[str]:
        """Names below a folder."""
        self._count("names", prefix)
        return [name for name in sorted(self.blobs) if name.startswith(f"{prefix}/")][:most]

    def announce(self, signer: Signer = SIGNER) -> None:
        """Have a key announce itself."""
        name = announcement(signer.key_id)
        self.blobs[name] = signer.seal(name, ANNOUNCED)

    def share(self, key: str, entry: Entry, signer: Signer = SIGNER) -> None:
        """Have somebody share a result."""
        self.announce(signer)
        self.blobs[name_of(key)] = blob(key, entry, signer)


def blob(key: str, entry: Entry, signer: Signer = SIGNER) -> bytes:
    """What is shared of a result."""
    return signer.seal(name_of(key), record.encode(key, entry))


def tiered(
    folder: Path, shelf: Shelf, *keys: str, signer: Signer | None = None, stop: threading.Event | None = None
) -> SharedCache:
    """A shared cache around a local one in `folder`, that believes `keys`, by default ours."""
    keyring = Keyring(keys or (PUBLIC,))
    believed = {key_id: make(folder / "shared" / key_id) for key_id in keyring.ids}
    return SharedCache(make(folder), believed, shelf, keyring, signer=signer, stop=stop)


def in_folder(folder: Path, *, writable: bool = True) -> ObjectShelf:
    """A shelf in a folder, by the library that reaches buckets."""
    return ObjectShelf(Address(folder.as_uri()), {}, writable=writable)
