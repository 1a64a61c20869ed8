"""axe-core, the checker of accessibility, from npm (https://github.com/dequelabs/axe-core)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from webdriver import Browser

VERSION = "4"
SERIOUS = ("serious", "critical")
RUN = "const found = await axe.run(); return found.violations"


def axe_script(folder: Path, environ: Mapping[str, str]) -> str:
    """Return the script, from the file that AXE_CORE names or from npm into `folder`; skips the test without either."""
    if named := os.environ.get("AXE_CORE"):
        return Path(named).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm, or AXE_CORE as the path of axe.min.js")
    command = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        f"axe-core@{VERSION}",
    ]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip("npm can't install axe-core")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(window: Browser, script: str) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it is: the rule, and where it is broken."""
    window.run(script)
    found: list[dict[str, Any]] = window.run(RUN)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
