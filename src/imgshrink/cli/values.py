"""Values of settings as people read them. No key and no password is among them."""

from __future__ import annotations

from pathlib import Path

from ..report.quoting import shown
from ..settings.schema import Override, Settings

UNSAID = "hidden"
LONGEST = 80


def in_words(settings: Settings, name: str) -> str:
    """Return the value of one setting in a line: the key is never shown, nor an address with a password or a query."""
    value = getattr(settings, name)
    if name == "api_key" or (name in ("api_url", "proxy") and ("@" in value or "?" in value)):
        return UNSAID
    text = shown(_text(value))
    return text if len(text) <= LONGEST or isinstance(value, Path) else text[:LONGEST] + "..."


def _text(value: object) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, Override):
        parts = {"quality": value.quality, "engine": value.engine}
        given = " and ".join(f"{name} {part}" for name, part in parts.items() if part is not None)
        return f"{given or 'nothing'} for {', '.join(value.paths)}"
    return str(value)
