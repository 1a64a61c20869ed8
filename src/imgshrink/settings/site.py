"""The settings of a build of a site: nothing is written into the docs folder, which is published and watched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import shown
from .schema import Settings

PLACES = ("report", "cache_dir")


def for_site(settings: Settings, docs: Path, *, serving: bool) -> Settings:
    """Return the settings for a build of the docs folder `docs`; `mkdocs serve` writes no report.

    Raises `SettingsError` for a place in the docs folder: MkDocs would publish it with the next build, and start one
    after another during `mkdocs serve`.
    """
    for name in PLACES:
        place = getattr(settings, name)
        if place is not None and _watched(place, docs, serving=serving and settings.on_serve is not False):
            raise SettingsError(
                f"{settings.sources[name]} names {shown(place)}, in the docs folder, where MkDocs publishes and "
                "watches all files: name a place outside of it"
            )
    return replace(settings, report=None) if serving else settings


def _watched(place: Path, docs: Path, *, serving: bool) -> bool:
    """Whether `place` lies in the docs folder; unless somebody watches it, one below a dotted name is not published."""
    inside = place.absolute()
    if not inside.is_relative_to(docs):
        return False
    return serving or not any(part.startswith(".") for part in inside.relative_to(docs).parts)
