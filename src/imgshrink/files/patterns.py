"""gitignore patterns, relative to the file that holds them, and images that lie elsewhere."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import SettingsError
from .paths import in_utf8

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_UPWARD = re.compile(r"(?P<negated>!?)(?P<steps>(?:\.\./)+)(?P<rest>.*)")
_LITERAL = re.compile(r"[^*?\[\\]*")
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")
_CLOSE = 0.8
_MOST_NAMES = 20_000


class Patterns:
    """Patterns as in a .gitignore file in the folder `base`; raises `SettingsError` for a line that is no pattern.

    Beyond git's rules: a pattern may begin with `../`; one without a slash in front is tried for images outside
    of `base` as well, below the deepest folder that holds both; and names are compared in composed form (Unicode NFC).
    """

    def __init__(self, base: Path, lines: Sequence[str]) -> None:
        self._lines = [unicodedata.normalize("NFC", line) for line in lines if line]
        steps = max((_steps(line) for line in self._lines), default=0)
        self._bases = {os.path.abspath(base), os.path.realpath(base)}  # noqa: PTH100  must not resolve links
        self._tops = {_parent(folder, steps) for folder in self._bases}
        parts = Path(os.path.abspath(base)).parts[1:]  # noqa: PTH100  as above
        self._inner = "/".join(parts[max(0, len(parts) - steps) :]) if steps else ""
        self._spec = _spec([_from_top(line, self._inner, steps) for line in self._lines])
        self._outside = _spec([line for line in self._lines if not _anchored(line)])
        self._unused = {number for number, line in enumerate(self._lines) if _is_pattern(line)}
        self._names: list[str] = []

    @property
    def by_path(self) -> bool:
        """Whether a pattern holds a slash, so that it matches an image only where its path is known."""
        return any("/" in line.strip().rstrip("/") for line in self._lines if not line.startswith("#"))

    def match(self, *paths: Path) -> bool:
        """Whether the patterns name an image, or a folder above it, under any of the `paths` that people know it by."""
        names: list[str] = []
        outside: list[str] = []
        for path in paths:
            folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  must not resolve links
            places = [Path(place, name) for place in dict.fromkeys((folder, os.path.realpath(folder)))]
            names += _relative(places, self._tops)
            if not _relative(places, self._bases):
                outside.append(_below_common_folder(places[0], min(self._bases)))
        names, outside = _readings(names), _readings(outside)
        self._note(names, outside)
        return any(map(self._spec.match_file, names)) or any(map(self._outside.match_file, outside))

    def may_match_below(self, line: str, folders: Sequence[Path]) -> bool:
        """Whether the pattern `line` can match an image below one of the `folders`; a file is no folder."""
        searched = [Path(os.path.abspath(folder)) for folder in folders if os.path.isdir(folder)]  # noqa: PTH100  as above
        literal = _LITERAL.match(line.removeprefix("!").lstrip("/"))
        start = literal[0] if literal and "/" in line.strip().rstrip("/") else ""
        wanted = Path(os.path.abspath(Path(min(self._bases), start.rpartition("/")[0])))  # noqa: PTH100  as above
        return any(wanted.is_relative_to(folder) or folder.is_relative_to(wanted) for folder in searched)

    def unused(self) -> list[tuple[str, str]]:
        """Return the patterns that no image has matched, each with the nearest name that it may have meant, or ""."""
        return [(self._lines[number], self._nearest(self._lines[number])) for number in sorted(self._unused)]

    def _note(self, names: Sequence[str], outside: Sequence[str]) -> None:
        """Remember which patterns have matched, and the names that were seen while any has not."""
        if not self._unused:
            return
        for number in list(self._unused):
            line = self._spec.patterns[number]
            tried = names if _anchored(self._lines[number]) else [*names, *outside]
            if any(map(line.match_file, tried)):
                self._unused.discard(number)
        if len(self._names) < _MOST_NAMES:
            self._names += (names or outside)[:1]

    def _nearest(self, line: str) -> str:
        from difflib import get_close_matches

        wanted = line.lstrip("!/").rstrip("/")
        inner = [name.removeprefix(f"{self._inner}/") if self._inner else name for name in self._names]
        ends = [name for name in inner if f"/{name}".endswith(f"/{wanted}") or f"/{wanted}/" in f"/{name}"]
        if ends:
            end = min(ends, key=len)
            return end[: end.index(wanted) + len(wanted)]
        return next(iter(get_close_matches(wanted, inner, n=1, cutoff=_CLOSE)), "")


def _readings(names: Sequence[str]) -> list[str]:
    """Return names in composed form; where the locale's encoding is not UTF-8, as read in UTF-8 too, before them.

    Patterns in files are UTF-8, those of an argument have the encoding of the locale.
    """
    if sys.getfilesystemencoding() != "utf-8":
        names = [*map(in_utf8, names), *names]
    return [unicodedata.normalize("NFC", name) for name in names]


def _spec(lines: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore import GitIgnorePatternError

    try:
        return GitIgnoreSpec.from_lines(lines)
    except GitIgnorePatternError as error:
        raise SettingsError(f"not a gitignore pattern: {error}") from error


def _is_pattern(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _anchored(line: str) -> bool:
    """Whether a line names a place beside its own file, with `/` or `../` in front."""
    return line.removeprefix("!").startswith(("/", "../"))


def _relative(places: Sequence[Path], folders: Collection[str]) -> list[str]:
    return [
        place.relative_to(folder).as_posix()
        for place in places
        for folder in sorted(folders)
        if place.is_relative_to(folder)
    ]


def _steps(line: str) -> int:
    found = _UPWARD.match(line)
    return found["steps"].count("../") if found else 0


def _parent(folder: str, steps: int) -> str:
    for _ in range(steps):
        folder = os.path.dirname(folder)  # noqa: PTH120  text, as everything here
    return folder


def _from_top(line: str, inner: str, steps: int) -> str:
    """Rewrite a line for the folder that lies `steps` above its own; `inner` leads from there to its own."""
    if not steps or not line.strip() or line.startswith("#"):
        return line
    negated, rest = ("!", line[1:]) if line.startswith("!") else ("", line)
    found = _UPWARD.match(rest)
    if found:
        kept = inner.split("/")[: steps - found["steps"].count("../")]
        return f"{negated}/{_literal('/'.join(kept))}{'/' if kept else ''}{found['rest']}"
    if "/" not in rest.strip().rstrip("/"):
        return line
    return f"{negated}/{_literal(inner)}/{rest.lstrip('/')}"


def _literal(path: str) -> str:
    return _SPECIAL.sub(r"\\\1", path)


def _below_common_folder(path: Path, folder: str) -> str:
    """Return the part of `path` below the deepest folder that holds both; the name alone on another drive."""
    try:
        common = os.path.commonpath([path, folder])
    except ValueError:
        return path.name
    return path.relative_to(common).as_posix()
