"""The folders that imgshrink reads and writes: its own, and the working folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...files.discovery import discover
from ...files.pixel_data import holds_data
from ...report.quoting import shown
from ...report.units import counted, size

if TYPE_CHECKING:
    from ...session import Session

POINTER = b"version https://git-lfs.github.com/spec/"
LEFTOVER = ".imgshrink-*.tmp"
NAMED = 3


def cache(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Say what the cache and the backups hold, and whether they can be written."""
    info = session.local_cache.info()
    since = f", since {datetime.fromtimestamp(info.oldest, UTC):%Y-%m-%d}" if info.oldest else ""
    held = f"{counted(info.entries, 'entry', 'entries')}, {size(info.bytes)}{since}"
    yield f"{shown(str(session.settings.cache_dir))}: {held}"
    kept = session.originals.listing()
    held = f"{counted(len(kept), 'original')}, {size(sum(row.size for row in kept))} (imgshrink restore)"
    yield f"{shown(str(session.settings.state_dir))}: {held}"
    for place in (session.settings.cache_dir, session.settings.state_dir):
        if not _writable(place):
            yield f"! {shown(str(place))} can't be written: results are not stored"
    yield from (f"! {note}" for note in [*session.local_cache.notes(), *session.originals.notes()])


def _writable(folder: Path) -> bool:
    """Return whether `folder`, or the nearest existing folder above it, can be written."""
    place = next((place for place in (folder, *folder.parents) if os.path.exists(place)), folder)
    return os.path.isdir(place) and os.access(place, os.W_OK)


def images(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Count the images below `folder`, and name those that a run can't shrink."""
    found = discover([folder]).found
    yield f"{counted(len(found), 'image')} below {shown(str(folder))}"
    data = [path for path in found if holds_data(path)]
    if data:
        yield (
            f"{counted(len(data), 'image')} whose pixels are data, lossless by default: {_some(data, folder)}. "
            "`files: ^docs/` keeps the hook away from them, an override gives them another quality"
        )
    pointers = [path for path in found if _begins(path, POINTER)]
    if pointers:
        yield f"! {counted(len(pointers), 'image')} of Git LFS not fetched: {_some(pointers, folder)}: git lfs pull"
    left = [path for place in sorted({path.parent for path in found}) for path in place.glob(LEFTOVER)]
    if left:
        files = counted(len(left), "temporary file")
        yield f"! {files} of an interrupted run: {_some(left, folder)}: the next run removes them"


def _begins(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _some(paths: list[Path], folder: Path) -> str:
    names = [shown(path.relative_to(folder).as_posix()) for path in paths[:NAMED]]
    return ", ".join([*names, f"{len(paths) - NAMED} more"] if len(paths) > NAMED else names)
