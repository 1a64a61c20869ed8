"""Names that the system refuses, too long or in a folder that may not be entered: one line, and no traceback."""

from __future__ import annotations

import ast
import errno
import shutil
from pathlib import Path

import pytest

from command import called
from imgshrink import hook
from imgshrink.pages.options import Options
from imgshrink.pages.site import rewrite
from imgshrink.settings import load as settings_load
from places import IMAGES, SRC

LONG = "x" * 300
"""Longer than a name may be: the system refuses to look at it, as at a file in a folder that may not be entered."""

# They raise for such a path until Python 3.14; functions of `os.path` answer False.
RAISING = {"is_file", "is_dir", "exists", "is_symlink"}
MAY_RAISE = {SRC / "engines" / "hosted" / "journal.py"}
"""A record of uploads that can't be looked at is no empty one."""


def refused_home() -> dict[str, str]:
    """The environment of a user whose home folder, and all that lies there, the system refuses to look at."""
    home = f"/{LONG}"
    return {"HOME": home, **dict.fromkeys(("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"), home)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one image."""
    shutil.copyfile(IMAGES / "photo.jpg", tmp_path / "a.jpg")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("explain", LONG),
        ("pages", LONG),
        ("check", "-f", LONG),
        ("check", LONG),
        ("compare", LONG),
        ("restore", LONG),
        ("check", "--files-from", LONG),
        ("check", "--baseline", LONG, "a.jpg"),
        ("cache", "import", LONG),
        ("cache", "export", LONG),
        ("check", "--write-baseline", LONG, "a.jpg"),
    ],
    ids=" ".join,
)
def test_commands_name_it_in_one_line(folder: Path, words: tuple[str, ...]) -> None:
    """A command that is given such a name ends with one line that holds the name."""
    done = called(*words, cwd=folder)
    assert done.returncode in (2, 3), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert LONG in lines[0]


def test_a_list_passes_over_it(folder: Path) -> None:
    """A list of files passes over such a name as over one that is gone."""
    (folder / "list").write_text(f"{LONG}\n{LONG}.png\na.jpg\n")
    done = called("optimize", "--dry-run", "--files-from", "list", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "1 image" in done.stdout


@pytest.mark.parametrize("words", [("explain", "a.jpg"), ("doctor",), ("cache", "info"), ("cache", "prune")], ids=str)
def test_a_home_that_may_not_be_entered(folder: Path, words: tuple[str, ...]) -> None:
    """The commands that explain what is wrong work for a user whose home folder may not be entered."""
    done = called(*words, cwd=folder, environ=refused_home())
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_backups_that_may_not_be_entered_are_named(folder: Path) -> None:
    """`restore` says that it can't read the backups, not only that there is none."""
    done = called("restore", "a.jpg", cwd=folder, environ=refused_home())
    assert "can't be read" in done.stderr


def test_an_error_of_the_system_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the system that nobody has foreseen is one line with the file and the reason, and exit code 3."""

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/some\nfile")

    monkeypatch.setattr("imgshrink.cli.options.load", full)
    done = called("optimize", "a.jpg", cwd=folder)
    assert (done.returncode, done.stderr) == (3, "imgshrink: /tmp/some\\nfile: No space left on device\n")


def test_the_hook_takes_a_long_pattern(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the hook that is longer than a name may be is no file name, and counts."""
    monkeypatch.chdir(folder)
    pattern = f"{LONG}/**"
    given, names = hook.parse([f"--exclude={pattern}", f"--exclude={LONG}", "a.jpg"])
    assert (given, names) == ({"exclude": f"{pattern}\n{LONG}"}, ["a.jpg"])


def test_a_page_with_a_long_address_is_rewritten(folder: Path) -> None:
    """A page that names a file with a name too long, as addresses of PlantUML are, is rewritten all the same."""
    (folder / "index.html").write_text(
        f'<style>img {{max-width: 100%; height: auto}}</style><img src="{LONG}.png"><img src="a.jpg">'
    )
    done = rewrite(folder, Options())
    assert not done.failed
    assert done.sized == 1


def test_settings_are_found_without_a_look_above(folder: Path) -> None:
    """Settings load where the project's folder can't be looked at."""
    settings = settings_load.load(Path(f"/{LONG}"), environ={"HOME": str(folder)})
    assert settings.quality == 80


def test_nothing_asks_a_path_that_may_raise() -> None:
    """No module asks by a method of `Path` what a name is, but where an error must be seen."""
    found = {
        f"{path.relative_to(SRC)}:{node.lineno}"
        for path in SRC.rglob("*.py")
        if path not in MAY_RAISE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RAISING
        if not (node.args or node.keywords) and "os.path" not in ast.unparse(node.func)
    }
    assert not found
