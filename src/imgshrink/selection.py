"""Which images a session takes, and the quality and engines of each: include, exclude and overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .core.model import Recipe, Source

if TYPE_CHECKING:
    from .files.patterns import Patterns
    from .settings.schema import Override, Settings

ENGINES = {"auto": ("hosted", "builtin"), "hosted": ("hosted",), "builtin": ("builtin",)}
"""The engines to ask, in order, by the value of the setting `engine`."""


class Selection:
    """The patterns of the settings, applied to paths. Raises `SettingsError` for a line that is no pattern."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.include = self._patterns("include", settings.include)
        self.exclude = self._patterns("exclude", settings.exclude)
        self._overrides: list[tuple[Patterns | None, Override]] = [
            (self._patterns("overrides", override.paths), override) for override in settings.overrides
        ]

    def excluded(self, path: Path) -> bool:
        """Return whether `include` and `exclude` leave out the image that comes from `path`."""
        if self.exclude is not None and self.exclude.match(path):
            return True
        return self.include is not None and not self.include.match(path)

    def source(self, path: Path, name: str, *, matched: Path | None = None, upload: bool = True) -> Source:
        """Return how the file at `path` is treated; overrides are matched against `matched`, which is `path` if None.

        Without `upload` the image goes to the built-in codecs only.
        """
        quality, engine = self._settings.quality, self._settings.engine
        for patterns, override in self._overrides:
            if patterns is not None and patterns.match(matched or path):
                quality = override.quality or quality
                engine = override.engine or engine
        if self._settings.privacy or not upload:
            engine = "builtin"
        return Source(path, name, Recipe(quality, self._settings.embedded), ENGINES[engine])

    def _patterns(self, name: str, lines: Sequence[str]) -> Patterns | None:
        if not lines:
            return None
        from .files.patterns import Patterns

        return Patterns(self._settings.base_of(name), lines)


def wanted_engines(settings: Settings) -> set[str]:
    """Return the names of all engines that an image may go to under `settings`."""
    if settings.privacy:
        return {"builtin"}
    rows = [settings.engine, *(override.engine or "builtin" for override in settings.overrides)]
    return {name for row in rows for name in ENGINES[row]}
