"""Where imgshrink can be installed: each dependency has a wheel on every Python and platform that we name."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from places import ROOT
from real_tools import run
from shell import INSTALLING, linter

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
PLATFORMS = (
    *("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"),
    *("aarch64-apple-darwin", "x86_64-apple-darwin", "x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc"),
)
SOURCE_ONLY = {"pyvips": "cffi"}
"""What has no wheel because it has nothing to compile, and what it needs."""

OFFLINE = re.compile(r"error sending request|dns error|[Ff]ailed to fetch|timed out|[Cc]onnection", re.MULTILINE)


def test_classifiers_name_the_versions() -> None:
    """The package says that it supports the versions for which this module looks."""
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert tuple(named) == VERSIONS
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


def solved(folder: Path, version: str, platform: str, *, extra: str) -> dict[str, str]:
    """The versions that would be installed, from wheels alone; the test is skipped without a network."""
    names = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"].get(extra, [])]
    wanted = [SOURCE_ONLY.get(re.split(r"[<>=;\[ ]", name)[0], name) for name in names]
    (folder / "wanted.txt").write_text("\n".join(wanted))
    done = run(
        *(linter("uv"), "pip", "compile", "--quiet", "--no-python-downloads", "--python-version", version),
        *("--python-platform", platform, "--only-binary", ":all:", "--no-header", "--no-annotate", "wanted.txt"),
        cwd=folder,
        environ=INSTALLING,
    )
    if done.returncode and OFFLINE.search(done.stdout) and "No solution" not in done.stdout:
        pytest.skip("the package index can't be reached")
    assert done.returncode == 0, f"{version} {platform}\n{done.stdout}"
    return dict(line.split("==") for line in done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_dependencies_have_wheels_everywhere(version, tmp_path):
    """Nobody needs a compiler, with any extra."""
    for platform in PLATFORMS:
        found = solved(tmp_path, version, platform, extra="server")
        assert {"pyvips-binary", "pyoxipng-ng", "cffi", "starlette"} <= set(found)
        lossless = version < "3.15" and platform != "aarch64-pc-windows-msvc"
        assert ("mozjpeg-lossless-optimization" in found) is lossless, (version, platform)
    solved(tmp_path, version, PLATFORMS[0], extra="mkdocs")


@pytest.mark.slow
def test_what_comes_as_source_alone_needs_no_compiler(tmp_path):
    """With the options of the page for mirrors, and without a compiler, pip makes a wheel of plain Python."""
    page = (ROOT / "example_site" / "docs" / "install.md").read_text(encoding="utf-8")
    (options,) = re.findall(r"^    pip install (.+) imgshrink$", page, re.MULTILINE)
    wanted = next(name for name in PROJECT["dependencies"] if name.startswith("pyvips>"))
    done = run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", *options.split(), "-w", tmp_path, wanted),
        cwd=tmp_path,
        environ={**INSTALLING, "CC": "/nonexistent", "CXX": "/nonexistent"},
    )
    if done.returncode and OFFLINE.search(done.stdout) and "No matching" not in done.stdout:
        pytest.skip("the package index can't be reached")
    assert done.returncode == 0, done.stdout
    assert [path.name.endswith("-none-any.whl") for path in tmp_path.glob("*.whl")] == [True]
