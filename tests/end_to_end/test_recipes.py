"""The pages to copy from: their files are read and checked, their commands are run as they stand."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from material.plugins.optimize.config import OptimizeConfig

from imgshrink.image.seal import read_seal
from imgshrink.report.messages import empty_cache
from imgshrink.settings.load import load
from imgshrink.settings.schema import fields_of
from places import ROOT
from real_tools import JPEG, OTHER_PNG, PNG, SMALL, build, git, lines, make_site
from recipes import BLOCK, PAGES, blocks, commands, files, follow, read, shell


def local(config: str) -> str:
    """A pre-commit configuration with our hooks as they are here, in place of those of a release."""
    document = yaml.safe_load(config)
    manifest = {row["id"]: row for row in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    for repo in document["repos"]:
        assert repo.pop("rev")
        repo["repo"] = "local"
        repo["hooks"] = [manifest[hook["id"]] | {"language": "system"} | hook for hook in repo["hooks"]]
        for hook in repo["hooks"]:
            hook.pop("minimum_pre_commit_version")
    return yaml.safe_dump(document)


@pytest.fixture
def repository(repository: Path, warmed: None) -> Path:
    """A repository with three images in it that are not shrunk."""
    folder = repository
    (folder / "docs").mkdir()
    for name, picture in (("setup.png", OTHER_PNG), ("photo.jpg", JPEG), ("tiny.png", SMALL)):
        shutil.copyfile(picture, folder / "docs" / name)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "All")
    return folder


def sealed(repository: Path) -> list[str]:
    """The names of the images that are finished."""
    found = sorted((repository / "docs").iterdir())
    return [path.name for path in found if path.suffix in (".png", ".jpg") and read_seal(path.read_bytes())]


READERS = {"yaml": read, "toml": tomllib.loads}


@pytest.mark.parametrize(
    ("page", "language", "text"),
    [(page, language, text) for page in PAGES for language, text in BLOCK.findall(PAGES[page]) if language in READERS],
)
def test_files_are_read(page: str, language: str, text: str) -> None:
    """Every YAML and TOML block of a page is one."""
    assert READERS[language](text)


@pytest.mark.parametrize("page", [page for page in PAGES if "# .pre-commit-config.yaml" in PAGES[page]])
def test_hooks_of_the_pages_are_ours(page: str, tmp_path: Path) -> None:
    """pre-commit accepts every configuration, and its hooks are in our manifest, at the tag of this version."""
    from imgshrink import __version__

    for number, text in enumerate(text for _, text in blocks(page) if text.startswith("# .pre-commit-config.yaml")):
        config = tmp_path / f"{number}.yaml"
        config.write_text(text)
        assert shell(tmp_path, f"pre-commit validate-config {config}").returncode == 0
        assert {repo["rev"] for repo in yaml.safe_load(text)["repos"]} == {f"v{__version__}"}
        assert local(text)


@pytest.mark.slow
def test_new_images_only(repository: Path) -> None:
    """The check of a branch fails for its new image and passes once that is shrunk; the old ones stay as they are."""
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    config = local(files("adopting", "New images only")[".pre-commit-config.yaml"])
    (repository / ".pre-commit-config.yaml").write_text(config)
    install, check = commands("adopting", "New images only")
    assert shell(repository, install).returncode == 0
    shutil.copyfile(PNG, repository / "docs/new.png")
    git(repository, "add", ".")
    assert shell(repository, "git commit -m New", SKIP="imgshrink").returncode == 0
    done = shell(repository, check)
    assert done.returncode == 1
    assert "imgshrink: 1 image" not in done.stdout
    assert re.findall(r"docs/\w+\.\w+", done.stdout)[0] == "docs/new.png"
    assert "setup.png" not in done.stdout
    assert shell(repository, "pre-commit run imgshrink --files docs/new.png").returncode == 1
    git(repository, "add", "-u")
    assert shell(repository, "git commit -m Smaller").returncode == 0
    assert shell(repository, check).returncode == 0
    assert sealed(repository) == ["new.png"]


@pytest.mark.slow
def test_all_at_once(repository: Path) -> None:
    """The commit holds the images and nothing else, the check passes, and one revert brings every original back."""
    said = follow(repository, "adopting", "All at once")
    assert "imgshrink: 2 images are shrunk (1 under 1 KiB)" in said
    assert git(repository, "show", "--name-only", "--format=").split() == ["docs/photo.jpg", "docs/setup.png"]
    assert (repository / "report.html").is_file()
    git(repository, "revert", "--no-edit", "HEAD")
    assert sealed(repository) == []
    assert (repository / "docs/setup.png").read_bytes() == OTHER_PNG.read_bytes()


@pytest.mark.slow
def test_baseline(repository: Path) -> None:
    """Listed images pass the check and are left alone by the hook; a new one fails, with and without pre-commit."""
    assert "2 images listed in .imgshrink-baseline" in follow(repository, "adopting", "A baseline")
    config = local(files("adopting", "A baseline")[".pre-commit-config.yaml"])
    (repository / ".pre-commit-config.yaml").write_text(config)
    git(repository, "add", ".")
    check = "pre-commit run imgshrink-check --all-files --hook-stage manual"
    for command in ("pre-commit run imgshrink --all-files", check):
        done = shell(repository, command)
        assert done.returncode == 0, done.stdout
    assert sealed(repository) == []
    shutil.copyfile(PNG, repository / "docs/new.png")
    git(repository, "add", ".")
    for command in (commands("adopting", "A baseline")[-1], check):
        done = shell(repository, command)
        assert done.returncode == 1
        assert "imgshrink: 1 of 4 images is not shrunk" in done.stdout


@pytest.mark.slow
def test_undo_before_the_commit(repository: Path) -> None:
    """Both ways of git bring back what was not committed yet, the second one also after `git add`."""
    first, second = blocks("undo", "Before the commit")
    for (_, line), add in ((first, False), (second, True)):
        assert shell(repository, "imgshrink optimize docs").returncode == 0
        if add:
            git(repository, "add", "docs/setup.png")
        assert shell(repository, line).returncode == 0
        assert (repository / "docs/setup.png").read_bytes() == OTHER_PNG.read_bytes()


@pytest.mark.slow
def test_undo_after_the_command_and_the_commit(repository: Path) -> None:
    """`restore` brings an original back without git; git brings it back after a commit; `--keep` keeps it that way."""
    picture = repository / "docs/setup.png"
    assert shell(repository, "imgshrink optimize docs && git mv docs docs2 && git mv docs2 docs").returncode == 0
    follow(repository, "undo", "After the command")
    assert picture.read_bytes() == OTHER_PNG.read_bytes()
    assert shell(repository, "imgshrink optimize docs && git commit -am Smaller").returncode == 0
    assert sealed(repository) == ["photo.jpg", "setup.png"]
    follow(repository, "undo", "After a commit that shrank the file")
    assert picture.read_bytes() == OTHER_PNG.read_bytes()
    assert shell(repository, "git checkout -f HEAD").returncode == 0
    follow(repository, "undo", "For ever")
    assert picture.read_bytes() == OTHER_PNG.read_bytes()
    shown = tomllib.loads(files("undo", "For ever")["imgshrink.toml"])
    assert [line.lstrip("/") for line in load(repository, frontend="command", environ={}).exclude] == shown["exclude"]
    assert shell(repository, "imgshrink optimize docs").returncode == 0
    assert picture.read_bytes() == OTHER_PNG.read_bytes()


@pytest.mark.slow
def test_no_trace_is_left(repository: Path) -> None:
    """After the cache is cleared, nothing is known."""
    assert shell(repository, "imgshrink warm docs").returncode == 0
    assert "0 new" in shell(repository, "imgshrink optimize --dry-run docs").stdout
    follow(repository, "undo", "Remove every trace")
    assert "2 new" in shell(repository, "imgshrink optimize --dry-run docs").stdout


@pytest.mark.slow
def test_warm_job(tmp_path: Path) -> None:
    """After the commands of the warm job, the next build finds every image of the docs known."""
    site = make_site(tmp_path, {"a.png": OTHER_PNG, "b.jpg": JPEG}, config="theme: {name: null, custom_dir: theme}")
    (site / "theme").mkdir()
    (site / "theme/main.html").write_text("{{ page.content }}")
    follow(site, "ci", "A warm job, by hand")
    steps = read(files("ci")[".github/workflows/warm.yml"])["jobs"]["warm"]["steps"]
    job = next(step["run"] for step in steps if "imgshrink warm" in step.get("run", ""))
    assert shell(site, job).returncode == 0
    assert "Both images are in the cache" in lines(build(site))[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("warmed")
def test_moving_from_material(tmp_path: Path) -> None:
    """Both blocks are what their plugins accept; the second builds, and leaves out what the first one left out."""
    before, after = (read(text)["plugins"][1] for _, text in blocks("material-optimize")[:2])
    assert set(before["optimize"]) < set(dict(OptimizeConfig._schema))
    block = blocks("material-optimize")[1][1]
    config = "theme: {name: null, custom_dir: theme}\n" + block
    site = make_site(tmp_path, {"a.png": OTHER_PNG, "press-kit/b.png": OTHER_PNG}, config=config)
    (site / "theme").mkdir()
    (site / "theme/main.html").write_text("{{ page.content }}")
    for environ, smaller in (({}, []), ({"CI": "true"}, ["a.png"])):
        assert build(site, "--strict", environ=environ).returncode == 0
        sizes = {name: (site / "site" / name).stat().st_size for name in ("a.png", "press-kit/b.png")}
        assert [name for name, size in sizes.items() if size < OTHER_PNG.stat().st_size] == smaller
    assert set(after["imgshrink"]) <= {row.name for row in fields_of("mkdocs")}


def test_every_option_of_material_has_its_row() -> None:
    """The table has each option of Material's plugin once, in its order, and names settings that there are."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGES["material-optimize"], re.MULTILINE)[1:]
    assert [name for name, _ in rows] == [name for name, _ in OptimizeConfig._schema]
    ours = {name for _, cell in rows for name in re.findall(r"`(\w+)", cell)}
    assert ours <= {row.name for row in fields_of("mkdocs")}


def test_modules_of_the_tests_are_there() -> None:
    """Every module that the page about tests names is one."""
    named = set(re.findall(r"`([\w/]*test_\w+\.py)`", PAGES["tested"]))
    assert named
    assert {name for name in named if not (ROOT / "tests" / name).is_file()} == set()


def test_address_that_a_build_names() -> None:
    """The address of the hint to keep the cache is that of a page that is there."""
    address = empty_cache(60).rpartition(": ")[2]
    assert address.startswith("https://github.com/imgshrink/imgshrink/blob/main/")
    assert (ROOT / address.partition("/blob/main/")[2]).read_text(encoding="utf-8").startswith("# CI recipes")
