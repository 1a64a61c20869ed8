"""What is built, what it needs, and where it can be installed."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from places import ROOT
from real_tools import PNG, run
from shell import INSTALLING

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLATFORMS = {
    "Linux x86_64": ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "Linux aarch64": ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
    "Alpine x86_64": ("musllinux_1_2_x86_64",),
    "Alpine aarch64": ("musllinux_1_2_aarch64",),
    "macOS arm64": ("macosx_11_0_arm64", "macosx_14_0_arm64"),
    "macOS x86_64": ("macosx_10_14_x86_64", "macosx_11_0_x86_64", "macosx_14_0_x86_64"),
    "Windows x86_64": ("win_amd64",),
}
COMPILED = ("cffi", "mozjpeg-lossless-optimization", "pyoxipng-ng", "pyvips-binary", "pillow")
# Everything that needs an extra; all else must be importable without one.
EXTRAS = ("imgshrink.mkdocs_plugin", "imgshrink.server", "imgshrink.workers.__main__", "imgshrink.__main__")


def test_mkdocs_is_no_base_dependency():
    """pre-commit installs base dependencies only, so neither MkDocs nor the server's parts are among them."""
    base = " ".join(PROJECT["dependencies"])
    assert not re.search(r"mkdocs|starlette|uvicorn", base)
    assert PROJECT["optional-dependencies"]["mkdocs"] == ["mkdocs>=1.6,<2"]


def test_entry_points_lead_somewhere():
    """The plugin and both programs are registered, and each name leads to what it says."""
    plugin = next(point for point in entry_points(group="mkdocs.plugins") if point.name == "imgshrink")
    assert plugin.load().__name__ == "ImgshrinkPlugin"
    programs = {
        point.name: point.load() for point in entry_points(group="console_scripts") if "imgshrink" in point.name
    }
    assert set(programs) == {"imgshrink", "imgshrink-hook"}
    assert all(callable(main) for main in programs.values())


def test_compiled_parts_are_declared():
    """Every compiled package that a platform must have a wheel for is a dependency of ours, or (cffi) of pyvips."""
    declared = {re.split(r"[<>=\[ ]", line)[0] for line in PROJECT["dependencies"]}
    assert {name for name in COMPILED if name not in ("cffi", "pillow")} <= declared


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT, cwd=folder, environ=INSTALLING
    )
    assert done.returncode == 0, done.stdout
    return next(folder.glob("imgshrink-*.whl"))


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel):
    """The wheel holds every module, its data files and the licence, and no tests, images or scripts."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"imgshrink", next(top for top in tops if top.endswith(".dist-info"))}
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    page = {f"imgshrink/report/html/page.{kind}" for kind in ("css", "html", "js")}
    assert page | {"imgshrink/py.typed"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_wheel_works_without_extras_and_away_from_the_sources(wheel, tmp_path):
    """In a fresh environment with base dependencies alone all parts but the extras' import, and both programs work."""
    venv.create(tmp_path / "fresh", with_pip=True)
    folder = tmp_path / "fresh" / ("Scripts" if sys.platform == "win32" else "bin")
    done = run(folder / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, environ=INSTALLING)
    assert done.returncode == 0, done.stdout
    code = (
        "import imgshrink, importlib, pkgutil\n"
        "walk = pkgutil.walk_packages(imgshrink.__path__, 'imgshrink.', onerror=lambda name: None)\n"
        "names = [module.name for module in walk]\n"
        f"names = [name for name in names if not name.startswith({EXTRAS!r})]\n"
        "assert len(names) > 40, names\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(imgshrink.__file__)"
    )
    done = run(folder / "python", "-I", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert str(tmp_path / "fresh") in done.stdout
    (tmp_path / "a.png").write_bytes(PNG.read_bytes())
    assert run(folder / "imgshrink-hook", "a.png", cwd=tmp_path).returncode == 1
    assert run(folder / "imgshrink", "check", "a.png", cwd=tmp_path).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("tags", PLATFORMS.values(), ids=PLATFORMS)
@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_compiled_dependencies_have_wheels_everywhere(tags, version, tmp_path):
    """On every platform that we name, each compiled dependency is there as a wheel: nobody needs a compiler."""
    wanted = [line for line in PROJECT["dependencies"] if line.startswith(COMPILED)] + ["cffi"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    done = run(
        sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--only-binary=:all:", *platforms,
        "--python-version", version, "--target", tmp_path / "none", "--report", tmp_path / "plan.json", *wanted,
        cwd=tmp_path, environ=INSTALLING,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    planned = {row["metadata"]["name"].lower() for row in json.loads((tmp_path / "plan.json").read_text())["install"]}
    assert {re.split(r"[<>=]", line)[0] for line in wanted} <= planned
