"""The offline check: which images still wait to be shrunk. No engine, no cache, no decoder, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.errors import SettingsError
from ..core.model import Outcome, Source, Status
from .inspection import Examined, State, examine

UNFINISHED = "not shrunk"


@dataclass(frozen=True)
class Checked:
    """What a check found.

    `unfinished` is what fails it: complete, sealable, not small, and without a valid seal. Of the others, `small` are
    under min_size, `listed` stand in the baseline, and `left` are what imgshrink does not shrink, with the reason.
    """

    images: int
    unfinished: tuple[Examined, ...]
    small: int
    listed: int
    left: tuple[Examined, ...]


def check(sources: Iterable[Source], *, min_size: int, seal: str, baseline: frozenset[str] = frozenset()) -> Checked:
    """Check `sources`; those whose SHA-256 is in `baseline` pass. Raises `SettingsError` unless `seal` is `all`."""
    if seal != "all":
        raise SettingsError(f'check needs the seal in every shrunk image, and seal is "{seal}": set seal to "all"')
    found = [examine(source, min_size) for source in sources]
    waiting = [seen for seen in found if seen.state is State.OPEN]
    return Checked(
        images=len(found),
        unfinished=tuple(seen for seen in waiting if seen.digest not in baseline),
        small=sum(seen.state is State.SMALL for seen in found),
        listed=sum(seen.digest in baseline for seen in waiting),
        left=tuple(seen for seen in found if seen.state in (State.UNSUPPORTED, State.BROKEN, State.UNREADABLE)),
    )


def as_outcomes(found: Iterable[Examined]) -> list[Outcome]:
    """Return what was found as outcomes that leave the files as they are, for reports."""
    return [
        Outcome(
            seen.source.name,
            Status.SKIPPED,
            seen.size,
            seen.size,
            seen.info.format if seen.info else None,
            reason=seen.reason or UNFINISHED,
        )
        for seen in found
    ]
