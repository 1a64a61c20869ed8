"""Where results go: over the originals, over a build's copies, or nowhere. Into another folder: `mirror`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Unwritable
from .history import holds
from .model import Source
from .names import absolute
from .seal import unseal

if TYPE_CHECKING:
    from .originals import Originals


class InPlace:
    """Rewrites the original file; what it held before is kept first, where its pixels may have changed.

    Not kept is what git ignores, which is made anew by whoever made it, but for the files that are `named`; `unkept`
    are the names of those. `sources` are those of the run: git is asked about all of a repository together when the
    first of them is replaced.
    """

    def __init__(
        self, originals: Callable[[], Originals], sources: Iterable[Source] = (), *, named: Iterable[Path] = ()
    ) -> None:
        self.unkept: set[str] = set()
        self._originals = originals
        self._named = {absolute(path) for path in named}
        self._places = [place for source in sources if (place := absolute(source.path)) not in self._named]
        self._asked: dict[Path, _Answer] = {}

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace the file's bytes `seen` by `data`; raises `FileChanged` or `Unwritable`."""
        from .files import replace

        if unseal(seen) != unseal(data):
            self._keep(source, seen, data)
        replace(source.path, data, seen)

    def _keep(self, source: Source, seen: bytes, data: bytes) -> None:
        """Keep the original, unless git ignores it. Git may hold it too."""
        from .files.ignored import repository_of
        from .git import Silent

        place = absolute(source.path)
        repository = repository_of(place.parent)
        try:
            if repository is not None and place not in self._named and self._is_ignored(repository, place):
                self.unkept.add(source.name)
                return
        except Silent:  # a repository that git does not answer for is kept like any folder
            repository = None
        if not self._originals().keep(seen, data, place) and not (repository and holds(repository, seen)):
            raise Unwritable("left as it is: its original can't be kept, and no git repository holds it")

    def _is_ignored(self, repository: Path, place: Path) -> bool:
        """Whether git ignores a file, asked alone where git says nothing about all; raises `Silent`."""
        from .files.ignored import ignored

        if repository not in self._asked:
            self._asked[repository] = _ask(repository, self._places)
        answer = self._asked[repository]
        return place in answer.ignored if place in answer.about else bool(ignored(repository, [place]))


@dataclass(frozen=True)
class _Answer:
    about: frozenset[Path] = frozenset()
    ignored: frozenset[Path] = frozenset()


def _ask(repository: Path, places: Iterable[Path]) -> _Answer:
    """Ask git about those of `places` that `repository` holds; nothing is known where one of them silences it."""
    from .files.ignored import ignored, repository_of
    from .git import Silent

    holders = {folder: repository_of(folder) for folder in {place.parent for place in places}}
    held = frozenset(place for place in places if holders[place.parent] == repository)
    try:
        return _Answer(held, frozenset(ignored(repository, sorted(held))))
    except Silent:
        return _Answer()


def in_build(source: Source, seen: bytes, data: bytes) -> None:
    """Replace a built site's own copy; nothing is kept, the original lies elsewhere."""
    from .files import replace

    replace(source.path, data, seen, durable=False)


def nowhere(source: Source, seen: bytes, data: bytes) -> None:
    """Touch nothing: the result is in the cache by now."""
