"""The command, as a person runs it: real programs on real pictures."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click
import pytest

from command import PROGRAM, called, started
from imgshrink.files.originals import Originals
from imgshrink.image.seal import read_seal, seal
from imgshrink.settings.folders import state_folder
from patience import PATIENCE
from places import IMAGES
from real_tools import JPEG, WORTH_IT
from selection import rest_slow
from server_process import Served
from shell import UNMEASURED


def run(
    *words: str | Path, cwd: Path, environ: Mapping[str, str] | None = None, code: int = 0, program: bool = False
) -> subprocess.CompletedProcess[str]:
    """Call the command, or with `program` start it, which must end with `code`."""
    done = (started if program else called)(*words, cwd=cwd, environ=environ)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def hashes(folder: Path) -> dict[str, str]:
    """The content of every file below `folder`."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def git(folder: Path, *words: str) -> str:
    """Run git in `folder`."""
    names = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    return subprocess.run(["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def elsewhere(folder: Path) -> dict[str, str]:
    """The environment of a machine that remembers nothing."""
    return {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose docs folder holds four pictures: one that gains nothing, one too small, one that is none."""
    docs = tmp_path / "project" / "docs"
    docs.mkdir(parents=True)
    git(tmp_path / "project", "init", "-q")
    for path in WORTH_IT:
        shutil.copy(path, docs)
    (docs / "dot.png").write_bytes((IMAGES / "animated.png").read_bytes()[:800])
    return tmp_path / "project"


@pytest.fixture
def photo(project: Path) -> Path:
    """One photograph in a project."""
    return project / "docs" / "photo.jpg"


@pytest.mark.parametrize("command", ["optimize", "warm", "restore"])
def test_without_a_path_there_is_an_example(tmp_path: Path, command: str) -> None:
    """A command that needs paths ends with 2 and an example when it gets none."""
    assert f"for example: imgshrink {command} docs" in run(command, cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimize", "nowhere"], "imgshrink: nowhere: no such file or folder"),
        (["optimize", "--quality", "high", "."], "imgshrink: --quality is 'high'; it must be a whole number from 1"),
        (["optimize", "--redo", "--dry-run", "."], "--redo can't be combined with --dry-run or --output"),
        (["optimize", "--output", "out/new", "."], "out/new lies inside of ."),
        (["check", "--seal", "outputs", "."], 'and seal is "outputs": set seal to "all"'),
        (["check", "--baseline", "nowhere", "."], "nowhere can't be read as a baseline"),
        (["explain", "nowhere.png"], "imgshrink: nowhere.png: no such file"),
        (["warm", "-f", "nowhere.yml"], "imgshrink: nowhere.yml: no such file"),
        (["cache", "prune", "--size", "tiny"], "'tiny'; it must be a size such as"),
        (["cache", "import", "nowhere.zip"], "nowhere.zip can't be read as an exported cache"),
        (["sharpen"], "No such command 'sharpen'"),
        (["shrink"], "No such command 'shrink'. Did you mean 'optimize'?"),
        (["optimise"], "Did you mean 'optimize'?"),
    ],
)
def test_wrong_use(tmp_path: Path, words: list[str], message: str) -> None:
    """Wrong use ends with 2 and a message that names what is wrong."""
    assert message in run(*words, cwd=tmp_path, code=2).stderr


def test_wrong_settings(project: Path) -> None:
    """A wrong project file ends every command with 2 and a message that names it."""
    (project / "imgshrink.toml").write_text("qualty = 80\n")
    for command in (["optimize", "docs"], ["check", "docs"], ["doctor"], ["cache", "info"]):
        assert "did you mean quality?" in run(*command, cwd=project, code=2).stderr


def test_optimize_in_place(project: Path, photo: Path) -> None:
    """Images get smaller in place and carry the mark; the second run changes nothing and asks nobody."""
    before = photo.stat().st_size
    first = run("optimize", "docs", cwd=project, program=True)
    assert read_seal(photo.read_bytes()) == 80
    assert photo.stat().st_size < before
    assert "  docs/photo.jpg" in first.stdout
    assert "Get the originals back:   imgshrink restore docs" in first.stdout
    assert "left alone: docs/dot.png (file ends early)" in first.stderr
    state = hashes(project / "docs")
    second = run("optimize", "docs", cwd=project, program=True)
    assert hashes(project / "docs") == state
    assert "nothing to do: " in second.stdout


@pytest.mark.usefixtures("warmed")
def test_another_home_and_no_cache(project: Path, tmp_path: Path) -> None:
    """What was rewritten in place is finished on any machine: no engine is asked, no byte changes."""
    run("optimize", "docs", cwd=project)
    state = hashes(project / "docs")
    elsewhere = {name: str(tmp_path / "other") for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")}
    report = tmp_path / "report.json"
    run("optimize", "docs", "--report", report, cwd=project, environ=elsewhere)
    assert hashes(project / "docs") == state
    assert {image["engine"] for image in json.loads(report.read_text())["images"]} == {""}


def test_verbose_says_what_became_of_every_file(project: Path) -> None:
    """With -v every file has its line, and every setting that is not a default its source."""
    (project / "imgshrink.toml").write_text("quality = 70\n")
    done = run("optimize", "-v", "docs/photo.jpg", "docs/palette.png", cwd=project)
    assert sum("   optimized (builtin)" in line for line in done.stdout.splitlines()) == 2
    assert f"imgshrink: quality: 70 (quality in {project / 'imgshrink.toml'})" in done.stderr


def test_dry_run_writes_nothing(project: Path, home: Path) -> None:
    """A dry run counts images by state, and neither the project nor the home changes."""
    state = hashes(project) | hashes(home)
    (project / "docs" / "done.jpg").write_bytes(seal((IMAGES / "photo.jpg").read_bytes(), 80))
    state |= hashes(project)
    done = run("optimize", "--dry-run", "--exclude", "still.png", "docs", cwd=project)
    assert "5 images" in done.stdout
    assert "1 shrunk, 0 in the cache, 3 new" in done.stdout
    assert "1 left alone, 1 excluded" in done.stdout
    assert hashes(project) | hashes(home) == state


@pytest.mark.usefixtures("warmed")
def test_output_leaves_the_files_alone(project: Path, tmp_path: Path) -> None:
    """With --output the folder gets every image, smaller or as it is and unsealed where it gains nothing."""
    state = hashes(project / "docs")
    run("optimize", "docs", "--output", tmp_path / "out", cwd=project)
    assert hashes(project / "docs") == state
    assert hashes(tmp_path / "out").keys() == state.keys()
    assert (tmp_path / "out" / "photo.jpg").stat().st_size < (project / "docs" / "photo.jpg").stat().st_size
    assert hashes(tmp_path / "out")["dot.png"] == state["dot.png"]


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("", ["docs/photo.jpg", "--output", "docs"]),
        ("docs", ["photo.jpg", "--output", "."]),
        ("docs", [".", "../docs", "--output", ".."]),
        ("", ["docs", "--output", "."]),
    ],
)
def test_output_over_the_images_themselves(project: Path, folder: str, words: list[str]) -> None:
    """A folder that holds the images is refused: their results would be written over them."""
    state = hashes(project)
    done = run("optimize", *words, cwd=project / folder, code=2)
    assert "where results could be written over images: choose a folder beside it" in done.stderr
    assert hashes(project) == state


@pytest.mark.usefixtures("warmed")
def test_output_where_no_folder_can_be(project: Path) -> None:
    """An output that is a file, or lies below one, is an error: whoever publishes the folder must hear of it."""
    (project / "file").touch()
    done = run("optimize", "docs", "--output", "file", cwd=project, code=2)
    assert "file is not a folder: name one, or a file with the ending of an image" in done.stderr
    done = run("optimize", "docs/photo.jpg", "--output", "file/out", cwd=project, code=3)
    assert "docs/photo.jpg can't be copied: can't make" in done.stderr


def test_output_of_paths_that_lead_upward(project: Path, tmp_path: Path) -> None:
    """However paths are named, no file but those in the output folder is written."""
    (project / "img").mkdir()
    shutil.copy(IMAGES / "photo.jpg", project / "img" / "b.jpg")
    state = hashes(project)
    run("optimize", "../img", ".", "--output", tmp_path / "there" / ".." / "out", cwd=project / "docs")
    assert hashes(project) == state
    assert {"img/b.jpg", "docs/photo.jpg"} <= hashes(tmp_path / "out").keys()


@pytest.mark.usefixtures("warmed")
def test_original_of_a_named_file_is_kept_though_git_ignores_it(project: Path, photo: Path) -> None:
    """A file that git ignores can be had back where it was named itself."""
    (project / ".gitignore").write_text("docs/\n")
    original = photo.read_bytes()
    done = run("optimize", "docs/photo.jpg", cwd=project)
    assert "Get the originals back:   imgshrink restore docs/photo.jpg" in done.stdout
    assert "restored 1 image" in run("restore", "docs/photo.jpg", cwd=project).stdout
    assert photo.read_bytes() == original


@pytest.mark.usefixtures("warmed")
def test_no_way_back_is_promised_for_a_folder_that_git_ignores(project: Path) -> None:
    """Of a built site nothing is kept, which is said; and restore says that it knows no originals."""
    (project / ".gitignore").write_text("docs/\n")
    done = run("optimize", "docs", cwd=project)
    shrunk = done.stdout.count("\n  docs/") + done.stdout.startswith("  docs/")
    assert shrunk > 1
    assert "Get the originals back" not in done.stdout
    assert f"imgshrink: {shrunk} originals not kept: git ignores those files" in done.stdout
    assert "restored nothing; 4 images are without a known original" in run("restore", "docs", cwd=project).stdout


def test_warm_touches_nothing(project: Path) -> None:
    """Warming fills the cache without touching a file; then everything is known."""
    state = hashes(project)
    run("warm", "docs", cwd=project)
    assert hashes(project) == state
    assert "4 in the cache, 0 new" in run("optimize", "--dry-run", "docs", cwd=project).stdout


def test_warm_for_a_build(project: Path) -> None:
    """With -f the docs folder, the plugin's settings and the excluded documents are those of the build."""
    (project / "docs" / "index.md").write_text("# Hello\n")
    (project / "mkdocs.yml").write_text(
        "site_name: x\nexclude_docs: still.png\n"
        "plugins:\n  - imgshrink:\n      quality: 60\n      exclude: [docs/palette.png, animated.webp]\n"
    )
    done = run("warm", "-v", "-f", "mkdocs.yml", cwd=project)
    assert "imgshrink: quality: 60 (quality in mkdocs.yml)" in done.stderr
    assert "photo.jpg" in done.stdout
    assert "still.png" not in done.stdout
    assert "palette.png" not in done.stdout


def test_warm_for_a_broken_build(project: Path) -> None:
    """A mkdocs.yml that MkDocs does not accept is wrong use."""
    (project / "mkdocs.yml").write_text("site_name: x\nplugins: [no-such-plugin]\n")
    assert "MkDocs does not accept mkdocs.yml" in run("warm", "-f", "mkdocs.yml", cwd=project, code=2).stderr


def test_warm_for_a_build_without_mkdocs(project: Path) -> None:
    """Without MkDocs, -f says what to install."""
    (project / "mkdocs.yml").write_text("site_name: x\n")
    (project / "mkdocs").mkdir()
    (project / "mkdocs" / "__init__.py").write_text("raise ImportError")
    done = run("warm", "-f", "mkdocs.yml", cwd=project, environ={"PYTHONPATH": str(project)}, code=2, program=True)
    assert 'pip install "imgshrink[mkdocs]"' in done.stderr


@pytest.mark.usefixtures("warmed")
def test_strict_fails_for_what_was_left_alone(project: Path) -> None:
    """Under strict an image that had to be left alone ends the run with 3, and all the others are done."""
    assert "left alone: docs/dot.png" in run("optimize", "--strict", "docs", cwd=project, code=3).stderr
    assert read_seal((project / "docs" / "photo.jpg").read_bytes()) == 80
    (project / "docs" / "dot.png").unlink()
    run("optimize", "--strict", "docs", cwd=project)


def test_time_limit(project: Path) -> None:
    """When max_time is over nothing new is begun, a line says what stays, and the run is fine."""
    done = run("optimize", "--max-time", "0.000001", "docs", cwd=project)
    assert "(max_time): 4 images" in done.stderr
    assert "are left for the next run" in done.stderr


def test_hosted_without_a_key(project: Path) -> None:
    """With only the API to ask and no key, the images stay and the cure is named."""
    done = run("optimize", "--engine", "hosted", "docs", cwd=project)
    assert 'no TINYJPG_API_KEY, and engine is "hosted": 4 new images stay as they are' in done.stderr


@pytest.mark.usefixtures("warmed")
def test_empty_key(project: Path) -> None:
    """An empty key, usual on forks, is one note and no failure."""
    (project / "docs" / "dot.png").unlink()
    done = run("optimize", "--strict", "docs", cwd=project, environ={"TINYJPG_API_KEY": " "})
    assert done.stderr.count("TINYJPG_API_KEY is empty (usual on forks)") == 1


@pytest.mark.usefixtures("warmed")
def test_reports(project: Path, tmp_path: Path) -> None:
    """The report is written where asked for, and the table appended to the job's page."""
    page = tmp_path / "page.md"
    page.write_text("before\n")
    environ = {"GITHUB_STEP_SUMMARY": str(page)}
    run("optimize", "docs", "--report", "new/report.json", cwd=project, environ=environ)
    report = json.loads((project / "new" / "report.json").read_text())
    assert report["summary"]["images"] == len(report["images"]) == 5
    assert report["images"][0]["path"] == "docs/animated.webp"
    assert page.read_text().startswith("before\n### imgshrink: ")


@pytest.mark.usefixtures("warmed")
def test_report_that_can_not_be_written(project: Path) -> None:
    """A report that can't be written is a note, and the images are done."""
    (project / "file").write_text("")
    done = run(
        "optimize", "docs", "--report", "file/report.md", cwd=project, environ={"GITHUB_STEP_SUMMARY": str(project)}
    )
    assert "the report can't be written" in done.stderr
    assert "GITHUB_STEP_SUMMARY can't be appended to" in done.stderr


@pytest.mark.usefixtures("warmed")
def test_names_that_hide_something(project: Path) -> None:
    """A name that holds an escape sequence is printed escaped, and its file is treated like any other."""
    (project / "docs" / "photo.jpg").rename(project / "docs" / "a\x1b[31m\n.jpg")
    done = run("optimize", "docs", cwd=project)
    assert "docs/a\\x1b[31m\\n.jpg" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.usefixtures("warmed")
def test_terminal_that_knows_ascii_only(project: Path) -> None:
    """A stream without the letters of a name gets them escaped, and nothing breaks."""
    (project / "docs" / "photo.jpg").rename(project / "docs" / "grüße.jpg")
    done = run(
        "optimize", "docs", cwd=project, environ={"PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"}, program=True
    )
    assert "docs/gr\\xfc\\xdfe.jpg" in done.stdout


@pytest.mark.usefixtures("warmed")
def test_check(project: Path) -> None:
    """The check fails for images without the mark and names the cure; after optimizing it passes."""
    done = run("check", "docs", cwd=project, code=1)
    assert "imgshrink: 4 of 5 images are not shrunk" in done.stdout
    assert "Shrink them:   imgshrink optimize docs/" in done.stdout
    run("optimize", "docs", cwd=project)
    assert run("check", "docs", cwd=project).stdout == "imgshrink: 4 images are shrunk (1 left alone)\n"


def test_check_for_users_of_the_hook(project: Path) -> None:
    """Under pre-commit the cure names no command that users of the hook don't have."""
    (project / "pyproject.toml").write_text("[tool.imgshrink]\nquality = 80\n")
    done = run("check", "docs/photo.jpg", cwd=project, environ={"PRE_COMMIT": "1"}, code=1)
    assert "Shrink them:   pre-commit run imgshrink --files docs/photo.jpg" in done.stdout
    assert "Keep as is:    add them to `exclude` in pyproject.toml" in done.stdout


@pytest.mark.usefixtures("warmed")
def test_check_counts_what_it_passes_over(project: Path) -> None:
    """Excluded, small and broken images don't fail the check; under strict a broken one does."""
    run("optimize", "docs", cwd=project)
    shutil.copy(IMAGES / "still.webp", project / "docs")
    words = ["check", "-v", "--exclude", "*.webp", "--min-size", "5kB", "docs"]
    done = run(*words, cwd=project)
    assert "imgshrink: 3 images are shrunk (1 left alone, 2 excluded)" in done.stdout
    assert "left alone: docs/dot.png (file ends early)" in done.stderr
    run(*words, "--strict", cwd=project, code=3)


@pytest.mark.parametrize(("variable", "runner"), [("PRE_COMMIT", "pre-commit"), ("PREK_HOOK_STAGE", "prek")])
def test_check_names_the_runner(project: Path, variable: str, runner: str) -> None:
    """The cure names the program that runs the hooks."""
    environ = {"PRE_COMMIT": "1", variable: "1"}
    done = run("check", "docs/photo.jpg", cwd=project, environ=environ, code=1)
    assert f"Shrink them:   {runner} run imgshrink --files docs/photo.jpg" in done.stdout


def test_named_symlink_is_noted(project: Path, photo: Path) -> None:
    """A named path that is left alone is said so, by every command that takes paths."""
    (project / "link.jpg").symlink_to(photo)
    for words in (["optimize"], ["optimize", "--dry-run"], ["check"], ["warm"], ["restore"]):
        assert "link.jpg is a symlink: left alone" in run(*words, "link.jpg", cwd=project).stderr


@pytest.mark.usefixtures("warmed")
def test_check_works_with_nothing(project: Path) -> None:
    """The check needs no cache, no home that can be written, and no network."""
    run("optimize", "docs", cwd=project)
    nothing = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), "/nonexistent")
    run("check", "docs", cwd=project, environ=nothing)


def test_baseline(project: Path, photo: Path) -> None:
    """Images listed in a baseline pass until their bytes change."""
    written = run("check", "--write-baseline", "baseline.txt", "docs", cwd=project)
    assert "imgshrink: 4 images listed in baseline.txt" in written.stdout
    done = run("check", "--baseline", "baseline.txt", "docs", cwd=project)
    assert "nothing new: 4 in the baseline, 1 left alone" in done.stdout
    photo.write_bytes((IMAGES / "camera.jpg").read_bytes())
    assert (
        "1 of 5 images is not shrunk" in run("check", "--baseline", "baseline.txt", "docs", cwd=project, code=1).stdout
    )
    both = ("--baseline", "baseline.txt", "--write-baseline", "baseline.txt")
    assert "imgshrink: 4 images listed in baseline.txt" in run("check", *both, "docs", cwd=project).stdout
    run("check", "--baseline", "baseline.txt", "docs", cwd=project)


@pytest.mark.parametrize(("content", "words"), [(b"no hash", "line 1 is no SHA-256"), (b"\xff", "it is not text")])
def test_broken_baseline(project: Path, content: bytes, words: str) -> None:
    """A baseline that is none is an error that names the file."""
    (project / "b.txt").write_bytes(content)
    done = run("check", "--baseline", "b.txt", "docs", cwd=project, code=2)
    assert "b.txt" in done.stderr
    assert words in done.stderr


@pytest.mark.usefixtures("warmed")
def test_restore(project: Path, photo: Path) -> None:
    """What was replaced in place comes back byte for byte."""
    original = photo.read_bytes()
    run("optimize", "docs", cwd=project)
    done = run("restore", "docs/photo.jpg", cwd=project)
    assert photo.read_bytes() == original
    assert "from the kept original" in done.stdout
    assert (
        "restored nothing; docs/photo.jpg is not shrunk, or edited since"
        in run("restore", "docs/photo.jpg", cwd=project).stdout
    )


@pytest.mark.usefixtures("warmed")
def test_restore_and_keep(project: Path, photo: Path) -> None:
    """With --keep the restored image is excluded too, so that the next run and the check leave it alone."""
    original = photo.read_bytes()
    run("optimize", "docs", cwd=project)
    done = run("restore", "--keep", "docs/photo.jpg", cwd=project / "docs" / "..")
    assert f"excluded in {project / 'imgshrink.toml'}" in done.stdout
    run("optimize", "docs", cwd=project)
    assert photo.read_bytes() == original
    assert "1 excluded" in run("check", "docs", cwd=project).stdout


@pytest.mark.usefixtures("warmed")
def test_restore_and_keep_from_another_folder(project: Path, photo: Path) -> None:
    """However the path is written, the pattern is the one that matches."""
    run("optimize", "docs", cwd=project)
    (project / "img").mkdir()
    (project / "imgshrink.toml").write_text("")
    run("restore", "--keep", "../docs/photo.jpg", cwd=project / "img")
    assert '"/docs/photo.jpg"' in (project / "imgshrink.toml").read_text()


@pytest.mark.usefixtures("warmed")
def test_what_can_not_be_excluded_is_not_put_back(project: Path, photo: Path, tmp_path: Path) -> None:
    """With --keep an image outside of the project is an error before anything is changed."""
    run("optimize", "docs", cwd=project)
    state = photo.read_bytes()
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "-q")
    done = run("restore", "--keep", photo, cwd=tmp_path / "other", code=2)
    assert "lies outside of" in done.stderr
    assert photo.read_bytes() == state


@pytest.fixture
def repository(repository: Path, warmed: None) -> Path:
    """A real repository whose history holds a picture as it was before it was shrunk."""
    folder = repository
    shutil.copy(IMAGES / "photo.jpg", folder / "a.jpg")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "original")
    run("optimize", "a.jpg", cwd=folder)
    git(folder, "commit", "-qam", "shrunk")
    return folder


@pytest.mark.usefixtures("warmed")
def test_restore_from_git(repository: Path, tmp_path: Path) -> None:
    """On a machine that kept no original, git's version of the same picture comes back."""
    done = run("restore", "a.jpg", cwd=repository, environ=elsewhere(tmp_path / "new"))
    assert "from git" in done.stdout
    assert (repository / "a.jpg").read_bytes() == (IMAGES / "photo.jpg").read_bytes()


@pytest.mark.usefixtures("warmed")
def test_an_older_picture_in_git_is_not_the_original(repository: Path, tmp_path: Path) -> None:
    """An older picture of the same name in git is never put in the place of another one."""
    shutil.copy(JPEG, repository / "a.jpg")
    run("optimize", "a.jpg", cwd=repository)
    state = (repository / "a.jpg").read_bytes()
    done = run("restore", "a.jpg", cwd=repository, environ=elsewhere(tmp_path / "new"))
    assert "restored nothing" in done.stdout
    assert (repository / "a.jpg").read_bytes() == state


def test_redo_starts_from_the_original(project: Path, photo: Path) -> None:
    """With --redo another quality is made from the original, not from the smaller picture."""
    run("optimize", "docs/photo.jpg", "--quality", "60", cwd=project)
    run("optimize", "docs/photo.jpg", "--quality", "90", cwd=project)
    assert read_seal(photo.read_bytes()) == 60
    done = run("optimize", "docs/photo.jpg", "--quality", "90", "--redo", cwd=project)
    assert "starting again from 1 original" in done.stderr
    assert read_seal(photo.read_bytes()) == 90


def test_original_that_can_not_be_put_back(project: Path, photo: Path) -> None:
    """An original that can't be put back is named, and the command ends with 3; here files may not grow to its size."""
    now = photo.read_bytes()
    Originals(state_folder(os.environ) / "originals").store(bytes(3_000_000), now, photo)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = [*PROGRAM, "restore", "docs/photo.jpg"]
    done = subprocess.run(command, cwd=project, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert (done.returncode, photo.read_bytes()) == (3, now)
    assert "docs/photo.jpg can't be replaced: File too large" in done.stderr


def test_unexpected_error(project: Path) -> None:
    """An error of our own ends with 3 and tells where it happened, so that it is not taken for an unfinished image."""
    (project / "pathspec.py").write_text("raise RuntimeError('out of order')")
    done = run(
        "check", "--exclude", "x", "docs", cwd=project, environ={"PYTHONPATH": str(project)}, code=3, program=True
    )
    assert done.stderr.endswith("RuntimeError: out of order\n")


def test_explain(project: Path) -> None:
    """Explain says what a file is, its state, its mark, what is known, its settings, and how to undo."""
    (project / "imgshrink.toml").write_text('quality = 70\nexclude = ["animated.webp"]\n')
    assert "result   none yet: the next run makes one" in run("explain", "docs/photo.jpg", cwd=project).stdout
    run("warm", "docs/photo.jpg", cwd=project)
    assert " smaller (builtin)" in run("explain", "docs/photo.jpg", cwd=project).stdout
    run("optimize", "docs/photo.jpg", cwd=project)
    done = run("explain", "docs/photo.jpg", cwd=project).stdout
    assert "state    shrunk" in done
    assert "seal     shrunk by imgshrink at quality 70, unchanged since" in done
    assert f"quality  70 (quality in {project / 'imgshrink.toml'})" in done
    assert "undo     imgshrink restore docs/photo.jpg" in done
    assert "excluded" in run("explain", "docs/animated.webp", cwd=project).stdout
    assert "left alone: file ends early" in run("explain", "docs/dot.png", cwd=project).stdout


def test_doctor(project: Path) -> None:
    """The doctor names settings with their sources, the state of the key, and what needs a hand; never the key."""
    (project / "imgshrink.toml").write_text('engine = "builtin"\nstrict = true\n')
    (project / "docs" / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (project / "docs" / ".imgshrink-0123456789abcdef.tmp").write_bytes(b"")
    (project / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: x\n  hooks:\n  - id: oxipng\n    args: [--strip, safe]\n  - id: optimize-png\n  - id: ruff\n"
    )
    (project / "mkdocs.yml").write_text("plugins:\n  - material/optimize\n  - imgshrink\n")
    done = run("doctor", cwd=project, environ={"TINYJPG_API_KEY": "secret-key"}).stdout
    assert "the built-in codecs work" in done
    assert f"strict           true (strict in {project / 'imgshrink.toml'})" in done
    assert "a key is set (TINYJPG_API_KEY), for www.tinyjpg.co" in done
    assert "secret-key" not in done
    assert "! 1 image of Git LFS not fetched: docs/lfs.png: git lfs pull" in done
    assert "! 1 temporary file of an interrupted run" in done
    assert "oxipng --strip removes the seal" in done
    assert "optimize-png works on the same images" in done
    assert "Material's optimize is on as well" in done


def test_doctor_shows_no_password(project: Path) -> None:
    """An address that holds a password is refused without being shown."""
    environ = {"TINYJPG_API_KEY": "secret-key", "TINYJPG_API_URL": "https://user:secret-word@www.tinyjpg.co"}
    done = run("doctor", cwd=project, environ=environ).stdout
    assert "! a key is set (TINYJPG_API_KEY), but TINYJPG_API_URL is no plain web address" in done
    assert "secret" not in done.replace("secret-key", "")


def test_doctor_without_a_key(tmp_path: Path, home: Path) -> None:
    """The doctor tells no key from an empty one, and finds nothing wrong in an empty folder."""
    done = run("doctor", cwd=tmp_path).stdout
    assert "no key: images go to the built-in codecs" in done
    assert str(home / ".config" / "imgshrink" / "config.toml") in done
    assert f"{home / '.state' / 'imgshrink'}: 0 originals" in done
    done = run("doctor", cwd=tmp_path, environ={"TINYJPG_API_KEY": ""}).stdout
    assert "set and empty" in done
    assert "none found" in done


@pytest.mark.usefixtures("warmed")
def test_cache_commands(project: Path, tmp_path: Path) -> None:
    """The cache can be looked at, checked, carried to another machine, pruned and cleared."""
    run("warm", "docs", cwd=project)
    assert "results that are smaller" in run("cache", "info", cwd=project).stdout
    assert "0 damaged and removed" in run("cache", "verify", cwd=project).stdout
    assert "entries written to" in run("cache", "export", tmp_path / "cache.zip", cwd=project).stdout
    assert "removed" in run("cache", "clear", "--yes", cwd=project).stdout
    assert "entries   0" in run("cache", "info", cwd=project).stdout
    assert "entries added" in run("cache", "import", tmp_path / "cache.zip", cwd=project).stdout
    assert "0 new" in run("optimize", "--dry-run", "docs", cwd=project).stdout
    assert "0 left" in run("cache", "prune", "--size", "0", cwd=project).stdout


def test_pruning_is_said(project: Path) -> None:
    """A run whose results do not fit into the cache says that it removed some."""
    done = run("warm", "docs/photo.jpg", "--cache-size", "1kB", cwd=project)
    assert "was over its size: " in done.stderr


@pytest.mark.usefixtures("warmed")
def test_cache_is_not_cleared_without_a_yes(project: Path) -> None:
    """Clearing the cache asks, and without an answer, or with a no, leaves it."""
    run("warm", "docs", cwd=project)
    run("cache", "clear", cwd=project, code=130)
    refused = subprocess.run([*PROGRAM, "cache", "clear"], cwd=project, input="n\n", capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (0, "imgshrink: nothing removed\n")
    assert "0 new" in run("optimize", "--dry-run", "docs", cwd=project).stdout


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends the run with 130; every file is whole and no process stays."""
    docs = tmp_path / "docs"
    docs.mkdir()
    source = (IMAGES / "still.png").read_bytes()
    for number in range(300):
        (docs / f"{number:03}.png").write_bytes(source + number.to_bytes(2, "big"))  # each another content
    state = hashes(docs)
    process = subprocess.Popen(
        [*PROGRAM, "optimize", "docs", "--seal", "none"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "300 new images" in process.stderr.readline()
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert "interrupted; no file is damaged. " in process.stderr.read()
    assert hashes(docs).keys() == state.keys()


def test_reader_that_goes_away(project: Path) -> None:
    """A closed pipe ends the command quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "doctor"], cwd=project, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    "closed", rest_slow([">&-", "2>&-", ">/dev/full", "2>/dev/full"], lambda closed: closed == ">/dev/full")
)
def test_streams_that_take_nothing(project: Path, closed: str) -> None:
    """Where a stream is closed or full the work is done all the same, and nothing complains."""
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    command = shlex.join([*PROGRAM, "optimize", "docs/photo.jpg"])
    shell = ["sh", "-c", f"{command} {closed}"]
    done = subprocess.run(shell, cwd=project, capture_output=True, text=True, check=False, env=os.environ | UNMEASURED)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert read_seal((project / "docs" / "photo.jpg").read_bytes()) == 80


def test_escape_sequences_of_a_project_file(project: Path) -> None:
    """What a repository's file says is shown, and never obeyed by a terminal."""
    (project / "imgshrink.toml").write_text('"\\u001b]0;owned\\u0007" = 1\n')
    said = run("check", "docs", cwd=project, code=2).stderr
    assert r"\x1b]0;owned\x07" in said
    assert "\x1b" not in said


def test_explain_takes_one_image(project: Path) -> None:
    """A folder is no image, and the error says so."""
    assert "docs: a folder: name one image" in run("explain", "docs", cwd=project, code=2).stderr


@pytest.mark.slow
def test_bar_fits_the_terminal(project: Path) -> None:
    """However narrow the terminal is, the bar's line is narrower: one that wraps would not be cleared."""
    main, other = pty.openpty()
    environ = os.environ | {"COLUMNS": "40"}
    subprocess.run(
        [*PROGRAM, "optimize", "docs"], cwd=project, stdout=subprocess.PIPE, stderr=other, env=environ, check=True
    )
    os.close(other)
    shown = b""
    with suppress(OSError):  # how a terminal says that its other end is closed
        while piece := os.read(main, 65536):
            shown += piece
    os.close(main)
    drawn = [part.partition(b"\r")[0] for part in shown.split(b"\x1b[K")[1:]]
    lengths = [len(line) for line in drawn if b" of 4 images, " in line]
    assert lengths
    assert max(lengths) < 40


def test_bar_on_a_terminal(project: Path) -> None:
    """On a terminal a bar shows how far the run is, and is gone at the end."""
    main, other = pty.openpty()
    command = [*PROGRAM, "optimize", "docs/photo.jpg", "docs/palette.png"]
    subprocess.run(command, cwd=project, stdout=subprocess.PIPE, stderr=other, check=True)
    os.close(other)
    shown = b""
    try:
        while piece := os.read(main, 65536):
            shown += piece
    except OSError:  # how a terminal says that its other end is closed
        pass
    os.close(main)
    assert b"] " in shown
    assert b"of 2 images" in shown


def test_commands_are_the_documented_ones() -> None:
    """The commands are those that the documentation names, and each can be loaded."""
    from imgshrink.cli import group
    from imgshrink.cli.cache import cache

    context = click.Context(group)
    names = [
        "optimize",
        "warm",
        "check",
        "restore",
        "compare",
        "explain",
        "pages",
        "usage",
        "cache",
        "doctor",
        "server",
    ]
    assert group.list_commands(context) == names
    assert [command.name for name in names if (command := group.get_command(context, name))] == names
    assert set(cache.commands) == {"info", "verify", "prune", "clear", "export", "import", "keygen", "push"}


def test_options_are_the_settings() -> None:
    """Every setting of the command line is an option of optimize or pages, and there is none for the key."""
    from imgshrink.cli.optimize import optimize
    from imgshrink.cli.pages import pages
    from imgshrink.settings.schema import fields_of

    names = {parameter.name for command in (optimize, pages) for parameter in command.params}
    assert {row.name for row in fields_of("argument")} <= names
    assert {name for name in names if name and ("key" in name or "secret" in name)} == {"shared_key"}  # a public one


def test_check_loads_nothing_heavy(project: Path) -> None:
    """The check loads neither a codec nor a client nor a cache."""
    code = (
        "import sys\nbefore = set(sys.modules)\nimport imgshrink.cli\n"
        "try: imgshrink.cli.main(['check', 'docs'])\n"
        "except SystemExit: pass\n"
        "heavy = {'httpx', 'pyvips', 'diskcache', 'mkdocs', 'starlette', 'importlib.metadata'}\n"
        "print(heavy & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_usage(project: Path, tmp_path: Path) -> None:
    """What the key has used and has left is asked of the API and shown as a table or as its own JSON."""
    with Served(tmp_path / "server") as served:
        environ = {"TINYJPG_API_KEY": served.key, "TINYJPG_API_URL": served.url}
        table = run("usage", cwd=project, environ=environ).stdout
        replies = json.loads(run("usage", "--json", cwd=project, environ=environ).stdout)
        assert run("usage", cwd=project, environ=environ | {"TINYJPG_API_KEY": "wrong"}, code=3).stdout == ""
    assert "quota left                       10000" in table
    assert replies["stats"]["success"] is True
    assert served.key not in table


def test_usage_without_a_key(project: Path) -> None:
    """Without a key there is nothing to ask, and the cure is named."""
    assert "set TINYJPG_API_KEY" in run("usage", cwd=project, code=2).stderr


def test_overrides_alone_upload_and_say_so(project: Path, tmp_path: Path) -> None:
    """Where only an override names the API, its host is said before the upload; `--engine builtin` uploads nothing."""
    rows = [(["*.jpg"], "hosted"), (["*.png", "*.webp"], "builtin")]
    text = "".join(f'[[overrides]]\npaths = {json.dumps(paths)}\nengine = "{engine}"\n' for paths, engine in rows)
    (project / "imgshrink.toml").write_text(text)
    with Served(tmp_path / "server") as served:
        environ = {"TINYJPG_API_KEY": served.key, "TINYJPG_API_URL": served.url}
        private = run("warm", "--engine", "builtin", "docs", cwd=project, environ=environ)
        assert "uploading" not in private.stderr
        assert "0 uploads" in private.stdout
        done = run("warm", "docs", cwd=project, environ=environ)
    assert "imgshrink: uploading 1 image (" in done.stderr
    assert f") to {served.url.removeprefix('http://')}; quota left: 10000" in done.stderr


@pytest.mark.slow
def test_dry_run_counts_uploads(project: Path, tmp_path: Path) -> None:
    """A dry run says how many uploads a run would need against the quota, and makes none."""
    with Served(tmp_path / "server") as served:
        environ = {"TINYJPG_API_KEY": served.key, "TINYJPG_API_URL": served.url}
        done = run("optimize", "--dry-run", "--max-uploads", "2", "docs", cwd=project, environ=environ)
    expected = "4 uploads needed, of which this run may make 2 (max_uploads), quota left: 10000"
    assert expected in done.stdout


def test_check_that_sees_nothing(tmp_path: Path) -> None:
    """A check of a folder without images, or with nothing but pointers to images, is wrong use, and says the cure."""
    (tmp_path / "empty").mkdir()
    done = run("check", "empty", cwd=tmp_path, code=2)
    assert "no images found in empty: name files or folders that hold images" in done.stderr
    (tmp_path / "lfs").mkdir()
    (tmp_path / "lfs" / "a.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    done = run("check", "lfs", cwd=tmp_path, code=2)
    assert "not checked: 1 Git LFS pointer. Run git lfs pull first" in done.stderr
    (tmp_path / "lfs" / "b.png").write_bytes((IMAGES / "still.png").read_bytes())
    assert "not checked: 1 Git LFS pointer" in run("check", "lfs", cwd=tmp_path, code=1).stderr
    assert run("check", "--exclude", "*", "lfs", cwd=tmp_path).returncode == 0
