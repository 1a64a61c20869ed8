"""The developer's shell: what it may hold that no test may meet, and a home of the test's own."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

PREFIXES = ("IMGSHRINK_", "TINYJPG_", "GIT_", "PRE_COMMIT")
NAMES = {"CI", "GITHUB_STEP_SUMMARY", "SOURCE_DATE_EPOCH"}
HOMES = ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA")
FOLDERS = {"XDG_CACHE_HOME": ".cache", "XDG_STATE_HOME": ".state", "XDG_CONFIG_HOME": ".config"}


def kept_out(name: str) -> bool:
    """Whether no test may meet an environment variable of this name: settings, keys, a hook's git, proxies."""
    upper = name.upper()
    return upper.startswith(PREFIXES) or upper in NAMES or upper.endswith("_PROXY")


def _pip_cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PIP_CACHE_DIR") or Path(folder) / "pip")


INSTALLING = {
    **{name: value for name, value in os.environ.items() if name.upper().endswith("_PROXY")},
    "PIP_CACHE_DIR": str(_pip_cache()),
}
"""The shell's own proxies and pip's cache of downloads, for those programs alone that install packages."""

UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""Keeps coverage out of a program: its data file would get the number of a closed stream, and be written over."""


def linter(name: str) -> str:
    """A program of the group `lint`; the test is skipped where that is not installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip(f"{name} is not installed: pip install --group lint")
    return found


def clean(patch: pytest.MonkeyPatch) -> None:
    """Take out of the environment what no test may meet; programs that tests start inherit the rest."""
    for name in filter(kept_out, list(os.environ)):
        patch.delenv(name)


def move_in(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Make `home` the user's home folder: nothing may touch the user's own cache, state or settings."""
    for name in HOMES:
        patch.setenv(name, str(home))
    for name, part in FOLDERS.items():
        patch.setenv(name, str(home / part))
