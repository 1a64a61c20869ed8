"""Which images a session takes, and the quality and engines of each: include, exclude and overrides.

The rules for an image are those of the nearest project file above it. Rules fail closed: an image whose path is not the
one that patterns are written for (another plugin has moved it) is not uploaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .core.model import Recipe, Source
from .files.paths import absolute
from .files.pixel_data import holds_data
from .settings.nearest import NearestSettings

if TYPE_CHECKING:
    from .files.patterns import Patterns
    from .settings.schema import Override, Settings

ENGINES = {"auto": ("hosted", "builtin"), "hosted": ("hosted",), "builtin": ("builtin",)}
"""The engines to ask, in order, by the value of the setting `engine`."""

LOSSLESS = 100
IN_PERSON = ("--quality", "IMGSHRINK_QUALITY")
"""What `Settings.sources` says of a quality that a person gave for this run."""


class Selection:
    """The rules of the settings, applied to paths. Raises `SettingsError` for a line that is no pattern."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nearest = NearestSettings(settings)
        self._rules: dict[int, Rules] = {}
        self._unplaced = 0

    def rules(self, path: Path) -> Rules:
        """Return the rules for an image: those of the nearest project file above it."""
        settings = self._nearest.of(path)
        if id(settings) not in self._rules:
            self._rules[id(settings)] = Rules(settings)
        return self._rules[id(settings)]

    def excluded(self, *paths: Path) -> bool:
        """Return whether `include` and `exclude` leave out the image that people know by any of `paths`.

        The first path decides whose rules hold. A single path stands for all that people know the image by.
        """
        return self.rules(paths[0]).excluded(*(paths if len(paths) > 1 else self._known_by(paths[0])))

    def match(self, path: Path) -> bool:
        """Return whether the image at `path` is left out."""
        return self.excluded(path)

    def source(
        self, path: Path, name: str, *, known_by: Sequence[Path] = (), upload: bool = True, placed: bool = True
    ) -> Source:
        """Return how the file at `path` is treated; overrides are matched against `known_by`, by default `path`,
        for an image of a site's docs also its path relative to them.

        Without `upload` the image goes to the built-in codecs only. An image that is not `placed` has no path that
        patterns are written for: it is not uploaded where any pattern holds a slash.
        """
        paths = known_by or self._known_by(path)
        rules = self.rules(paths[0])
        quality, engine = rules.treatment(*paths)
        if not placed and rules.by_path and engine != "builtin":
            upload = False
            self._unplaced += 1
        if self._settings.privacy or rules.settings.privacy or not upload:
            engine = "builtin"
        return Source(path, name, Recipe(quality, rules.settings.embedded), ENGINES[engine])

    def _known_by(self, path: Path) -> tuple[Path, ...]:
        """Return `path`, and for an image of a site's docs the one below the site's folder, as patterns may name it."""
        docs = self._settings.docs
        if docs is None or not (inside := absolute(path)).is_relative_to(absolute(docs)):
            return (path,)
        return (path, self._settings.site / inside.relative_to(absolute(docs)))

    def notes(self, named: Sequence[Path] | None = None) -> list[str]:
        """Return lines about rules that did not reach: patterns that matched no image, images that they can't reach.

        `named` are the paths that a person named; a pattern that can match nothing below them is not mentioned.
        """
        lines = self._nearest.notes()
        if self._unplaced and self._settings.api_key:
            images = "1 image was" if self._unplaced == 1 else f"{self._unplaced} images were"
            lines.append(
                f"{images} not uploaded: another plugin has moved the docs folder, so that patterns with a slash may "
                "not reach them. Patterns without a slash reach every image"
            )
        for rules in self._rules.values():
            lines += rules.unused(named)
        return lines


class Rules:
    """The include, exclude and overrides of one `Settings`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._include = self._patterns("include", settings.include)
        self._exclude = self._patterns("exclude", settings.exclude)
        self._overrides: list[tuple[Patterns | None, Override]] = [
            (self._patterns("overrides", override.paths), override) for override in settings.overrides
        ]

    @cached_property
    def by_path(self) -> bool:
        """Whether any pattern holds a slash, so that it matches an image only where its path is known."""
        return any(patterns.by_path for _, patterns in self._all())

    def excluded(self, *paths: Path) -> bool:
        """Return whether an image that is known by `paths` is left out."""
        if self._exclude is not None and self._exclude.match(*paths):
            return True
        return self._include is not None and not self._include.match(*paths)

    def treatment(self, *paths: Path) -> tuple[int, str]:
        """Return the quality and the value of `engine` for an image that is known by `paths`; the last match wins.

        Where pixels are data the default is lossless; a quality from the command line or the environment still counts.
        """
        quality, engine = self.settings.quality, self.settings.engine
        if self.settings.sources.get("quality") not in IN_PERSON and any(map(holds_data, paths)):
            quality = LOSSLESS
        for patterns, override in self._overrides:
            if patterns is not None and patterns.match(*paths):
                quality = override.quality or quality
                engine = override.engine or engine
        return quality, engine

    def unused(self, named: Sequence[Path] | None) -> Iterator[str]:
        """Yield a line for each pattern that matched no image, with the one that it may have meant."""
        for name, patterns in self._all():
            for line, nearest in patterns.unused():
                if named is None or patterns.may_match_below(line, named):
                    meant = f'; did you mean "{nearest}"?' if nearest else ""
                    yield f'"{line}" in {self._where(name)} matches no image{meant}'

    def _where(self, name: str) -> str:
        """The name of the setting, and of the file that holds it, without the path of a machine."""
        source = self.settings.sources.get(name, name)
        setting, separator, file = source.partition(" in ")
        return f"{setting} of {os.path.basename(file)}" if separator else source  # noqa: PTH119  a text for people

    def _all(self) -> Iterator[tuple[str, Patterns]]:
        named = [("include", self._include), ("exclude", self._exclude)]
        for name, patterns in [*named, *(("overrides", patterns) for patterns, _ in self._overrides)]:
            if patterns is not None:
                yield name, patterns

    def _patterns(self, name: str, lines: Sequence[str]) -> Patterns | None:
        if not lines:
            return None
        from .files.patterns import Patterns

        return Patterns(self.settings.base_of(name), lines)


def wanted_engines(settings: Settings) -> set[str]:
    """Return the names of all engines that an image may go to under `settings`."""
    if settings.privacy:
        return {"builtin"}
    rows = [settings.engine, *(override.engine or "builtin" for override in settings.overrides)]
    return {name for row in rows for name in ENGINES[row]}
