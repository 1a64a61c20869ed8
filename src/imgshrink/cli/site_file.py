"""Finds the site's own file in the working folder, and reads the options of the plugin from it, without MkDocs.

No plugin, hook or theme of the site is imported: the commands that find the file by themselves run in repositories of
other people too. `-f` loads the file as a build does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import SettingsError
from ..core.text import shown
from ..settings.toml import read

if TYPE_CHECKING:
    from yaml import Node, SafeLoader

NAMES = ("properdocs.yml", "properdocs.yaml", "mkdocs.yml", "mkdocs.yaml")
"""In the order in which ProperDocs looks for them."""

PLUGIN = "imgshrink"
MOST_PARENTS = 20
INSTALL = 'pip install "imgshrink[mkdocs]"'


class NoReader(SettingsError):
    """There is no YAML reader on this machine: it comes with MkDocs and ProperDocs."""


@dataclass(frozen=True)
class SiteFile:
    """The site's file, the docs folder that it names, and the options of the plugin in it."""

    file: Path
    docs: Path
    options: Mapping[str, object]


def find_site(folder: Path) -> SiteFile | None:
    """Return the site's file in `folder`, None if there is none, or none in which the plugin is.

    Raises `NoReader` where the file names the plugin and can't be read here, and `SettingsError` for a file that
    MkDocs would not accept either.
    """
    file = next((folder / name for name in NAMES if os.path.isfile(folder / name)), None)
    return None if file is None else read_site(file)


def read_site(file: Path) -> SiteFile | None:
    """Return what `file` says, None if the plugin is not in it; raises as `find_site` does."""
    data = read(file)
    if PLUGIN.encode() not in data and b"INHERIT" not in data:
        return None
    try:
        import yaml_env_tag  # noqa: F401  MkDocs and ProperDocs bring it, and with it the reader
    except ImportError as error:
        raise NoReader(
            f"the settings in {file.name} are not read, because MkDocs is not installed beside imgshrink: {INSTALL}, "
            "or copy them to imgshrink.toml"
        ) from error
    values = _inherited(file)
    options = _options(values.get("plugins"))
    if options is None:
        return None
    docs = values.get("docs_dir")
    return SiteFile(file, file.parent / (docs if isinstance(docs, str) else "docs"), options)


def plugins_of(file: Path) -> Mapping[object, object] | None:
    """Return the plugins that `file` names with their options, {} for a file that is no table; values of tags are None.

    None where there is no YAML reader on this machine, or the file is not valid YAML.
    """
    try:
        import yaml
    except ImportError:
        return None
    try:
        values = yaml.load(read(file), _plain_loader())  # noqa: S506  it is a SafeLoader
    except (SettingsError, yaml.YAMLError):
        return None
    return dict(_listed(values.get("plugins"))) if isinstance(values, Mapping) else {}


def _inherited(file: Path) -> Mapping[str, Any]:
    """Return the values of `file` over those of the files that it inherits from, as MkDocs merges them."""
    values: Mapping[str, Any] = {}
    for _ in range(MOST_PARENTS):
        own = _values(file)
        parent = own.pop("INHERIT", None)
        values = _merged(own, values)
        if not isinstance(parent, str):
            return values
        file = file.parent / parent
    raise SettingsError(f"{shown(file)} inherits from itself")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, those of `above` over those of `below`; tables are merged, everything else is replaced."""
    both = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            both[name] = _merged(below[name], above[name])
    return both


def _values(file: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.load(read(file), _loader())  # noqa: S506  it is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise SettingsError(f"{shown(file)} is not valid YAML{line}: {getattr(error, 'problem', error)}") from error
    return dict(values) if isinstance(values, Mapping) else {}


def _loader() -> type[SafeLoader]:
    """Return a reader that knows `!ENV` as MkDocs does; what other tags would build is None."""
    from yaml_env_tag import construct_env_tag

    loader = _plain_loader()
    loader.add_constructor("!ENV", construct_env_tag)
    return loader


def _plain_loader() -> type[SafeLoader]:
    """Return a reader that builds None for every tag."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
        pass

    def nothing(loader: SafeLoader, suffix: str, node: Node) -> None:  # noqa: ARG001  yaml's signature
        return None

    Loader.add_multi_constructor("!", nothing)
    Loader.add_multi_constructor("tag:yaml.org,2002:python/", nothing)
    return Loader


def _options(plugins: object) -> Mapping[str, object] | None:
    """Return the plugin's options from the list or the table of plugins, None where it is not among them."""
    for name, options in _listed(plugins):
        if name == PLUGIN:
            return options if isinstance(options, Mapping) else {}
    return None


def _listed(plugins: object) -> Iterator[tuple[object, object]]:
    rows = plugins if isinstance(plugins, list) else [plugins]
    for row in rows:
        if isinstance(row, Mapping):
            yield from row.items()
        else:
            yield row, None
