"""What keeps the tests apart from the developer's machine, and what ends a test that hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT
from shell import kept_out

DIRTY = {
    "IMGSHRINK_ENGINE": "hosted",
    "IMGSHRINK_QUALITY": "1",
    "TINYJPG_API_KEY": "tj_developers_own",
    "TINYJPG_API_URL": "http://127.0.0.1:9",
    "GIT_DIR": "/nowhere",
    "GIT_INDEX_FILE": "/nowhere/index",
    "PRE_COMMIT": "1",
    "PRE_COMMIT_HOME": "/nowhere",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "*",
    "CI": "true",
    "GITHUB_STEP_SUMMARY": "/nowhere/summary",
    "XDG_CACHE_HOME": "/nowhere/cache",
}
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
"""The tests below name the plugins that they need; options of the outer run would need others."""
PRINT = "import json, os; print(json.dumps(dict(os.environ)))"

HANGS = """
import time, pytest
@pytest.mark.timeout(1)
def test_hangs(): time.sleep(3600)
def test_after(): pass
"""


@pytest.fixture(scope="session")
def seen_by_shared_fixtures() -> dict[str, str]:
    """The environment that a fixture of the whole session meets."""
    return dict(os.environ)


def test_the_environment_is_clean(seen_by_shared_fixtures: dict[str, str], home: Path) -> None:
    """Neither a test nor a shared fixture nor a program that they start meets what the developer has set."""
    started = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, check=True)
    for environ in (seen_by_shared_fixtures, os.environ, json.loads(started.stdout)):
        assert [name for name in environ if kept_out(name)] == []
        assert "nowhere" not in environ["XDG_CACHE_HOME"]
    assert str(home) == os.environ["HOME"] != seen_by_shared_fixtures["HOME"]


def test_a_developers_shell_is_kept_out() -> None:
    """The same holds in a process that a shell starts where everything is set."""
    test = f"{Path(__file__).relative_to(ROOT).as_posix()}::{test_the_environment_is_clean.__name__}"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_timeout", test]
    environ = {**os.environ, **ALONE, **DIRTY}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_every_dirty_variable_is_kept_out() -> None:
    """The test above sets nothing that would be let through."""
    assert [name for name in DIRTY if not kept_out(name)] == ["XDG_CACHE_HOME"]


def test_a_test_that_hangs_ends(tmp_path: Path) -> None:
    """A test that hangs fails alone: its worker process goes on to the next one."""
    (tmp_path / "test_hanging.py").write_text(HANGS)
    plugins = ["-p", "no:cacheprovider", "-p", "xdist", "-p", "pytest_timeout"]
    command = [sys.executable, "-m", "pytest", *plugins, "-n1", "test_hanging.py"]
    environ = {**os.environ, **ALONE}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout
    assert "Timeout" in done.stdout


def test_every_test_has_an_end(request: pytest.FixtureRequest) -> None:
    """No test runs for ever: the configuration gives each one a generous end."""
    assert float(request.config.getini("timeout")) >= 60
