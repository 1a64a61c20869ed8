"""The hook in real git repositories under the real pre-commit."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from fakes import deflated, png
from imgshrink.files.staging import set_aside
from imgshrink.image.seal import read_seal
from places import ROOT
from real_tools import JPEG, OTHER_PNG, PNG, git, make_repository, program, run

LOCAL = f"""repos:
  - repo: local
    hooks:
      - id: imgshrink
        name: shrink images
        entry: "{program("imgshrink-hook")}"
        language: system
        types_or: [jpeg, png, gif, webp]
        require_serial: true
        stages: [pre-commit, manual]
        verbose: true
"""


def commit(repository: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Commit what is staged, or what `words` say, as a person does, with hooks."""
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "A"), ("EMAIL", "a@b.c"))
    }
    return run("git", "commit", "-m", "Change", *words, cwd=repository, environ={**who, **environ})


def printed(done: subprocess.CompletedProcess[str], words: str) -> list[str]:
    """The command that the hook printed behind `words`, as a shell splits it."""
    line = next(line for line in done.stdout.splitlines() if line.startswith(words))
    return shlex.split(line.partition(": ")[2])


@pytest.fixture
def repository(repository: Path, warmed: None) -> Path:
    """A repository with the hook installed, and two images staged."""
    folder = repository
    (folder / ".pre-commit-config.yaml").write_text(LOCAL)
    (folder / "docs").mkdir()
    shutil.copyfile(PNG, folder / "docs/a.png")
    shutil.copyfile(JPEG, folder / "docs/b.jpg")
    git(folder, "add", ".")
    assert run(program("pre-commit"), "install", cwd=folder).returncode == 0
    return folder


def test_commit_stops_once_and_passes_the_second_time(repository):
    """The first commit stops and says what to add; after the add it passes, and the small files are committed."""
    first = commit(repository)
    assert first.returncode == 1
    assert "imgshrink: 2 images shrunk" in first.stdout
    git(repository, *printed(first, "Check the result")[1:])
    assert commit(repository).returncode == 0
    assert int(git(repository, "cat-file", "-s", "HEAD:docs/a.png")) < PNG.stat().st_size


@pytest.mark.slow
def test_line_to_get_the_originals_back_works(repository):
    """`git restore` as printed brings the staged originals back, byte for byte."""
    git(repository, *printed(commit(repository), "Get the originals back")[1:])
    assert (repository / "docs/a.png").read_bytes() == PNG.read_bytes()
    assert (repository / "docs/b.jpg").read_bytes() == JPEG.read_bytes()


COMPARE = f"""      - id: imgshrink-compare
        name: compare images
        entry: "{program("imgshrink")}"
        args: [compare, --]
        language: system
        types_or: [jpeg, png, gif, webp]
        require_serial: true
        stages: [manual]
        verbose: true
"""


@pytest.mark.slow
@pytest.mark.parametrize("configured", [True, False])
def test_line_to_compare_works(repository, *, configured):
    """The line shows what the commit shrank: a hook where it is among the repository's, else the hook's own Python."""
    if configured:
        (repository / ".pre-commit-config.yaml").write_text(LOCAL + COMPARE)
        git(repository, "add", ".")
    command = printed(commit(repository), "See them beside the originals")
    assert (command[0] == "pre-commit") is configured
    done = run(program("pre-commit") if configured else command[0], *command[1:], cwd=repository)
    assert done.returncode == 0, done.stdout
    (page,) = (Path(line) for line in done.stdout.splitlines() if line.endswith(".html"))
    text = page.read_text()
    assert set(re.findall('data-name="(.+?)"', text)) == {"docs/a.png", "docs/b.jpg"}
    assert ("git restore docs/a.png" in text) is configured
    shutil.rmtree(page.parent)


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-a"], ["docs/a.png"]])
def test_line_to_get_back_what_is_not_in_the_index(repository, words):
    """During `git commit -a` and `git commit FILE` git would bring the old picture back: another line does better."""
    commit(repository, SKIP="imgshrink")
    shutil.copyfile(OTHER_PNG, repository / "docs/a.png")
    first = commit(repository, *words)
    assert first.returncode == 1
    command = printed(first, "Get the originals back")
    assert command[0] != "git"
    assert run(*command, cwd=repository).returncode == 0
    assert (repository / "docs/a.png").read_bytes() == OTHER_PNG.read_bytes()


@pytest.mark.slow
def test_lines_work_from_a_folder_of_the_repository(repository):
    """Called from a folder, git gets names that count from the top."""
    first = commit(repository / "docs")
    git(repository / "docs", *printed(first, "Get the originals back")[1:])
    assert (repository / "docs/a.png").read_bytes() == PNG.read_bytes()
    commit(repository / "docs")
    git(repository / "docs", *printed(first, "Check the result")[1:])
    assert commit(repository / "docs").returncode == 0


@pytest.mark.slow
def test_line_to_skip_works(repository):
    """`SKIP=imgshrink` commits the originals."""
    assert commit(repository, SKIP="imgshrink").returncode == 0
    assert (repository / "docs/a.png").read_bytes() == PNG.read_bytes()


@pytest.mark.slow
def test_clone_with_an_empty_cache_passes(repository, tmp_path):
    """What was committed passes on another machine: another clone, another home, an empty cache."""
    commit(repository)
    git(repository, "add", "-u")
    assert commit(repository).returncode == 0
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    other = {"IMGSHRINK_CACHE_DIR": str(tmp_path / "empty"), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = run(program("pre-commit"), "run", "--all-files", cwd=clone, environ=other)
    assert done.returncode == 0, done.stdout
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.slow
def test_partly_staged_images_are_reported(repository):
    """Two images with unstaged changes too: pre-commit takes the results back; the hook names both, and the cure."""
    unstaged = {"docs/a.png": OTHER_PNG.read_bytes(), "docs/b.jpg": JPEG.read_bytes() + b"edited"}
    for name, data in unstaged.items():
        (repository / name).write_bytes(data)
    done = commit(repository)
    assert done.returncode == 1
    assert "Rolling back fixes" in done.stdout
    assert (
        "imgshrink: docs/a.png and docs/b.jpg have both staged and unstaged changes, "
        "so pre-commit undid the shrinking. Stage or stash the rest, then commit again."
    ) in done.stdout
    assert {name: (repository / name).read_bytes() for name in unstaged} == unstaged
    assert "git restore" not in done.stdout
    assert "git add docs" not in done.stdout


@pytest.mark.slow
def test_all_results_are_said_to_be_taken_back(repository):
    """One image with unstaged changes takes the others' results back too; nothing is advised that would lose them."""
    (repository / "docs/a.png").write_bytes(OTHER_PNG.read_bytes())
    done = commit(repository)
    assert "docs/a.png has both staged and unstaged changes" in done.stdout
    assert "so pre-commit undid the shrinking of all images." in done.stdout
    assert (repository / "docs/b.jpg").read_bytes() == JPEG.read_bytes()
    assert "restore" not in done.stdout


@pytest.mark.slow
def test_prek_runs_the_same_hook(repository):
    """Under prek the commit stops once, partly staged images are reported, and the second commit passes."""
    (repository / "docs/a.png").write_bytes(OTHER_PNG.read_bytes())
    assert run(program("prek"), "install", "--overwrite", cwd=repository).returncode == 0
    first = commit(repository)
    assert "imgshrink: 2 images shrunk" in first.stdout
    assert "imgshrink: docs/a.png has both staged and unstaged changes" in first.stdout
    git(repository, "add", "-u")
    assert commit(repository).returncode == 1
    git(repository, "add", "-u")
    assert commit(repository).returncode == 0


@pytest.mark.slow
def test_cure_for_partly_staged_images_works(repository):
    """After the `git add` that the hook names, the commit stops once and passes the second time."""
    (repository / "docs/a.png").write_bytes(OTHER_PNG.read_bytes())
    commit(repository)
    git(repository, "add", "docs/a.png")
    assert "unstaged changes" not in commit(repository).stdout
    git(repository, "add", "-u")
    assert commit(repository).returncode == 0


@pytest.mark.slow
def test_unstaged_changes_of_other_files_are_not_reported(repository):
    """Unstaged changes of a file that is not ours are set aside and brought back without a word from us."""
    (repository / "notes.txt").write_text("one\n")
    git(repository, "add", "notes.txt")
    (repository / "notes.txt").write_text("two\n")
    done = commit(repository)
    assert "unstaged changes" not in done.stdout
    assert (repository / "notes.txt").read_text() == "two\n"
    assert read_seal((repository / "docs/a.png").read_bytes()) == 80


@pytest.mark.slow
def test_lfs_pointer_does_not_block_a_commit(repository):
    """A Git LFS pointer that is called .png is named with its cure, and the commit goes through."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    git(repository, "rm", "--quiet", "--cached", "docs/a.png", "docs/b.jpg")
    (repository / "docs/a.png").write_text(pointer)
    git(repository, "add", "docs/a.png")
    done = commit(repository)
    assert done.returncode == 0
    assert "left alone: docs/a.png (Git LFS pointer (run: git lfs pull))" in done.stdout


@pytest.mark.slow
def test_names_with_everything_git_allows(repository):
    """Spaces, quotes, letters beyond ASCII and a leading dash in names do no harm, and the printed `git add` works."""
    names = ["docs/a b.png", "docs/it's.png", "docs/\u00e4\u4e2d.png", "-dash.png"]
    for name in names:
        shutil.copyfile(OTHER_PNG, repository / name)
    git(repository, "rm", "--quiet", "--cached", "docs/a.png", "docs/b.jpg")
    git(repository, "add", "--", *names)
    git(repository, *printed(commit(repository), "Check the result")[1:])
    assert commit(repository).returncode == 0


def test_nothing_is_set_aside_outside_of_a_run(tmp_path, monkeypatch):
    """Patches of other runs, and of other programs, name nothing."""
    folder = tmp_path / "pre-commit"
    folder.mkdir()
    (folder / f"patch1700000000-{os.getppid() + 1}").write_text("diff --git a/a.png b/a.png\n")
    assert set_aside({"PRE_COMMIT_HOME": str(folder)}) == set()


def test_old_patch_of_an_equal_process_number_names_nothing(tmp_path, repository, monkeypatch):
    """Process numbers come again: a patch older than an hour is not this run's."""
    (repository / "docs/a.png").write_bytes(b"edited")
    patch = tmp_path / f"patch1700000000-{os.getppid()}"
    patch.write_text(git(repository, "diff", "--binary"))
    monkeypatch.chdir(repository)
    assert set_aside({"PRE_COMMIT_HOME": str(tmp_path)}) == {"docs/a.png"}
    os.utime(patch, (1_700_000_000, 1_700_000_000))
    assert set_aside({"PRE_COMMIT_HOME": str(tmp_path)}) == set()


def test_patch_that_git_cannot_read_names_nothing(tmp_path, monkeypatch):
    """Without git, a patch names nothing, and nothing fails."""
    (tmp_path / f"patch1700000000-{os.getppid()}").write_text("diff --git a/a.png b/a.png\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set_aside({"PRE_COMMIT_HOME": str(tmp_path)}) == set()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a repository of its own with one commit, as pre-commit would clone it."""
    folder = tmp_path_factory.mktemp("published")
    names = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".pre-commit-hooks.yaml"]
    for name in names:
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    make_repository(folder)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "All")
    return folder


@pytest.mark.slow
@pytest.mark.long
def test_installed_by_pre_commit_from_a_repository(published, tmp_path):
    """`repo:`, `rev:`, `id:` are enough: pre-commit installs the hook, the commit stops once, the check then passes."""
    folder = make_repository(tmp_path / "repository")
    rev = git(published, "rev-parse", "HEAD").strip()
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {published.as_uri()}\n    rev: {rev}\n    hooks:\n      - id: imgshrink\n"
        "      - id: imgshrink-check\n        stages: [manual]\n"
    )
    shutil.copyfile(PNG, folder / "a.png")
    git(folder, "add", ".")
    run(program("pre-commit"), "install", cwd=folder)
    environ = {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    first = commit(folder, **environ)
    assert first.returncode == 1
    assert "imgshrink: 1 image shrunk" in first.stdout
    check = [program("pre-commit"), "run", "imgshrink-check", "--all-files", "--hook-stage", "manual"]
    git(folder, "add", "a.png")
    assert commit(folder, **environ).returncode == 0
    done = run(*check, cwd=folder, environ=environ)
    assert done.returncode == 0, done.stdout
    assert "imgshrink: 1 image, shrunk" in done.stdout
    shutil.copyfile(OTHER_PNG, folder / "new.png")
    git(folder, "add", "new.png")
    done = run(*check, cwd=folder, environ=environ)
    assert done.returncode == 1
    assert "Shrink them:   pre-commit run imgshrink --files new.png" in done.stdout


def test_manifest_is_what_pre_commit_accepts():
    """pre-commit validates the manifest; all hooks are there, serial, for the four formats, and see their output."""
    import yaml

    path = ROOT / ".pre-commit-hooks.yaml"
    assert run(program("pre-commit"), "validate-manifest", path, cwd=ROOT).returncode == 0
    hooks = {row["id"]: row for row in yaml.safe_load(path.read_text())}
    assert set(hooks) == {"imgshrink", "imgshrink-check", "imgshrink-compare"}
    for row in hooks.values():
        assert row["types_or"] == ["jpeg", "png", "gif", "webp"]
        assert (row["require_serial"], row["verbose"], row["language"]) == (True, True, "python")
        assert row["minimum_pre_commit_version"] == "3.2.0"
    assert hooks["imgshrink"]["stages"] == ["pre-commit", "manual"]
    assert "pre-push" in hooks["imgshrink-check"]["stages"]
    assert hooks["imgshrink-compare"]["stages"] == ["manual"]


PARALLEL = """repos:
  - repo: local
    hooks:
"""


def at_once(identifier: str, entry: str, *, serial: bool) -> str:
    """A hook of prek that runs beside the others of its priority."""
    return (
        f'      - id: {identifier}\n        name: {identifier}\n        entry: "{entry}"\n        language: system\n'
        f"        types_or: [png]\n        require_serial: {str(serial).lower()}\n        priority: 5\n"
    )


@pytest.mark.slow
@pytest.mark.tools
@pytest.mark.parametrize("serial", [True, False])
def test_prek_runs_hooks_at_once(repository, server, serial):
    """Hooks of one priority, which prek runs at the same time, and batches of files pay once and harm no file."""
    names = [f"docs/{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        (repository / name).write_bytes(png(number))
    for name in ("docs/a.png", "docs/b.jpg"):
        (repository / name).unlink()
    hook, check = program("imgshrink-hook"), f"{program('imgshrink')} check --"
    hooks = [at_once("one", hook, serial=serial), at_once("two", hook, serial=serial)]
    hooks.append(at_once("check", check, serial=serial))
    (repository / ".pre-commit-config.yaml").write_text(PARALLEL + "".join(hooks))
    git(repository, "add", ".")
    server.shrink = deflated
    environ = {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": server.url, "PREK_HOME": str(repository.parent / "prek")}
    first = run(program("prek"), "run", "--all-files", cwd=repository, environ=environ)
    assert first.returncode == 1, first.stdout
    assert "stopped by an error" not in first.stdout
    assert "Traceback" not in first.stdout
    shrunk = {name: (repository / name).read_bytes() for name in names}
    assert {name for name, data in shrunk.items() if read_seal(data) != 80} == set()
    assert not list((repository / "docs").glob(".imgshrink*"))
    assert server.posts == len(shrunk)
    git(repository, "add", ".")
    second = run(program("prek"), "run", "--all-files", cwd=repository, environ=environ)
    assert second.returncode == 0, second.stdout
    assert {name: (repository / name).read_bytes() for name in shrunk} == shrunk
    assert server.posts == len(shrunk)
