"""Where results go: over the originals, over a build's copies, or nowhere. Into another folder: `mirror`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Unwritable
from .model import Source
from .seal import unseal

if TYPE_CHECKING:
    from .originals import Originals


class InPlace:
    """Rewrites the original file; what it held before is kept first, where its pixels may have changed."""

    def __init__(self, originals: Callable[[], Originals]) -> None:
        self._originals = originals

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:
        """Replace the file's bytes `seen` by `data`; raises `FileChanged` or `Unwritable`."""
        from .files import replace

        if unseal(seen) != unseal(data):
            self._keep(source.path, seen, data)
        replace(source.path, data, seen)

    def _keep(self, path: Path, seen: bytes, data: bytes) -> None:
        """Keep the original, but for what git ignores: that is made anew by whoever made it. Git may hold it too."""
        from .files.ignored import Silent, ignored, repository_of

        place = path.absolute()
        repository = repository_of(place.parent)
        try:
            if repository is not None and ignored(repository, [place]):
                return
        except Silent:  # a repository that git does not answer for is kept like any folder
            repository = None
        if not self._originals().keep(seen, data, path) and repository is None:
            raise Unwritable("left as it is: its original can't be kept, and no git repository holds it")


def in_build(source: Source, seen: bytes, data: bytes) -> None:
    """Replace a built site's own copy; nothing is kept, the original lies elsewhere."""
    from .files import replace

    replace(source.path, data, seen, durable=False)


def nowhere(source: Source, seen: bytes, data: bytes) -> None:
    """Touch nothing: the result is in the cache by now."""
