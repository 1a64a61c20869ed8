"""Pages for other generators, other hook runners and shells: what they show is run as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from imgshrink.image.seal import read_seal
from imgshrink.settings.load import load
from real_tools import OTHER_PNG, PNG, git
from recipes import PAGES, blocks, files, shell
from selection import rest_slow


def smaller(path: Path, original: Path) -> bool:
    """Whether a file has fewer bytes than the image that it was."""
    return path.stat().st_size < original.stat().st_size


@pytest.fixture
def built(repository: Path) -> Path:
    """A repository with a built site in two folders that git ignores."""
    (repository / ".gitignore").write_text("/build/\n/site/\n")
    for folder in ("build/html/_images", "build/html/_static/press-kit", "site/assets/press-kit"):
        (repository / folder).mkdir(parents=True)
        shutil.copyfile(PNG, repository / folder / "a.png")
    return repository


@pytest.mark.parametrize(
    ("page", "folder"),
    rest_slow([("sphinx", "build/html/_images"), ("zensical", "site/assets")], lambda row: row[0] == "sphinx"),
)
def test_command_after_the_build(built: Path, page: str, folder: str) -> None:
    """The second line of the page shrinks what the first has built, but for what the page's settings exclude."""
    shutil.copyfile(PNG, built / folder / "a.png")
    (built / "imgshrink.toml").write_text(files(page, "Settings" if page == "sphinx" else "")["imgshrink.toml"])
    line = next(text for language, text in blocks(page) if language == "sh").splitlines()[1]
    assert shell(built, line).returncode == 0
    assert smaller(built / folder / "a.png", PNG)
    excluded = load(built, frontend="command", environ={}).exclude
    assert len(excluded) == 1
    assert not smaller(built / excluded[0].lstrip("/") / "a.png", PNG)


def test_sphinx_shrinks_within_the_build(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of conf.py shrink the images of an HTML build that has ended well, and of no other."""
    monkeypatch.chdir(built)
    connected = {}
    conf: dict[str, object] = {}
    exec(files("sphinx", "Within the build")["conf.py"], conf)
    setup = conf["setup"]
    assert callable(setup)
    setup(SimpleNamespace(connect=connected.__setitem__))
    outdir = built / "build/html"
    image = outdir / "_images/a.png"
    for format, error, shrunk in (("html", ValueError(), False), ("latex", None, False), ("html", None, True)):
        app = SimpleNamespace(builder=SimpleNamespace(format=format), confdir=built, outdir=outdir)
        connected["build-finished"](app, error)
        assert smaller(image, PNG) is shrunk


@pytest.fixture
def staged(repository: Path) -> Path:
    """A repository with two images that are staged, one with a space and capitals in its name."""
    (repository / "docs").mkdir()
    shutil.copyfile(PNG, repository / "docs/a.png")
    shutil.copyfile(OTHER_PNG, repository / "docs/Screen shot.PNG")
    (repository / "notes.txt").write_text("text\n")
    git(repository, "add", ".")
    return repository


@pytest.mark.slow
def test_husky(staged: Path) -> None:
    """The first commit stops and the images are shrunk; after `git add` it passes, and so does one without images."""
    hook = staged / ".husky" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text(files("git-hooks", "husky")[".husky/pre-commit"])
    hook.chmod(0o755)
    git(staged, "config", "core.hooksPath", ".husky")
    done = shell(staged, "git commit -m Images")
    assert done.returncode == 1
    assert "imgshrink: 2 images shrunk" in done.stdout
    assert shell(staged, "git add docs && git commit -m Images").returncode == 0
    assert read_seal((staged / "docs/Screen shot.PNG").read_bytes())
    (staged / "notes.txt").write_text("another text\n")
    assert shell(staged, "git commit -am Text").returncode == 0


@pytest.mark.slow
def test_lefthook(staged: Path) -> None:
    """The first command ends with 1 once, the second always with 0; both leave the files shrunk."""
    first, second = (
        yaml.safe_load(text)["pre-commit"]["commands"]["imgshrink"] for _, text in blocks("git-hooks", "lefthook")
    )
    names = "docs/a.png 'docs/Screen shot.PNG'"
    said = [shell(staged, first["run"].replace("{staged_files}", names)).returncode for _ in range(2)]
    assert said == [1, 0]
    git(staged, "restore", "docs")
    assert shell(staged, second["run"].replace("{staged_files}", names)).returncode == 0
    assert second["stage_fixed"] is True
    assert read_seal((staged / "docs/a.png").read_bytes())


def completion(language: str) -> str:
    """The line that turns completion on in a shell."""
    (text,) = (text for found, text in blocks("exit-codes") if found == language)
    return text.strip()


def test_completion_of_bash(tmp_path: Path) -> None:
    """The line of the page makes bash complete the names of commands."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    asked = 'COMP_WORDS=(imgshrink opt); COMP_CWORD=1\n_imgshrink_completion imgshrink\necho "${COMPREPLY[@]}"'
    assert shell(tmp_path, f"{completion('bash')}\n{asked}").stdout.strip() == "optimize"


@pytest.mark.parametrize("language", ["zsh", "fish", "powershell"])
def test_completion_of_other_shells(tmp_path: Path, language: str) -> None:
    """What the page sets makes the command print a script for that shell."""
    (wanted,) = re.findall(r'_IMGSHRINK_COMPLETE ?= ?"?(\w+)', completion(language))
    assert wanted == f"{language}_source"
    done = shell(tmp_path, "imgshrink", _IMGSHRINK_COMPLETE=wanted)
    assert done.returncode == 0
    assert "_imgshrink_completion" in done.stdout or "Register-ArgumentCompleter" in done.stdout


def test_lists_in_variables(tmp_path: Path) -> None:
    """The list of the page is two patterns; a variable that is no setting is an error."""
    (given,) = re.findall(r'`IMGSHRINK_EXCLUDE="(.+?)"`', PAGES["exit-codes"])
    found = load(tmp_path, frontend="command", environ={"IMGSHRINK_EXCLUDE": given}).exclude
    assert len(found) == 2
    done = shell(tmp_path, "imgshrink doctor", IMGSHRINK_QUALTY="70")
    assert done.returncode == 2


@pytest.mark.slow
def test_exit_codes_are_as_the_page_says(staged: Path) -> None:
    """Every code that can be had without a key comes up, for both programs."""
    (staged / "bad.png").write_bytes(PNG.read_bytes()[:500])
    lines = {
        "imgshrink check docs": 1,
        "imgshrink optimize docs": 0,
        "imgshrink check docs ": 0,
        "imgshrink check nowhere": 2,
        "imgshrink optimize --strict bad.png": 3,
        "imgshrink-hook docs/a.png": 0,
        "imgshrink-hook --quality=0 docs/a.png": 2,
        "imgshrink-hook --strict bad.png": 3,
    }
    assert {line: shell(staged, line).returncode for line in lines} == lines
    codes = re.findall(r"^\| (\d+) \|", PAGES["exit-codes"], re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "130"]
