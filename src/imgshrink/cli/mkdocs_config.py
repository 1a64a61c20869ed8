"""Reads the files and options of a build with the own loader of MkDocs or ProperDocs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import shown
from ..files.paths import absolute, why_missing
from .site_file import INSTALL


@dataclass(frozen=True)
class Build:
    """A site's file, its docs folder, the absolute paths of the files that it publishes, our plugin's options."""

    file: Path
    docs: Path
    files: frozenset[Path]
    options: Mapping[str, object]


def build_of(file: Path) -> Build:
    """Load the mkdocs.yml at `file`; raises `SettingsError` where MkDocs is missing or does not accept it."""
    if not os.path.isfile(file):
        raise SettingsError(f"{shown(file)}: {why_missing(file)}")
    _prefer(file)
    try:
        from mkdocs.config import load_config
        from mkdocs.exceptions import MkDocsException
        from mkdocs.structure.files import get_files, set_exclusions
    except ImportError as error:
        raise SettingsError(f"-f needs MkDocs beside imgshrink: {INSTALL}") from error
    try:
        config = load_config(str(file))
        files = get_files(config)
        set_exclusions(files, config)
    except MkDocsException as error:
        raise SettingsError(f"MkDocs does not accept {shown(file)}: {error}") from error
    published = (row.abs_src_path for row in files if row.inclusion.is_included())  # type: ignore[no-untyped-call]  # untyped there
    plugin = config.plugins.get("imgshrink")
    options = dict(plugin.config) if plugin is not None else {}
    return Build(file, Path(config.docs_dir), frozenset(absolute(Path(path)) for path in published if path), options)


def _prefer(file: Path) -> None:
    """Let ProperDocs stand for `mkdocs`, as it does in its own builds, for its own file or where MkDocs is missing."""
    if not file.name.startswith("properdocs"):
        with suppress(ImportError):
            import_module("mkdocs")
            return
    with suppress(ImportError):
        import_module("properdocs.replacement")
