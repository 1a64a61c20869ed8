"""The first look at a file: what it is, and whether there is anything to do. No engine, no cache, no decoder."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from enum import Enum

from ..core.errors import Unreadable
from ..core.keys import content_hash
from ..core.model import ImageInfo, Reason, Source
from ..files.reader import read
from ..image.carried import Carried, read_carried
from ..image.limits import unsupported
from ..image.seal import read_seal, unseal
from ..image.sniff import describe, sniff


class State(Enum):
    """What a file says about the work to do."""

    OPEN = "open"
    SHRUNK = "shrunk"
    SMALL = "small"
    READ_ONLY = "read-only"
    UNSUPPORTED = "unsupported"
    BROKEN = "broken"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Inspected:
    """One file as it was found. `digest` is the SHA-256 of its bytes, `content` that of its bytes without a seal.

    `sealed` is the quality of a seal that suffices, else 0.
    `size` is bytes, 0 for a file that was not read. `reason` says why a file is not open. `carried` names what the
    image carries for other programs, "" for nothing: where it may be rewritten, by `fingerprint`.
    """

    source: Source
    state: State
    size: int = 0
    reason: str = ""
    info: ImageInfo | None = None
    digest: str = ""
    content: str = ""
    carried: str = ""
    sealed: int = 0


def inspect(source: Source, min_size: int, *, in_place: bool = False) -> Inspected:
    """Read one file and return its state; whatever is wrong with the file is a state, never an exception.

    With `in_place` an image that its owner may not write is READ_ONLY instead of OPEN.
    """
    try:
        data = read(source.path)
    except Unreadable as error:
        return Inspected(source, State.UNSUPPORTED if error.large else State.UNREADABLE, reason=str(error))
    found = _judge(data, source, min_size)
    info = found.info
    if found.state is not State.OPEN:
        return found
    if in_place and _is_read_only(source):
        return Inspected(source, State.READ_ONLY, len(data), Reason.READ_ONLY, info)
    carried = read_carried(data)
    if carried.reason and source.recipe.keeps:
        return Inspected(source, State.UNSUPPORTED, len(data), carried.reason, info)
    core = unseal(data)
    digest = content_hash(data)
    content = digest if len(core) == len(data) else content_hash(core)
    return Inspected(source, State.OPEN, len(data), "", info, digest, content, carried.reason or fingerprint(carried))


def fingerprint(carried: Carried) -> str:
    """Name what is copied byte for byte, "" for nothing."""
    if not (carried.leading or carried.trailing):
        return ""
    return f"{content_hash(carried.leading)} {content_hash(carried.trailing)}"


def _judge(data: bytes, source: Source, min_size: int) -> Inspected:
    """Return what the bytes say by themselves."""
    info = sniff(data)
    found = Inspected(source, State.OPEN, len(data), "", info)
    if info is None or not info.complete:
        return replace(found, state=State.BROKEN, reason=describe(data))
    sealed = read_seal(data)
    if sealed is not None and suffices(sealed, source.recipe.quality):
        return replace(found, state=State.SHRUNK, reason=Reason.SHRUNK, sealed=sealed)
    if len(data) < min_size:
        return replace(found, state=State.SMALL, reason=Reason.SMALL)
    if why := unsupported(info):
        return replace(found, state=State.UNSUPPORTED, reason=why)
    return found


def _is_read_only(source: Source) -> bool:
    """Whether the owner lacks the right to write: so git-lfs protects files that must be locked first."""
    try:
        return not source.path.stat().st_mode & stat.S_IWUSR
    except OSError:
        return False


def suffices(made_with: int, wanted: int) -> bool:
    """Whether an output made at one quality is shrunk at another too: lossless output counts for lossless alone."""
    return made_with != 100 or wanted == 100
