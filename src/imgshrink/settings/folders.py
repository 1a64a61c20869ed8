"""The user's own folders. Those of Linux are computed here, because importing platformdirs doubles the start time."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "imgshrink"
XDG = {
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "state": ("XDG_STATE_HOME", ".local/state"),
    "config": ("XDG_CONFIG_HOME", ".config"),
}


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the default folder of the cache."""
    return _folder("cache", environ)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the journal and of the backups."""
    return _folder("state", environ)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's own `config.toml`."""
    return _folder("config", environ)


def _folder(kind: str, environ: Mapping[str, str]) -> Path:
    if not sys.platform.startswith("linux"):
        import platformdirs

        return Path(getattr(platformdirs, f"user_{kind}_dir")(NAME, appauthor=False))
    variable, usual = XDG[kind]
    chosen = Path(environ.get(variable, ""))
    # A relative path must be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
    return (chosen if chosen.is_absolute() else home(environ) / usual) / NAME


def home(environ: Mapping[str, str]) -> Path:
    """Return the user's home folder, or the root of the file system for a user without an account."""
    folder = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  Path's own raises for such a user
    return folder if folder.is_absolute() else Path(Path.cwd().anchor)
