"""The offline check: which images are not shrunk yet. No engine, no cache, no decoder, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.errors import SettingsError
from ..core.model import Outcome, Reason, Source, Status
from .inspection import Inspected, State, inspect

LEFT_ALONE = (State.READ_ONLY, State.UNSUPPORTED, State.BROKEN, State.UNREADABLE)
"""States of images that imgshrink does not rewrite, whatever they gain."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    `not_shrunk` fails it: complete images that can be sealed, are not small, and carry no valid seal. Of the others,
    `small` are under min_size, `listed` stand in the baseline, and `left` are those that imgshrink leaves alone, with
    the reason.
    """

    images: int
    not_shrunk: tuple[Inspected, ...]
    small: int
    listed: int
    left: tuple[Inspected, ...]


def check(sources: Iterable[Source], *, min_size: int, seal: str, baseline: frozenset[str] = frozenset()) -> Checked:
    """Check `sources`; those whose SHA-256 is in `baseline` pass. Raises `SettingsError` unless `seal` is `all`."""
    if seal != "all":
        raise SettingsError(f'check needs the seal in every shrunk image, and seal is "{seal}": set seal to "all"')
    found = [inspect(source, min_size, in_place=True) for source in sources]
    waiting = [image for image in found if image.state is State.OPEN]
    return Checked(
        images=len(found),
        not_shrunk=tuple(image for image in waiting if image.digest not in baseline),
        small=sum(image.state is State.SMALL for image in found),
        listed=sum(image.digest in baseline for image in waiting),
        left=tuple(image for image in found if image.state in LEFT_ALONE),
    )


def as_outcomes(found: Iterable[Inspected]) -> list[Outcome]:
    """Return what was found as outcomes that leave the files as they are, for reports."""
    return [
        Outcome(
            image.source.name,
            Status.SKIPPED,
            image.size,
            image.size,
            image.info.format if image.info else None,
            reason=image.reason or Reason.NOT_SHRUNK,
        )
        for image in found
    ]
