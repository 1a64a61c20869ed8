"""The offline check: which images are not shrunk yet. No engine, no cache, no decoder, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..core.errors import SettingsError, Unreadable
from ..core.keys import content_hash
from ..core.model import Outcome, Reason, Source, Status
from ..files.reader import read
from .inspection import Inspected, State, inspect

LEFT_ALONE = (State.READ_ONLY, State.UNSUPPORTED, State.BROKEN, State.UNREADABLE)
"""States of images that imgshrink does not rewrite, whatever they gain."""


@dataclass(frozen=True)
class Checked:
    """What a check found.

    `not_shrunk` fails it: complete images that can be sealed, are not small, and carry no valid seal. Of the others,
    `small` are under min_size, `listed` stand in the baseline, and `left` are those that imgshrink leaves alone, with
    the reason. `too_large` fails it too, whatever else an image is: files above the size limit of the check.
    """

    images: int
    not_shrunk: tuple[Inspected, ...]
    small: int
    listed: int
    left: tuple[Inspected, ...]
    too_large: tuple[Inspected, ...] = ()

    @property
    def failing(self) -> tuple[Inspected, ...]:
        """The images that fail the check, each once."""
        return tuple(dict.fromkeys((*self.not_shrunk, *self.too_large)))


def check(
    sources: Iterable[Source],
    *,
    min_size: int,
    seal: str,
    baseline: frozenset[str] = frozenset(),
    max_size: int | None = None,
) -> Checked:
    """Check `sources`; those whose SHA-256 is in `baseline` pass. Files of more than `max_size` bytes are too large.

    Raises `SettingsError` unless `seal` is `all`.
    """
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
        too_large=() if max_size is None else tuple(_too_large(found, max_size, baseline)),
    )


def _too_large(found: Iterable[Inspected], max_size: int, baseline: frozenset[str]) -> Iterable[Inspected]:
    """Yield the images above `max_size`, with the size of the file also where it was not read."""
    for image in found:
        size = image.size or _size_on_disk(image.source)
        if size > max_size and (digest := _digest(image)) not in baseline:
            yield replace(image, size=size, digest=digest)


def _size_on_disk(source: Source) -> int:
    try:
        return source.path.stat().st_size
    except OSError:
        return 0


def _digest(image: Inspected) -> str:
    """Return the SHA-256 of the file, "" where it can't be read."""
    if image.digest:
        return image.digest
    try:
        return content_hash(read(image.source.path))
    except Unreadable:
        return ""


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
