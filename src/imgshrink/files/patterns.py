"""gitignore patterns, relative to the file that holds them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import SettingsError


class Patterns:
    """Patterns as in a .gitignore file in the folder `base`; raises `SettingsError` for a line that is no pattern."""

    def __init__(self, base: Path, lines: Sequence[str]) -> None:
        from pathspec import GitIgnoreSpec
        from pathspec.patterns.gitignore import GitIgnorePatternError

        self._bases = {os.path.abspath(base), os.path.realpath(base)}  # noqa: PTH100  must not resolve links
        try:
            self._spec = GitIgnoreSpec.from_lines(lines)
        except GitIgnorePatternError as error:
            raise SettingsError(f"not a gitignore pattern: {error}") from error

    def match(self, path: Path) -> bool:
        """Whether the patterns name `path`, or a folder above it; never for a path outside of their folder."""
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  must not resolve links
        for place in (folder, os.path.realpath(folder)):
            for base in self._bases:
                if Path(place).is_relative_to(base):
                    return self._spec.match_file(Path(place, name).relative_to(base).as_posix())
        return False
