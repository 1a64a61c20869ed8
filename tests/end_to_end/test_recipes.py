"""The pages to copy from: their files are read and checked, their commands are run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from material.plugins.optimize.config import OptimizeConfig

from imgshrink.image.seal import read_seal
from imgshrink.report.messages import empty_cache
from imgshrink.settings.load import load
from imgshrink.settings.schema import fields_of
from places import ROOT
from real_tools import BIN, CLOSED, JPEG, OTHER_PNG, PNG, SMALL, build, git, lines, make_site

DOCS = ROOT / "example_site" / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "A"), ("EMAIL", "a@b.c"))
}


class Loader(yaml.SafeLoader):
    """YAML as MkDocs reads it: with tags of its own, such as !ENV."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def read(text: str) -> Any:
    """The value of a YAML text."""
    return yaml.load(text, Loader)


def blocks(page: str, heading: str = "") -> list[tuple[str, str]]:
    """The code blocks of a page, or of the part of it under a heading: language and text."""
    text = PAGES[page]
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = BLOCK.findall(text)
    assert found, f"{page}: {heading}"
    return found


def files(page: str, heading: str = "") -> dict[str, str]:
    """The files of a page, by the names in their first lines; of several with one name the last."""
    named = ((re.match(r"(?:#|//) (\S+)", text), text) for _, text in blocks(page, heading))
    return {name[1].rstrip(","): text for name, text in named if name}


def commands(page: str, heading: str) -> list[str]:
    """The command lines under a heading, in their order."""
    shells = [text for language, text in blocks(page, heading) if language == "sh"]
    assert shells
    return [line for text in shells for line in text.splitlines()]


def shell(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a person would type it, with this environment's programs and no network."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **WHO, **CLOSED, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def follow(folder: Path, page: str, heading: str, **environ: str) -> str:
    """Run the commands under a heading, each of which must succeed, and return all that they print."""
    said = ""
    for line in commands(page, heading):
        done = shell(folder, line, **environ)
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        said += done.stdout
    return said


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


def workflows() -> Mapping[str, Any]:
    found = {name: read(text) for name, text in files("ci").items() if name.startswith(".github/workflows/")}
    assert len(found) == 3
    return found


@pytest.mark.parametrize("name", workflows())
def test_workflow_keeps_the_key_and_the_cache(name: str) -> None:
    """A workflow may write nothing, never runs with a fork's code and secrets, and gives the key to one step alone."""
    workflow = workflows()[name]
    events, permissions = workflow[True], workflow["permissions"]  # YAML 1.1 reads `on` as true
    assert permissions == {"contents": "read"}
    assert set(events) <= {"push", "pull_request", "workflow_dispatch"}
    jobs = workflow["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    assert "secrets" not in str({key: value for key, value in workflow.items() if key != "jobs"})
    keyed = [step for step in steps if "secrets" in str(step)]
    assert [list(step["env"]) for step in keyed] == [["TINYJPG_API_KEY"]] * len(keyed)
    assert all(step["run"].startswith(("mkdocs build", "imgshrink warm")) for step in keyed)
    assert not any("${{" in step.get("run", "") for step in steps)  # names of branches would be code there
    for cache in (step["with"] for step in steps if "cache@" in step.get("uses", "")):
        assert "hashFiles('.pre-commit-config.yaml')" in cache["key"]
    kept = [step for step in steps if "actions/cache/" in step.get("uses", "")]
    for restore, save in zip(kept[::2], kept[1::2], strict=True):
        names = ["~/.cache/imgshrink", "~/.local/state/imgshrink"]
        assert restore["with"]["path"].split() == save["with"]["path"].split() == names
        assert restore["with"]["key"] == save["with"]["key"]
        assert {"run_id", "run_attempt"} <= set(re.findall(r"github\.(\w+)", save["with"]["key"]))
        assert save["with"]["key"].startswith(restore["with"]["restore-keys"])
        assert (restore["uses"].partition("@")[0], save["uses"].partition("@")[0]) == (
            "actions/cache/restore",
            "actions/cache/save",
        )
        assert save["if"] == "always()"
        assert steps.index(restore) < steps.index(next(step for step in steps if step in keyed)) < steps.index(save)


def test_folder_that_workflows_keep_is_the_cache() -> None:
    """The two folders that recipes keep are where results and the record of payments go on Linux."""
    from imgshrink.settings.folders import cache_folder, state_folder

    assert cache_folder({"HOME": "/root"}) == Path("/root/.cache/imgshrink")
    assert state_folder({"HOME": "/root"}) == Path("/root/.local/state/imgshrink")


def test_gitlab_keeps_what_is_inside_the_project() -> None:
    """GitLab's job keeps the folder that it sets, and publishes what it builds."""
    job = read(files("ci")[".gitlab-ci.yml"])["pages"]
    kept = ["$CI_PROJECT_DIR/" + path for path in job["cache"]["paths"]]
    assert [job["variables"][name] for name in ("IMGSHRINK_CACHE_DIR", "XDG_STATE_HOME")] == kept
    assert job["artifacts"]["paths"] == ["public"]
    assert job["script"][-1].endswith("--site-dir public")


def test_netlify_keeps_the_folder_that_it_sets() -> None:
    """All three of Netlify's files speak of one folder."""
    found = files("ci", "Netlify")
    config = tomllib.loads(found["netlify.toml"])
    folder = config["plugins"][0]["package"].removeprefix("/")
    assert yaml.safe_load(found[f"{folder}/manifest.yml"])["name"] == "imgshrink-cache"
    kept = re.findall(r'\("([^"]+)"\)', found[f"{folder}/index.js"])
    assert kept == [config["build"]["environment"]["IMGSHRINK_CACHE_DIR"]] * 2


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


def test_all_at_once(repository: Path) -> None:
    """The commit holds the images and nothing else, the check passes, and one revert brings every original back."""
    said = follow(repository, "adopting", "All at once")
    assert "imgshrink: 2 images are shrunk (1 under 1 KiB)" in said
    assert git(repository, "show", "--name-only", "--format=").split() == ["docs/photo.jpg", "docs/setup.png"]
    assert (repository / "report.html").is_file()
    git(repository, "revert", "--no-edit", "HEAD")
    assert sealed(repository) == []
    assert (repository / "docs/setup.png").read_bytes() == OTHER_PNG.read_bytes()


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
