"""What is built, what it holds, and that it works away from the sources."""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from imgshrink import __version__
from places import ROOT
from real_tools import PNG, run
from shell import INSTALLING, linter

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LARGEST = 150 << 20
"""Bytes of a whole environment: pre-commit.ci allows 250 MiB for one."""

# Everything that needs an extra; all else must be importable without one.
EXTRAS = (
    *("imgshrink.mkdocs_plugin", "imgshrink.server", "imgshrink.workers.__main__", "imgshrink.__main__"),
    *(f"imgshrink.cache.{name}" for name in ("shared", "shelf", "signature", "push")),
)


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


def programs(environment: Path) -> Path:
    """Where an environment has its programs."""
    return environment / ("Scripts" if sys.platform == "win32" else "bin")


@pytest.mark.slow
def test_wheel_works_without_extras_and_away_from_the_sources(wheel, tmp_path):
    """In a fresh environment with base dependencies alone all parts but the extras' import, and both programs work.

    All that the installation brings, pip included, stays far below what services allow for a hook.
    """
    fresh = tmp_path / "fresh"
    venv.create(fresh, with_pip=True)
    folder = programs(fresh)
    done = run(folder / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, environ=INSTALLING)
    assert done.returncode == 0, done.stdout
    assert 10 << 20 < size(fresh) < LARGEST
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
    assert str(fresh) in done.stdout
    (tmp_path / "a.png").write_bytes(PNG.read_bytes())
    assert run(folder / "imgshrink-hook", "a.png", cwd=tmp_path).returncode == 1
    assert run(folder / "imgshrink", "check", "a.png", cwd=tmp_path).returncode == 0


def size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@pytest.mark.slow
def test_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    """The source distribution builds with no checkout around it, and its wheel holds what that of the checkout does."""
    done = run(
        linter("uv"), "build", "--quiet", "--sdist", "--out-dir", tmp_path, ROOT, cwd=tmp_path, environ=INSTALLING
    )
    assert done.returncode == 0, done.stdout
    source = next(tmp_path.glob("imgshrink-*.tar.gz"))
    with tarfile.open(source) as archive:
        names = archive.getnames()
    assert {name.split("/")[1] for name in names} == {
        *("src", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "pyproject.toml", "PKG-INFO", ".gitignore"),
    }
    assert source.stat().st_size < 1 << 20
    done = run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, source),
        cwd=tmp_path,
        environ=INSTALLING,
    )
    assert done.returncode == 0, done.stdout
    assert contents(next(tmp_path.glob("*.whl"))) == contents(wheel)


def contents(archive: Path) -> dict[str, int]:
    """The names in a wheel and the checksums of what they hold."""
    return {entry.filename: entry.CRC for entry in zipfile.ZipFile(archive).infolist()}


@pytest.mark.slow
def test_page_of_the_package_has_whole_addresses(wheel):
    """The package index shows the README: its links and its image lead to the tag of this version, to files there."""
    archive = zipfile.ZipFile(wheel)
    text = archive.read(next(name for name in archive.namelist() if name.endswith("METADATA"))).decode()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 5
    own = re.compile(rf"https://github\.com/imgshrink/imgshrink/(?:blob|raw)/v{re.escape(__version__)}/(\S+)")
    assert [link for link in links if "/imgshrink/imgshrink/" in link and not own.fullmatch(link)] == []
    files = [found[1].partition("#")[0] for link in links if (found := own.fullmatch(link))]
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert [link for link in links if not link.startswith("https://")] == []


@pytest.mark.slow
def test_uvx_runs_the_command(wheel, tmp_path):
    """`uvx` makes an environment of its own and runs the command in it, as Getting started says."""
    environ = {**INSTALLING, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_TOOL_DIR": str(tmp_path / "tools")}
    (tmp_path / "a.png").write_bytes(PNG.read_bytes())
    for words in (("--version",), ("optimize", "a.png"), ("check", "a.png")):
        done = run(
            *(linter("uv"), "tool", "run", "--python", sys.executable, "--from", wheel, "imgshrink", *words),
            cwd=tmp_path,
            environ=environ,
        )
        assert done.returncode == 0, done.stdout
