"""Where the files of a built site come from, and the paths that people know them by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from .discovery import ENDINGS

MATERIAL = "material/optimize"
MATERIAL_TAKES = {"optimize_png": (".png",), "optimize_jpg": (".jpg", ".jpeg")}


@dataclass(frozen=True)
class Origin:
    """Where a file of the site comes from: its path if it has one, and its path in the docs if it is one of them."""

    path: Path | None = None
    uri: str = ""
    in_docs: bool = False


NOWHERE = Origin()


class SiteFiles:
    """The files of the site in `site`, built from the docs folder `declared` by the configuration in `folder`."""

    def __init__(self, folder: Path = Path(), declared: Path = Path()) -> None:
        self.site = Path()
        self._folder, self._declared = folder, declared
        self._origins: dict[str, Origin] = {}

    def note(self, published: str, path: Path | None, uri: str, docs: Path) -> None:
        """Remember where a published file comes from: from the docs if `docs` or the declared folder hold it."""
        in_docs = path is not None and any(map(path.is_relative_to, (self._declared, docs)))
        self._origins[published] = Origin(path, uri, in_docs)

    def origin(self, inside: PurePath) -> Origin:
        """Return where the file at a path of the site comes from."""
        return self._origins.get(inside.as_posix(), NOWHERE)

    def images(self, *, variants: bool = True) -> list[Path]:
        """Return the images of the site, by file name extension; not symlinks, whose targets are found themselves.

        Without `variants`, none that lies beside the image that it is named after: `a.png.webp` beside `a.png`.
        """
        found = (Path(folder, name) for folder, _, names in os.walk(self.site) for name in names)
        images = sorted(path for path in found if path.name.lower().endswith(ENDINGS) and not os.path.islink(path))
        return images if variants else [path for path in images if not _is_variant(path)]

    def names(self, inside: PurePath) -> list[Path]:
        """Return the paths that people know a file of the site by, the one to show first.

        One of the docs: its path below the declared docs folder, the same below mkdocs.yml's own folder, and where it
        lies now. Any other: its path in the site, and where it comes from.
        """
        origin, folder = self.origin(inside), self._folder
        if not origin.in_docs:
            site = self.site.relative_to(folder) if self.site.is_relative_to(folder) else Path("site")
            return [folder / site / inside, *([origin.path] if origin.path else [])]
        assert origin.path is not None
        paths = [self._declared / origin.uri, folder / origin.uri, origin.path]
        if origin.path.is_relative_to(self._declared):
            paths.insert(0, origin.path)
        return list(dict.fromkeys(paths))


def _is_variant(path: Path) -> bool:
    return path.stem.lower().endswith(ENDINGS) and os.path.isfile(path.with_suffix(""))


def left_to_material(plugins: Mapping[str, Any]) -> set[str]:
    """Return the extensions of the files that Material's own plugin optimizes, of the `plugins` of MkDocs by name."""
    taken: dict[str, tuple[str, ...]] = {}
    for name in (name for name in plugins if name.startswith(MATERIAL)):
        options: Mapping[str, object] = plugins[name].config
        if options.get("enabled") and options.get("optimize"):
            taken |= {option: endings for option, endings in MATERIAL_TAKES.items() if options.get(option)}
    return {ending for group in taken.values() for ending in group}
