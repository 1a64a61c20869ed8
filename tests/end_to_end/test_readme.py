"""What the README says is what happens: its blocks are run, and what they print is compared with what it shows."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from imgshrink.settings.schema import fields_of
from places import ROOT
from real_tools import OTHER_PNG, PICTURES, PNG, build, git, lines, make_repository, program, run
from shell import INSTALLING
from transcript import PASSING

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMES = {
    "setup.png": PICTURES / "argocd" / "zitadel-application-2.png",
    "overview.png": OTHER_PNG,
    "toolbar.png": PNG,
    "wiring.png": PICTURES / "wled" / "Shifter74HCT125_Single.png",
}


def blocks(heading: str) -> list[tuple[str, str]]:
    """The code blocks under a heading: language and text."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section
    return BLOCK.findall(section)


def measured(text: str) -> str:
    """A text without its measured sizes, shares and times, and without the white space that lines them up."""
    return re.sub(r"[ ]+", " ", re.sub(r"\d+(\.\d+)? (kB|MB|bytes|%|s)\b|\d+ %", "#", text)).strip()


def rows(text: str) -> list[str]:
    """The lines of a text without what was measured, in any order, but for those that only pass."""
    return sorted(measured(line) for line in text.splitlines() if not PASSING.fullmatch(line))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A repository with the four images of the README's examples, committed."""
    folder = make_repository(tmp_path / "repository")
    (folder / "docs/img").mkdir(parents=True)
    for name, picture in NAMES.items():
        shutil.copyfile(picture, folder / "docs/img" / name)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "All")
    return folder


def printed(docs: Path) -> list[str]:
    """What a build prints, without the lines that come every ten seconds: a busy machine needs some."""
    found = [line for line in lines(build(docs)) if not line.endswith(" left")]
    return [measured(f"INFO - imgshrink: {line}") for line in found]


@pytest.mark.slow
def test_plugin_block_and_its_output(docs):
    """The plugin's lines work in an mkdocs.yml, and both builds say what the README shows."""
    (_, config), (_, first), (_, second) = blocks("The MkDocs plugin")
    (docs / "mkdocs.yml").write_text("site_name: A site\ntheme: {name: null, custom_dir: theme}\n" + config)
    (docs / "theme").mkdir()
    (docs / "theme/main.html").write_text("{{ page.content }}")
    (docs / "docs/index.md").write_text("# A site\n")
    assert printed(docs) == measured(first).splitlines()
    assert printed(docs) == measured(second).splitlines()


def test_hook_block_names_a_hook_of_this_version():
    """The hook's lines name an id of the manifest, and the tag of this version."""
    config = yaml.safe_load(blocks("The pre-commit hook")[0][1])
    manifest = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    from imgshrink import __version__

    assert {row["id"] for row in config["repos"][0]["hooks"]} <= {row["id"] for row in manifest}
    assert config["repos"][0]["rev"] == f"v{__version__}"


def test_hook_output(docs):
    """The hook says what the README shows, and both of its git commands work."""
    (_, config), (_, shown) = blocks("The pre-commit hook")[:2]
    (docs / ".pre-commit-config.yaml").write_text(config)
    done = run(program("imgshrink-hook"), "docs/img/setup.png", "docs/img/toolbar.png", cwd=docs)
    assert rows(done.stdout) == rows(shown)
    git(docs, "add", "docs/img/setup.png")
    git(docs, "restore", "docs/img/toolbar.png")
    assert (docs / "docs/img/toolbar.png").read_bytes() == PNG.read_bytes()


@pytest.mark.slow
def test_command_block_and_its_output(docs):
    """The command says what the README shows, and `restore` as it prints it brings everything back."""
    (_, commands), (_, shown) = blocks("The command line")
    done = run(program("imgshrink"), *commands.splitlines()[1].split()[1:], cwd=docs)
    assert rows(done.stdout)[1:] == rows(shown)[1:]
    undo = done.stdout.splitlines()[-1].partition(":   ")[2]
    assert run(program("imgshrink"), *undo.split()[1:], cwd=docs).returncode == 0
    assert git(docs, "status", "--porcelain") == ""


@pytest.mark.parametrize("command", sorted({*re.findall(r"`imgshrink ([a-z][^`]*)`", TEXT)}))
def test_commands_in_the_text_are_commands(docs, command):
    """Every `imgshrink ...` in the text is a command that exists, with options that exist."""
    (docs / "site").mkdir()
    (docs / "site" / "index.html").write_text("<!doctype html><title>A site</title>")
    done = run(program("imgshrink"), *command.split(), cwd=docs, answer="y\n")
    assert done.returncode in (0, 1), done.stdout


def test_settings_are_as_in_the_code():
    """Each row of the README's settings has the code's default and meaning."""
    known = {row.name: (row.shown, row.meaning) for row in fields_of()}
    section = TEXT.partition("\n## Settings\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert len(named) == 4
    for name, default, meaning in named:
        assert known[name] == (default, meaning)


def test_settings_page_is_generated_from_the_code():
    """The table of all settings in the documentation is the one that the code makes."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from settings_page import PAGE, renewed

    assert PAGE.read_text(encoding="utf-8") == renewed(PAGE.read_text(encoding="utf-8"))


def test_links_lead_somewhere():
    """Every link to a file of the repository leads to one."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).is_file()] == []


@pytest.mark.parametrize("name", ["example_site/try.py", "tests/run.py", "scripts/environment.py"])
def test_older_python_gets_a_clear_error(name):
    """With an older Python both commands say what is needed; nothing in them is beyond its grammar."""
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))
    code = f"import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path({name!r}, run_name='__main__')"
    done = run(sys.executable, "-c", code, cwd=ROOT)
    assert done.returncode == 1
    assert "imgshrink needs Python 3.11 or newer, and this is Python 3.9" in done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_both_commands_work_word_for_word_in_a_fresh_clone(tmp_path):
    """In a fresh clone the first command saves half of the bytes, and is done the second time; the other runs tests."""
    try_it, run_tests = (text.split() for _, text in blocks("Try it from a clone"))
    clone = tmp_path / "clone"
    copy_of_this_tree(clone)
    first = run("python3", *try_it[1:], cwd=clone, environ=INSTALLING)
    assert first.returncode == 0, first.stdout
    summary = json.loads((clone / ".venv-try/report.json").read_text())["summary"]
    assert summary["after"] <= summary["before"] / 2
    assert "gallery.html" in first.stdout
    before = contents(clone / "example_site/site")
    second = run("python3", *try_it[1:], cwd=clone, environ=INSTALLING)
    assert "Images that a codec had to look at: 0 of" in second.stdout
    assert contents(clone / "example_site/site") == before
    done = run("python3", *run_tests[1:], "tests/core/test_keys.py", cwd=clone, environ=INSTALLING)
    assert done.returncode == 0, done.stdout
    assert git(clone, "status", "--porcelain") == ""


def copy_of_this_tree(clone: Path) -> None:
    """A clone of what is in the work tree now, committed."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    make_repository(clone)
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "All")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
