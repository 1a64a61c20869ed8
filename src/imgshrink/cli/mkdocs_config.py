"""Reads the files and options of an MkDocs build with MkDocs' own loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import shown
from ..files.paths import absolute


@dataclass(frozen=True)
class Build:
    """The docs folder of a build, the absolute paths of the files that it publishes, and the options of our plugin."""

    folder: Path
    files: frozenset[Path]
    options: Mapping[str, object]


def build_of(file: Path) -> Build:
    """Load the mkdocs.yml at `file`; raises `SettingsError` where MkDocs is missing or does not accept it."""
    try:
        from mkdocs.config import load_config
        from mkdocs.exceptions import MkDocsException
        from mkdocs.structure.files import get_files, set_exclusions
    except ImportError as error:
        raise SettingsError("-f needs MkDocs beside imgshrink: pip install 'imgshrink[mkdocs]'") from error
    if not file.is_file():
        raise SettingsError(f"{shown(file)}: no such file")
    try:
        config = load_config(str(file))
        files = get_files(config)
        set_exclusions(files, config)
    except MkDocsException as error:
        raise SettingsError(f"MkDocs does not accept {shown(file)}: {error}") from error
    published = (row.abs_src_path for row in files if row.inclusion.is_included())  # type: ignore[no-untyped-call]  # untyped there
    plugin = config.plugins.get("imgshrink")
    options = dict(plugin.config) if plugin is not None else {}
    return Build(Path(config.docs_dir), frozenset(absolute(Path(path)) for path in published if path), options)
