"""Where results go: over the originals, over a build's copies, into another folder, or nowhere."""

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

        if unseal(seen) != unseal(data) and not _ignored(source.path.absolute()):
            self._originals().keep(seen, data, source.path)
        replace(source.path, data, seen)


def _ignored(path: Path) -> bool:
    """Whether git ignores the file: it is made anew by whoever made it, and nothing of it is kept."""
    from .files.ignored import Silent, ignored, repository_of

    repository = repository_of(path.parent)
    try:
        return repository is not None and bool(ignored(repository, [path]))
    except Silent:
        return False


def in_build(source: Source, seen: bytes, data: bytes) -> None:
    """Replace a built site's own copy; nothing is kept, the original lies elsewhere."""
    from .files import replace

    replace(source.path, data, seen, durable=False)


def nowhere(source: Source, seen: bytes, data: bytes) -> None:
    """Touch nothing: the result is in the cache by now."""


class Into:
    """Writes results below another folder, at the path they have below `base`."""

    def __init__(self, folder: Path, base: Path) -> None:
        self._folder = folder
        self._base = base

    def target(self, source: Source) -> Path:
        """Return where the result of `source` goes; a file from outside the base goes to the top under its own name."""
        path = source.path.absolute()
        inside = path.is_relative_to(self._base)
        return self._folder / (path.relative_to(self._base) if inside else path.name)

    def __call__(self, source: Source, seen: bytes, data: bytes) -> None:  # noqa: ARG002 - the signature of Place
        """Write `data` to the target, whole or not at all; raises `Unwritable`."""
        from .files import write

        target = self.target(source)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unwritable(f"can't make {target.parent}: {error.strerror}") from error
        write(target, data)
