"""The first look at a file: what it is, and whether there is anything to do. No engine, no cache, no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..core.keys import content_hash
from ..core.model import ImageInfo, Source
from ..image.carried import Carried, read_carried
from ..image.limits import unsupported
from ..image.seal import read_seal, unseal
from ..image.sniff import describe, sniff


class State(Enum):
    """What the bytes of a file say about the work to do."""

    OPEN = "open"
    FINISHED = "finished"
    SMALL = "small"
    UNSUPPORTED = "unsupported"
    BROKEN = "broken"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Examined:
    """One file as it was found. `digest` is the SHA-256 of its bytes, `content` that of its bytes without a seal.

    `carried` names what it carries for other programs, "" for nothing: where it may be rewritten, by `fingerprint`.
    """

    source: Source
    state: State
    size: int = 0
    reason: str = ""
    info: ImageInfo | None = None
    digest: str = ""
    content: str = ""
    carried: str = ""


def examine(source: Source, min_size: int) -> Examined:
    """Read one file and say what is to be done with it; whatever is wrong with it is a state, never an exception."""
    try:
        data = source.path.read_bytes()
    except OSError as error:
        return Examined(source, State.UNREADABLE, reason=f"can't be read: {error.strerror or error}")
    info = sniff(data)
    if info is None or not info.complete:
        return Examined(source, State.BROKEN, len(data), describe(data), info)
    sealed = read_seal(data)
    if sealed is not None and finishes(sealed, source.recipe.quality):
        return Examined(source, State.FINISHED, len(data), "already shrunk", info)
    if len(data) < min_size:
        return Examined(source, State.SMALL, len(data), "smaller than min_size", info)
    if why := unsupported(info):
        return Examined(source, State.UNSUPPORTED, len(data), why, info)
    carried = read_carried(data)
    if carried.reason and source.recipe.keeps:
        return Examined(source, State.UNSUPPORTED, len(data), carried.reason, info)
    core = unseal(data)
    digest = content_hash(data)
    content = digest if len(core) == len(data) else content_hash(core)
    return Examined(source, State.OPEN, len(data), "", info, digest, content, carried.reason or fingerprint(carried))


def fingerprint(carried: Carried) -> str:
    """Name what is copied byte for byte, "" for nothing."""
    if not (carried.leading or carried.trailing):
        return ""
    return f"{content_hash(carried.leading)} {content_hash(carried.trailing)}"


def finishes(made_with: int, wanted: int) -> bool:
    """Whether an output made with one quality needs no more work at another: all but a lossless one may be finished."""
    return made_with != 100 or wanted == 100
