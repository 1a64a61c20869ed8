"""The user's own folders. Linux's are computed here: importing platformdirs costs as much as a bare Python's start."""

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
    """Where results are remembered when no setting moves them."""
    return _folder("cache", environ)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the journal and the kept originals live."""
    return _folder("state", environ)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where the user's own `config.toml` is looked for."""
    return _folder("config", environ)


def _folder(kind: str, environ: Mapping[str, str]) -> Path:
    if not sys.platform.startswith("linux"):
        import platformdirs

        return Path(getattr(platformdirs, f"user_{kind}_dir")(NAME, appauthor=False))
    variable, usual = XDG[kind]
    chosen = Path(environ.get(variable, ""))
    # A relative path there is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
    return (chosen if chosen.is_absolute() else home(environ) / usual) / NAME


def home(environ: Mapping[str, str]) -> Path:
    """The user's home folder; the root of the file system for a user whom the system does not know."""
    folder = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  Path's own raises for such a user
    return folder if folder.is_absolute() else Path(Path.cwd().anchor)
