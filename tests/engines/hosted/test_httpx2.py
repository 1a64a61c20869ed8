"""The hosted engine runs the same over httpx2, the maintained successor of httpx."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from places import TESTS
from shell import INSTALLING

BLOCK = "import sys\nsys.modules['httpx'] = sys.modules['httpcore'] = None\n"


@pytest.fixture(scope="module")
def without_httpx(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with httpx2, in which httpx can't be imported."""
    folder = tmp_path_factory.mktemp("httpx2")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "httpx2"]
    environ = {**os.environ, **INSTALLING}
    if subprocess.run(install, env=environ, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a package index that has httpx2")
    (folder / "sitecustomize.py").write_text(BLOCK)
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.mark.slow
def test_which_library(without_httpx: dict[str, str]) -> None:
    """Where only the successor is there, it is what the engine speaks through."""
    code = "from imgshrink.engines.hosted.sockets import httpx, httpcore; print(httpx.__name__, httpcore.__name__)"
    done = subprocess.run([sys.executable, "-c", code], env=without_httpx, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["httpx2", "httpcore2"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("file", ["engines/hosted/test_engine.py", "end_to_end/test_leaks.py"])
def test_the_same_tests(file: str, without_httpx: dict[str, str]) -> None:
    """All tests of the engine, and of what it may not tell, pass over the successor."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        str(TESTS / file),
    ]
    done = subprocess.run(command, cwd=TESTS.parent, env=without_httpx, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
