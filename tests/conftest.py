"""Fixtures that every test may use: the corpus, the hostile inputs, and a home of its own for every test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus import CORPUS, WHY_SKIPPED, corpus_images
from fakes import Bench


def pytest_configure() -> None:
    """Hear Ctrl-C, and let the programs that tests start hear it: a shell makes what runs in the background deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """Every real image of the corpus; never to be written to."""
    images = corpus_images()
    if not images:
        pytest.skip(WHY_SKIPPED)
    return images


@pytest.fixture(scope="session")
def hostile_made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder of hostile inputs and what each must get, made once a session; never to be written to."""
    script = CORPUS / "hostile" / "generate.py"
    if not script.is_file():
        pytest.skip(WHY_SKIPPED)
    spec = importlib.util.spec_from_file_location("hostile_generate", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, dict(module.main(str(folder)))


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own: nothing may touch the user's cache, state or settings."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(folder))
    for name, part in (("XDG_CACHE_HOME", ".cache"), ("XDG_STATE_HOME", ".state"), ("XDG_CONFIG_HOME", ".config")):
        monkeypatch.setenv(name, str(folder / part))
    for name in (*(f"TINYJPG_{part}" for part in ("API_KEY", "API_URL", "DOWNLOAD_HOSTS")), "PRE_COMMIT", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty folder, and one engine."""
    folder = tmp_path / "images"
    folder.mkdir()
    return Bench(folder)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user without privileges, and that user's rights for the time of the test."""
    folder = Path(tempfile.mkdtemp())
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
    shutil.rmtree(folder)
