"""Shares results of this machine after the fact: everything in its cache goes to the shared one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass

from ..core.errors import Unwritable
from ..core.model import Entry, Verdict
from . import record
from .local import LocalCache
from .shared import ANNOUNCED, WRITERS, announcement, name_of
from .shelf import Shelf, Trouble
from .signature import Signer
from .threads import in_threads

DAY = 86400.0
KEY = 64


@dataclass(frozen=True)
class Pushed:
    """How many results were added, and how many were there already."""

    added: int
    there: int


def push(local: LocalCache, shelf: Shelf, signer: Signer) -> Pushed:
    """Write every result in `local` that is not there yet; raises `Unwritable` at the first that can't be written."""
    keys = [key for key, found in local.records() if is_result(key, record.decode(key, found))]
    over = threading.Event()

    def write(key: str) -> bool | Trouble | None:
        entry = local.get(key)
        if entry is None or over.is_set():
            return None
        try:
            name = name_of(key)
            return shelf.put_new(name, signer.seal(name, record.encode(key, entry)))
        except Trouble as trouble:
            over.set()
            return trouble

    try:
        shelf.put_new(announcement(signer.key_id), signer.seal(announcement(signer.key_id), ANNOUNCED))
    except Trouble as trouble:
        raise _unwritable(trouble) from None
    counts: Counter[bool | None] = Counter()
    for _, came in in_threads(write, keys, threads=WRITERS, deadline=time.monotonic() + DAY, stop=threading.Event()):
        if isinstance(came, Trouble):
            raise _unwritable(came)
        counts[came] += 1
    return Pushed(counts[True], counts[False])


def is_result(key: str, entry: Entry | None) -> bool:
    """Return whether an entry is what an engine made of an image: neither a probe nor the fact that it is an output."""
    return len(key) == KEY and entry is not None and entry.verdict is not Verdict.DONE


def _unwritable(trouble: Trouble) -> Unwritable:
    return Unwritable(f"the shared cache can't be written: {trouble}")
