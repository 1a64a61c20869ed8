"""`explain --json`: what is known about one image, for programs (version 1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import Unreadable
from ..core.text import shown
from ..files.reader import read
from ..image.seal import read_seal
from ..pipeline.inspection import Inspected, State
from ..report.quoting import quoted

if TYPE_CHECKING:
    from ..pipeline.resolution import Resolution
    from ..session import Session

VERSION = 1
SOURCES = ("quality", "engine", "overrides", "include", "exclude", "embedded", "min_size", "min_saving")
"""The settings that decide about an image; the document says where each comes from."""


def to_json(path: Path, session: Session) -> str:
    """Return the document about the file at `path`. Nothing is written, and no engine is called."""
    rows, _ = session.survey([session.selection.source(path, str(path))])
    seen, answer = rows[0].seen, rows[0].resolution
    kept = session.originals.find(path)
    sources = session.selection.rules(path).settings.sources
    document = {
        "version": VERSION,
        "path": shown(path),
        **_image(seen),
        "state": seen.state.value,
        "reason": seen.reason,
        "sealed_at": _sealed_at(path),
        "excluded": session.selection.excluded(path),
        "result": _result(seen, answer, session),
        "quality": seen.source.recipe.quality,
        "engines": list(seen.source.engines),
        "sources": {name: sources.get(name, "default") for name in SOURCES},
        "original": None if kept is None else {"size": len(kept)},
        "undo": f"imgshrink restore {quoted(str(path))}" if kept is not None or seen.state is State.SHRUNK else "",
    }
    return json.dumps(document, indent=1)


def _image(seen: Inspected) -> dict[str, object]:
    info = seen.info
    if info is None:
        return {"size": seen.size, "format": None, "width": None, "height": None, "frames": None}
    width, height = info.displayed
    return {"size": seen.size, "format": info.format.value, "width": width, "height": height, "frames": info.frames}


def _sealed_at(path: Path) -> int | None:
    try:
        return read_seal(read(path))
    except Unreadable:
        return None


def _result(seen: Inspected, answer: Resolution | None, session: Session) -> dict[str, object] | None:
    """Return what the cache or the API's journal knows, None where nothing is known or nothing is to do."""
    if seen.state is not State.OPEN:
        return None
    entry = answer.entry if answer is not None else None
    if entry is not None:
        size = len(entry.data) or None
        return {"verdict": entry.verdict.value, "size": size, "engine": entry.engine, "reason": entry.reason}
    if not waits(seen, session):
        return None
    return {"verdict": "waiting", "size": None, "engine": "hosted", "reason": ""}


def waits(seen: Inspected, session: Session) -> bool:
    """Whether a result that is paid for waits at the API, and the next run collects it."""
    asked = "hosted" in seen.source.engines and bool(session.settings.api_key)
    return asked and session.hosted.awaits(seen.content, seen.source.recipe)
