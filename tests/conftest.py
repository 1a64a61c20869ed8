"""Fixtures that every test may use: real images, the hostile inputs, and a home of its own for every test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from cli_with_api import Person
from corpus import CORPUS, WHY_SKIPPED, corpus_images
from fakes import Bench, deflated
from lying_server import LyingServer, lying_server
from once import once
from places import IMAGES
from real_tools import build_twice, make_repository
from selection import PARTS
from shell import clean, move_in

PATIENCE = 1800
"""Seconds after which a test that is slow on purpose is given up; those of all others are in pyproject.toml."""

_EVERYWHERE = {"deadline": None, "derandomize": "CI" in os.environ}
hypothesis.settings.register_profile("plain", max_examples=15, **_EVERYWHERE)
hypothesis.settings.register_profile("all", max_examples=300, **_EVERYWHERE)
hypothesis.settings.load_profile("plain")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run take a part of what takes long: runs with the next numbers take the rest."""
    parser.addoption("--part", type=int, help=f"one in {PARTS} slow tests, and of images of sweeps over the corpus")


def pytest_configure() -> None:
    """Hear Ctrl-C, and let the programs that tests start hear it: a shell makes what runs in the background deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest tests; give the slow ones more time, and the property tests of `--all`: many examples."""
    part = config.getoption("--part")
    if part is not None:
        left_out = [item for item in items if not _in_part(item, part)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _in_part(item, part)]
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    many = config.getoption("hypothesis_profile", None) == "all"
    for item in items:
        if item.get_closest_marker("slow") or (many and item.get_closest_marker("hypothesis")):
            item.add_marker(pytest.mark.timeout(PATIENCE))


def _in_part(item: pytest.Item, part: int) -> bool:
    """Whether a run with `--part` has the test: one in `PARTS` of the slow ones, and all that sweep over the corpus."""
    if item.get_closest_marker("slow") is None or "sweep" in getattr(item, "fixturenames", ()):
        return True
    return zlib.crc32(item.nodeid.encode()) % PARTS == part % PARTS


@pytest.fixture(scope="session")
def corpus() -> list[Path]:
    """Every real image: the corpus, or what a clone has of it; never to be written to."""
    return corpus_images()


@pytest.fixture(scope="session")
def sweep(corpus: list[Path], request: pytest.FixtureRequest) -> list[Path]:
    """The real images that a test tries one after another: all, or one in `PARTS` by `--part`."""
    part = request.config.getoption("--part")
    return corpus if part is None else corpus[part % PARTS :: PARTS]


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

    def generated(folder: Path) -> dict[str, str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            return dict(module.main(str(folder)))

    return once(tmp_path_factory, "hostile", generated)


@pytest.fixture(scope="session", autouse=True)
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the developer's shell and home reaches a test, nor a fixture that many tests share."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        move_in(patch, tmp_path_factory.mktemp("shared-home"))
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The next home's folder, as often as one is asked for: pytest would look through all others for a free name."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and an environment that no earlier test has filled."""
    folder = next(homes)
    folder.mkdir()
    clean(monkeypatch)
    move_in(monkeypatch, folder)
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A site of five images in four formats and one of the theme, built twice with one cache; what each build said.

    Made once a session; never to be written to.
    """
    folder, (first, second) = once(tmp_path_factory, "built", build_twice)
    return folder, first, second


@pytest.fixture
def warmed(home: Path, built: tuple[Path, list[str], list[str]]) -> None:
    """The home of somebody who has had these images shrunk at the default quality: none needs to be encoded."""
    shutil.copytree(built[0] / ".cache", home / ".cache", dirs_exist_ok=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty folder, and one engine."""
    folder = tmp_path / "images"
    folder.mkdir()
    return Bench(folder)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty git repository; a module that needs more in it extends this fixture."""
    return make_repository(tmp_path / "repository")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph in a folder of its own."""
    return Path(shutil.copy(IMAGES / "photo.jpg", tmp_path))


@pytest.fixture
def server() -> Iterator[LyingServer]:
    """An API in a thread of this process, which can lie and fail."""
    with lying_server() as running:
        yield running


@pytest.fixture
def person(tmp_path: Path, server: LyingServer) -> Person:
    """Somebody with a home, a project and a key of that API, which deflates."""
    server.shrink = deflated
    return Person(tmp_path, server.url)


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
