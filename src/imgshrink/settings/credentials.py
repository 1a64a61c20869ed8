"""The account at the API: key, URL and download hosts. They are never read from a file of the repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import SettingsError
from .folders import config_folder
from .shared import NAMES as SHARED
from .shared import is_private
from .toml import read_toml

PREFIX = "TINYJPG_"
NAMES = ("api_key", "api_url", "download_hosts", "proxy")
API_URL = "https://www.tinyjpg.co"


@dataclass(frozen=True)
class Account:
    """The account as the environment and the user's own file give it; `key_empty`: the variable is set and empty.

    `shared` holds what that `file` says of the shared cache, not yet parsed. `problem` says what is wrong with the key
    or the file, "" where nothing is; there is no key then.
    """

    api_key: str | None = field(default=None, repr=False)
    key_empty: bool = False
    api_url: str = API_URL
    download_hosts: tuple[str, ...] = ()
    proxy: str = field(default="", repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    file: Path = Path()
    shared: Mapping[str, object] = field(default_factory=dict)


def belongs_to_account(key: str) -> bool:
    """Return whether `key` is one that must not be set in a file of the repository."""
    return _plain(key) in NAMES


def read_account(environ: Mapping[str, str]) -> Account:
    """Read the account; the environment overrides the user's `config.toml`. Never raises: see `Account.problem`."""
    problem = ""
    file = config_folder(environ) / "config.toml"
    values: Mapping[str, object] = {}
    found: dict[str, tuple[str, str]] = {}
    try:
        values = _values(file)
        found = {name: (_text(file, name, value), str(file)) for name, value in values.items() if name in NAMES}
    except SettingsError as error:
        problem = str(error)
    for name in NAMES:
        if environ.get(PREFIX + name.upper(), "").strip():
            found[name] = (environ[PREFIX + name.upper()].strip(), PREFIX + name.upper())
    key, source = found.get("api_key", ("", ""))
    problem = problem or _problem(key, source)
    return Account(
        None if problem else key or None,
        key_empty=not key and PREFIX + "API_KEY" in environ,
        api_url=found.get("api_url", (API_URL, ""))[0],
        download_hosts=tuple(found.get("download_hosts", ("", ""))[0].replace(",", " ").split()),
        proxy=found.get("proxy", ("", ""))[0],
        sources={name: source for name, (_, source) in found.items()},
        problem=problem,
        file=file,
        shared={name: value for name, value in values.items() if name in SHARED},
    )


def _plain(key: str) -> str:
    return key.lower().replace("-", "_").removeprefix(PREFIX.lower())


def _problem(key: str, source: str) -> str:
    if all("!" <= letter <= "~" for letter in key):
        return ""
    return f"the API key in {source} holds a space, a line break or a letter beyond ASCII: copy it again"


def _values(file: Path) -> Mapping[str, object]:
    if not os.path.isfile(file):
        return {}
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise SettingsError(f"others can read {file}, which may hold the API key: chmod 600 {file}")
    values = read_toml(file)
    for key in values:
        _require_known(file, key)
    return {_plain(key): value for key, value in values.items()}


def _require_known(file: Path, key: str) -> None:
    name = _plain(key)
    if is_private(key):
        raise SettingsError(f"{file}: {key} can't be set there: it is read from the environment alone")
    if name not in NAMES + SHARED:
        raise SettingsError(f"{file}: {key} is not known there; it may hold {', '.join(NAMES + SHARED)}")


def _text(file: Path, name: str, value: object) -> str:
    if name == "download_hosts" and isinstance(value, list):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        raise SettingsError(f"{file}: {name} must be text in quotes")
    return value.strip()
