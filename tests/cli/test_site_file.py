"""The settings of a site's own file hold for the command too: found in the working folder, or named by `-f`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from imgshrink.cli.options import settings_of
from imgshrink.cli.site_file import find_site
from imgshrink.core.errors import SettingsError
from imgshrink.image.seal import read_seal, seal
from lying_server import LyingServer
from places import IMAGES
from selection import rest_slow

PLUGIN = "plugins:\n  - imgshrink:\n"
NAMES = ("mkdocs.yml", "mkdocs.yaml", "properdocs.yml", "properdocs.yaml")


def run(*words: str, cwd: Path, environ: Mapping[str, str] | None = None, code: int = 0) -> str:
    """Run the command, which must end with `code`, and return all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "imgshrink", *words],
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a site with two images, one of them secret."""
    folder = tmp_path / "site"
    (folder / "docs" / "img").mkdir(parents=True)
    shutil.copy(IMAGES / "still.png", folder / "docs" / "img" / "secret.png")
    shutil.copy(IMAGES / "palette.png", folder / "docs" / "new.png")
    (folder / "docs" / "index.md").write_text("# A site\n")
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, *options: str, name: str = "mkdocs.yml", head: str = "") -> Path:
    """Write the site's file with options of the plugin."""
    file = folder / name
    file.write_text("site_name: x\n" + head + PLUGIN + "".join(f"      {line}\n" for line in options))
    return file


@pytest.mark.parametrize("name", NAMES)
def test_found_in_the_working_folder(site: Path, name: str) -> None:
    """Every name that MkDocs and ProperDocs look for counts; the line and the folder of each setting are its own."""
    write(site, "quality: 61", "exclude: [docs/img/]", name=name)
    settings = settings_of({})
    assert (settings.quality, settings.exclude) == (61, ("docs/img/",))
    assert settings.sources["quality"] == f"quality in {site / name}"
    assert settings_of({"quality": "62"}).quality == 62


def test_name_of_properdocs_comes_first(site: Path) -> None:
    """Of two files the one counts that ProperDocs takes."""
    write(site, "quality: 61")
    write(site, "quality: 62", name="properdocs.yml")
    assert settings_of({}).quality == 62


def test_order_of_sources(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site's file overrides the project file, and is overridden by the environment and the command line."""
    (site / "imgshrink.toml").write_text('quality = 50\nmin_size = 2000\nengine = "builtin"\n')
    write(site, "quality: 61", "engine: hosted")
    settings = settings_of({})
    assert (settings.quality, settings.min_size, settings.engine, settings.privacy) == (61, 2000, "builtin", True)
    monkeypatch.setenv("IMGSHRINK_QUALITY", "62")
    assert settings_of({}).quality == 62
    assert settings_of({"quality": "63"}).quality == 63


@pytest.mark.slow
def test_paths_of_the_command_line_count_from_where_a_person_stands(site: Path, tmp_path: Path) -> None:
    """With `-f` patterns and paths of arguments stay relative to the working folder, those of the file to its own."""
    write(site, "exclude: [docs/new.png]", "cache_dir: .cache")
    said = run("check", "-f", "site/mkdocs.yml", "--exclude", "site/docs/", "site", cwd=tmp_path)
    assert "2 excluded" in said
    run("warm", "-f", "site/mkdocs.yml", "--report", "report.json", cwd=tmp_path)
    assert (tmp_path / "report.json").is_file()
    assert (site / ".cache").is_dir()


FILES: Mapping[str, tuple[str, object]] = {
    "tag of the environment": ("{plugins: [{imgshrink: {quality: !ENV Q}}]}", 64),
    "tag with a default": ("{plugins: [{imgshrink: {quality: !ENV [NOT_SET, 65]}}]}", 65),
    "first of two variables": ("{plugins: [{imgshrink: {quality: !ENV [NOT_SET, Q, 1]}}]}", 64),
    "function of a package": (
        "markdown_extensions: [{x: {f: !!python/name:no_such.package.f '', g: !!python/object/apply:os.abort []}}]\n"
        "plugins: [{imgshrink: {quality: 66}}]",
        66,
    ),
    "relative path": ("x: !relative $docs_dir\nplugins: [{imgshrink: {quality: 67}}]", 67),
    "table of plugins": ("plugins: {search: {}, imgshrink: {quality: 68}}", 68),
    "name alone": ("plugins: [search, imgshrink]", 80),
    "name with nothing behind it": ("plugins: [{imgshrink: }]", 80),
    "single plugin": ("plugins: imgshrink", 80),
    "parent": ("INHERIT: base.yml\nplugins: {imgshrink: {min_size: 5}}", 55),
    "parent alone": ("INHERIT: base.yml", 55),
}


@pytest.mark.parametrize("name", FILES)
def test_reads_what_mkdocs_reads(site: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags, parents and every way to write plugins are read as MkDocs reads them; nothing of the file is run."""
    monkeypatch.setenv("Q", "64")
    (site / "base.yml").write_text("plugins: {imgshrink: {quality: 55, min_saving: 3}}\n")
    (site / "mkdocs.yml").write_text(FILES[name][0] + "\n")
    assert settings_of({}).quality == FILES[name][1]
    if name == "parent":
        assert (settings_of({}).min_size, settings_of({}).min_saving) == (5, 3)


@pytest.mark.parametrize(
    "text", ["plugins: [search]", "# imgshrink", "- imgshrink", "imgshrink", "plugins: 3 # imgshrink", "a: [ not YAML"]
)
def test_file_without_the_plugin(site: Path, text: str) -> None:
    """A file in which the plugin is not is passed over, whatever else is in it."""
    (site / "mkdocs.yml").write_text(text)
    assert find_site(site) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plugins: [imgshrink", "mkdocs.yml is not valid YAML, line 1"),
        ("a: 1\nb: !ENV {imgshrink: 1}\n", "mkdocs.yml is not valid YAML, line 2"),
        ("INHERIT: mkdocs.yml", "inherits from itself"),
        ("INHERIT: gone.yml", "gone.yml can't be read"),
        ("plugins: [{imgshrink: {qualty: 3}}]", "did you mean quality?"),
        ("plugins: [{imgshrink: {cache_dir: ../x}}]", "inside"),
        ("plugins: [{imgshrink: {api_key: x}}]", "could send your key elsewhere"),
    ],
)
def test_file_that_no_build_takes_either(site: Path, text: str, words: str) -> None:
    """A wrong file or option is wrong use, and named."""
    (site / "mkdocs.yml").write_text(text)
    with pytest.raises(SettingsError) as error:
        settings_of({})
    assert words in str(error.value)


@pytest.mark.parametrize("command", rest_slow(["check", "optimize", "warm"], lambda command: command == "optimize"))
def test_docs_of_the_build(site: Path, tmp_path: Path, command: str) -> None:
    """With `-f` alone the images of the build are taken, without the ones that it does not publish."""
    shutil.copy(IMAGES / "still.png", site / "docs" / "draft.png")
    write(site, "exclude: [img/secret.png]", head="exclude_docs: draft.png\n")
    said = run(command, "-f", "site/mkdocs.yml", cwd=tmp_path, code=1 if command == "check" else 0)
    assert "1 excluded" in said or command == "check"
    assert "draft.png" not in said
    if command == "check":
        assert "imgshrink: 1 image" in said.replace("1 of 1 image", "1 image")
    assert (read_seal((site / "docs" / "new.png").read_bytes()) == 80) is (command == "optimize")
    assert read_seal((site / "docs" / "draft.png").read_bytes()) is None


@pytest.mark.parametrize(
    ("pattern", "words"),
    rest_slow(
        product(["img/secret.png", "docs/img/secret.png", "secret.png", "img/"], [[], ["-f", "mkdocs.yml"]]),
        lambda row: row == ("img/", []),
    ),
)
def test_pattern_relative_to_the_docs_reaches(site: Path, server: LyingServer, pattern: str, words: list[str]) -> None:
    """A pattern of the site's file that is written as the build takes it keeps the command from uploading, too."""
    write(site, f'exclude: ["{pattern}"]')
    environ = {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": server.url}
    secret = (site / "docs" / "img" / "secret.png").read_bytes()
    said = run("optimize", *words, "docs", cwd=site, environ=environ)
    assert "1 excluded" in said
    assert server.posts == 1
    assert (site / "docs" / "img" / "secret.png").read_bytes() == secret


@pytest.mark.parametrize(
    "words",
    rest_slow(
        [["engine: builtin"], ['overrides: [{paths: ["img/secret.png", new.png], engine: builtin}]']],
        lambda words: words == ["engine: builtin"],
    ),
)
def test_engine_of_the_site(site: Path, server: LyingServer, words: list[str]) -> None:
    """An engine of the site's file, for all images or for some, holds for the command."""
    write(site, *words)
    environ = {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": server.url}
    run("optimize", "docs", cwd=site, environ=environ)
    assert server.posts == 0


@pytest.mark.slow
def test_explain_and_doctor(site: Path, tmp_path: Path) -> None:
    """Both know the site's file, and take another one by `-f`."""
    write(site, "quality: 61", "exclude: [img/secret.png]")
    for folder, words in ((site, []), (tmp_path, ["-f", "site/mkdocs.yml"])):
        image = os.path.relpath(site / "docs" / "img" / "secret.png", folder)
        said = run("explain", *words, image, cwd=folder)
        assert "  quality  61 (quality in " in said
        assert "  excluded exclude in " in said
        said = run("doctor", *words, cwd=folder)
        assert "quality          61 (quality in " in said
        assert "2 images below " in said


def test_cache_of_the_site(site: Path) -> None:
    """The commands for the cache show the one that the builds of the site use."""
    write(site, "cache_dir: .cache")
    assert f"folder    {site / '.cache'}" in run("cache", "info", cwd=site)


def test_hook_does_not_look_for_it(site: Path) -> None:
    """Under pre-commit the check goes by what the hook goes by: the project file alone."""
    write(site, "exclude: [secret.png, new.png]", "quality: [wrong]")
    run("check", "docs", cwd=site, environ={"PRE_COMMIT": "1"}, code=1)


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--strict"], 0), (["-f", "mkdocs.yml"], 2)])
def test_without_mkdocs(site: Path, words: list[str], code: int) -> None:
    """Where MkDocs is missing, a file that was only found is one line and no failure; `-f` is wrong use."""
    write(site, "quality: 61")
    for name in ("new.png", "img/secret.png"):
        (site / "docs" / name).write_bytes(seal((site / "docs" / name).read_bytes(), 80))
    (site / "missing" / "yaml_env_tag").mkdir(parents=True)
    (site / "missing" / "mkdocs").mkdir()
    for name in ("yaml_env_tag", "mkdocs"):
        (site / "missing" / name / "__init__.py").write_text("raise ImportError")
    said = run("check", *words, "docs", cwd=site, environ={"PYTHONPATH": str(site / "missing")}, code=code)
    assert said.count('pip install "imgshrink[mkdocs]"') == 1
    assert code or "the settings in mkdocs.yml are not read, because MkDocs is not installed beside imgshrink" in said


def test_file_that_is_not_there(site: Path) -> None:
    """`-f` of a file that is not there is wrong use."""
    assert "gone.yml: no such file" in run("check", "-f", "gone.yml", cwd=site, code=2)
