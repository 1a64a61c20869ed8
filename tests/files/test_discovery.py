"""Facts about finding images: what is taken, what is left out, and what a repository can't make us do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.errors import SettingsError
from imgshrink.core.text import shown
from imgshrink.files import git as asking_git
from imgshrink.files.discovery import discover
from imgshrink.files.patterns import Patterns
from poison import SECRETS

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
GIT = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

FOREIGN = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_LITERAL_PATHSPECS", "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_TRACE", "GIT_CONFIG_COUNT",
)  # fmt: skip


def grow(folder: Path, *names: str) -> Path:
    """Make files, with the folders they need."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, as somebody."""
    somebody = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *somebody, *arguments], cwd=folder, check=True, capture_output=True)


def with_rules(folder: Path, rules: str = "") -> Path:
    """Make a repository with a .gitignore."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init")
    (folder / ".gitignore").write_text(rules)
    return folder


def found(*paths: Path, base: Path, include: Patterns | None = None, exclude: Patterns | None = None) -> list[str]:
    """The names of what is found, relative to `base`; there must be no note."""
    result = discover(paths, include=include, exclude=exclude)
    assert result.notes == []
    return [path.relative_to(base).as_posix() for path in result.found]


def test_endings(tmp_path: Path) -> None:
    """A folder is searched for the endings of the four formats, in any case."""
    taken = ["a.png", "b.apng", "c.jpg", "d.jpeg", "e.jpe", "f.jfif", "g.gif", "h.webp", "i.PNG", "j.JpEg"]
    grow(tmp_path, *taken, "k.svg", "l.png.txt", "m", "png", "n.avif")
    assert found(tmp_path, base=tmp_path) == taken


def test_order(tmp_path: Path) -> None:
    """What is found is sorted below a folder, files before folders; named paths keep their order."""
    grow(tmp_path, "b/z.png", "b/a.png", "a/c.png", "z.png", "a.png", "a/b/c.png")
    expected = ["a.png", "z.png", "a/c.png", "a/b/c.png", "b/a.png", "b/z.png"]
    assert found(tmp_path, base=tmp_path) == expected
    assert found(tmp_path / "b" / "z.png", tmp_path, base=tmp_path) == ["b/z.png", *expected[:-1]]


def test_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is named in several ways is found once, in the first of them."""
    grow(tmp_path, "docs/a.png")
    monkeypatch.chdir(tmp_path)
    named = [Path("docs/a.png"), Path("docs"), Path("./docs/../docs/a.png"), tmp_path / "docs" / "a.png", Path()]
    assert discover(named).found == [Path("docs/a.png")]


def test_paths_are_as_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found below a relative path is relative too."""
    grow(tmp_path, "docs/a.png")
    monkeypatch.chdir(tmp_path)
    assert discover([Path("docs")]).found == [Path("docs/a.png")]
    assert discover([Path()]).found == [Path("docs/a.png")]


def test_folders_that_are_not_entered(tmp_path: Path) -> None:
    """Dot-folders, node_modules, virtual environments and pictures of reports are not searched; dot-files are."""
    grow(
        tmp_path,
        ".cache/a.png", "node_modules/c.png", "x/node_modules/y/e.png",
        "env/pyvenv.cfg", "env/d.png", ".f.png", "mod/g.png", "r-images/.imgshrink-report", "r-images/h.png",
    )  # fmt: skip
    assert found(tmp_path, base=tmp_path) == [".f.png", "mod/g.png"]


def test_named_folders_are_entered(tmp_path: Path) -> None:
    """The same folders are searched when they are named."""
    grow(tmp_path, ".cache/a.png", "node_modules/b.png", "env/pyvenv.cfg", "env/c.png")
    named = [tmp_path / name for name in (".cache", "node_modules", "env")]
    assert found(*named, base=tmp_path) == [".cache/a.png", "node_modules/b.png", "env/c.png"]


def test_named_files_are_taken(tmp_path: Path) -> None:
    """A file that is named is taken, whatever its ending and wherever it lies."""
    names = ["image", "node_modules/a.bin", ".cache/b.txt"]
    grow(tmp_path, *names)
    assert found(*(tmp_path / name for name in names), base=tmp_path) == names


@pytest.mark.parametrize("name", [".git/a.png", "sub/.git/modules/b.png", ".GIT/c.png"])
def test_nothing_inside_of_git(tmp_path: Path, name: str) -> None:
    """What lies inside of .git is left alone even when it is named, with a note."""
    grow(tmp_path, name)
    for named in (tmp_path / name, (tmp_path / name).parent):
        result = discover([named])
        assert result.found == []
        assert result.notes == [f"{named} is inside of .git: left alone"]


@pytest.mark.parametrize("name", ["missing", "missing.png", "a.png/b.png"])
def test_a_missing_path(tmp_path: Path, name: str) -> None:
    """A path that is not there is an error that names it."""
    grow(tmp_path, "a.png")
    with pytest.raises(SettingsError, match=name):
        discover([tmp_path, tmp_path / name])


@POSIX
class TestSymlinks:
    """Symlinks are not followed, and not replaced."""

    def test_found_by_walking(self, tmp_path: Path) -> None:
        """A symlink to a file or a folder below a named folder is passed over in silence."""
        grow(tmp_path, "docs/a.png", "elsewhere/b.png")
        (tmp_path / "docs" / "link.png").symlink_to(tmp_path / "elsewhere" / "b.png")
        (tmp_path / "docs" / "folder").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "docs" / "loop").symlink_to(tmp_path / "docs")
        (tmp_path / "docs" / "broken.png").symlink_to(tmp_path / "missing")
        assert found(tmp_path / "docs", base=tmp_path) == ["docs/a.png"]

    def test_a_named_file(self, tmp_path: Path) -> None:
        """A symlink to a file that is named is left alone, with a note; a broken one too."""
        grow(tmp_path, "a.png")
        (tmp_path / "link.png").symlink_to("a.png")
        (tmp_path / "broken.png").symlink_to("missing")
        for name in ("link.png", "broken.png"):
            result = discover([tmp_path / name])
            assert result.found == []
            assert result.notes == [f"{tmp_path / name} is a symlink: left alone"]

    def test_a_named_folder(self, tmp_path: Path) -> None:
        """A symlink to a folder that is named is searched; a file found both ways is found once."""
        grow(tmp_path, "docs/a.png")
        (tmp_path / "link").symlink_to("docs")
        assert found(tmp_path / "link", tmp_path / "docs", base=tmp_path) == ["link/a.png"]

    def test_a_link_into_git(self, tmp_path: Path) -> None:
        """A named symlink does not lead inside of .git."""
        grow(tmp_path, ".git/a.png")
        (tmp_path / "link").symlink_to(".git")
        assert discover([tmp_path / "link"]).found == []


@POSIX
def test_what_is_no_file(tmp_path: Path) -> None:
    """A named pipe is passed over when it is found, and left alone with a note when it is named."""
    os.mkfifo(tmp_path / "pipe.png")
    assert found(tmp_path, base=tmp_path) == []
    assert discover([tmp_path / "pipe.png"]).notes == [f"{tmp_path / 'pipe.png'} is not a file: left alone"]


@POSIX
def test_a_folder_that_can_not_be_read(unprivileged: Path) -> None:
    """A folder that may not be read is a note, and the rest is found."""
    grow(unprivileged, "a/b.png", "c/d.png")
    (unprivileged / "a").chmod(0)
    result = discover([unprivileged])
    assert result.found == [unprivileged / "c" / "d.png"]
    assert result.notes == [f"{unprivileged / 'a'} can't be searched: Permission denied"]
    with pytest.raises(SettingsError, match="Permission denied"):
        discover([unprivileged / "a" / "b.png"])


ODD = [
    "-rf.png",
    " a .png",
    "a\nb.png",
    "a\tb.png",
    ":(top)c.png",
    "!d.png",
    "#e.png",
    "u\u0308.png",
    "[f].png",
    "\\g.png",
    "h*.png",
]


@POSIX
@GIT
def test_names_of_all_kinds(tmp_path: Path) -> None:
    """Names with white space, control characters, dashes, wildcards, or in no encoding are found; git knows them."""
    folder = with_rules(tmp_path / "work", "ignored/\n")
    odd = [*ODD, os.fsdecode(b"\xff\xfe.png")]
    grow(folder, *odd, *(f"ignored/{name}" for name in odd))
    result = discover([folder])
    assert result.notes == []
    assert sorted(path.name for path in result.found) == sorted(odd)


# Patterns.


def patterns(folder: Path, *lines: str) -> Patterns:
    return Patterns(folder, lines)


@pytest.mark.parametrize(
    ("lines", "out"),
    [
        (["*.gif"], ["b.gif", "docs/c.gif"]),
        (["/b.gif"], ["b.gif"]),
        (["docs/"], ["docs/a.png", "docs/c.gif", "docs/x/d.png"]),
        (["docs/**/d.png"], ["docs/x/d.png"]),
        (["*", "!*.gif"], ["docs/a.png", "docs/x/d.png"]),
        (["# *.gif", ""], []),
        (["../*.gif"], []),
    ],
    ids=lambda value: " ".join(value),
)
def test_exclude(tmp_path: Path, lines: list[str], out: list[str]) -> None:
    """`exclude` leaves out what its patterns match, as git would; for files named one by one too."""
    grow(tmp_path, "b.gif", "docs/a.png", "docs/c.gif", "docs/x/d.png")
    exclude = patterns(tmp_path, *lines)
    everything = discover([tmp_path]).found
    for named in ([tmp_path], everything):
        result = discover(named, exclude=exclude)
        assert out == [path.relative_to(tmp_path).as_posix() for path in result.excluded]
        assert sorted(everything) == sorted([*result.found, *result.excluded])


def test_include(tmp_path: Path) -> None:
    """With `include` only what it matches is taken, and `exclude` wins over it."""
    grow(tmp_path, "a.png", "b.gif", "docs/c.png")
    result = discover([tmp_path], include=patterns(tmp_path, "*.png"), exclude=patterns(tmp_path, "docs/"))
    assert result.found == [tmp_path / "a.png"]
    assert result.excluded == [tmp_path / "b.gif", tmp_path / "docs" / "c.png"]


def test_patterns_are_relative_to_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns count from the folder of the file that holds them, wherever one stands."""
    grow(tmp_path, "project/docs/a.png", "docs/a.png")
    exclude = patterns(tmp_path / "project", "/docs/", "*.gif")
    monkeypatch.chdir(tmp_path / "project" / "docs")
    assert exclude.match(Path("a.png"))
    assert exclude.match(Path("../docs/a.png"))
    assert not exclude.match(tmp_path / "docs" / "a.png")
    assert exclude.match(tmp_path / "b.gif")


@pytest.mark.parametrize(
    ("line", "matched"),
    [
        ("keep.png", True),
        ("docs/img/keep.png", True),
        ("../docs/img/keep.png", True),
        ("../docs/", True),
        ("../docs/*/*.png", True),
        ("../../r[1]/docs/img/keep.png", False),
        ("img/", True),
        ("/docs/img/keep.png", False),
        ("/keep.png", False),
        ("../keep.png", False),
        ("other.png", False),
    ],
)
def test_patterns_reach_images_outside_of_their_folder(tmp_path: Path, line: str, matched: bool) -> None:
    """A pattern reaches an image beside its folder by name, by the path below the common folder, and by `../`."""
    root = tmp_path / "r[1]"
    grow(root, "website/mkdocs.yml", "docs/img/keep.png", "docs/img/a.png")
    made = patterns(root / "website", line)
    assert made.match(root / "docs" / "img" / "keep.png") is matched
    assert bool(made.unused()) is not matched


def test_image_that_is_known_by_several_paths(tmp_path: Path) -> None:
    """An image is matched under every path that people know it by."""
    made = patterns(tmp_path / "website", "docs/img/keep.png", "../shared/x.png")
    elsewhere = tmp_path.parent / "elsewhere" / "1.png"
    assert not made.match(elsewhere)
    assert made.match(elsewhere, tmp_path / "website" / "docs" / "img" / "keep.png")
    assert made.unused() == [("../shared/x.png", "")]


def test_order_and_negation_survive_steps_upward(tmp_path: Path) -> None:
    """The last pattern that matches decides, though some count from a folder above."""
    made = patterns(tmp_path / "website", "../docs/*.png", "!../docs/b.png", "own/*.gif", "!own/b.gif")
    names = ("docs/a.png", "docs/b.png", "website/own/a.gif", "website/own/b.gif", "own/a.gif")
    assert [made.match(tmp_path / name) for name in names] == [True, False, True, False, True]


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_composed_and_decomposed_names(tmp_path: Path, typed: str, stored: str) -> None:
    """A name matches whichever of Unicode's forms the file system and the pattern hold."""
    name = "\u00fcberblick.png"
    assert patterns(tmp_path, unicodedata.normalize(typed, name)).match(tmp_path / unicodedata.normalize(stored, name))


def test_patterns_that_matched_nothing(tmp_path: Path) -> None:
    """A pattern that no image has matched is named, with the nearest name that it may have meant."""
    made = patterns(tmp_path, "img/b.png", "docs/imgs/a.png", "*.png", "# note", "", "guide/", "x/y")
    for name in ("docs/img/a.png", "docs/img/b.png", "docs/guide/c.gif"):
        made.match(tmp_path / name)
    assert made.unused() == [
        ("img/b.png", "docs/img/b.png"),
        ("docs/imgs/a.png", "docs/img/a.png"),
        ("x/y", ""),
    ]


@POSIX
def test_patterns_by_way_of_a_symlink(tmp_path: Path) -> None:
    """A path by way of a symlink is matched as named, and as it lies."""
    grow(tmp_path, "project/docs/a.png")
    (tmp_path / "link").symlink_to("project")
    assert patterns(tmp_path / "project", "/docs/").match(tmp_path / "link" / "docs" / "a.png")
    assert patterns(tmp_path / "link", "/docs/").match(tmp_path / "project" / "docs" / "a.png")


@pytest.mark.parametrize("line", ["!", "**a\\"])
def test_a_line_that_is_no_pattern(tmp_path: Path, line: str) -> None:
    """A line that is no pattern is an error of the settings."""
    with pytest.raises(SettingsError, match="not a gitignore pattern"):
        patterns(tmp_path, "*.png", line)


@given(lines=st.lists(st.text(max_size=12), max_size=4), name=st.text("ab/.*", min_size=1, max_size=12))
def test_any_pattern(lines: list[str], name: str) -> None:
    """Any lines are patterns or an error of the settings, and any name can be matched."""
    try:
        made = Patterns(Path("/base"), lines)
    except SettingsError:
        return
    assert made.match(Path("/base") / name.strip("/")) in (True, False)


# What git ignores.


SAFE_GIT = {
    "GIT_OPTIONAL_LOCKS=0",  # a commit that runs at the same time is not disturbed
    "GIT_TERMINAL_PROMPT=0",
    "GIT_ALLOW_PROTOCOL=none",
    "GIT_NO_LAZY_FETCH=1",
    "LC_ALL=C",  # a reason is quoted in English
}
SAFE_WORDS = "--no-pager -c core.fsmonitor=false -c core.hooksPath=/dev/null -c protocol.allow=never -C "
"""Each of them keeps git from starting a program, fetching or asking; several do it together, so that any may fail."""


@POSIX
@GIT
def test_environment_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git gets what it needs by name: no token or key, and nothing that would point it at another repository."""
    folder = with_rules(tmp_path / "work")
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    script = f'env > "{tmp_path}/environment"; echo "$@" > "{tmp_path}/words"\nexec {shutil.which("git")} "$@"'
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    for name in (*SECRETS, *FOREIGN):
        monkeypatch.setenv(name, "elsewhere")
    assert asking_git.ask(folder, "rev-parse", "--show-toplevel").decode().strip() == str(folder)
    lines = set((tmp_path / "environment").read_text().splitlines())
    names = {line.partition("=")[0] for line in lines}
    assert {"PATH", "HOME"} <= names
    assert names.isdisjoint({*SECRETS, *FOREIGN})
    assert lines >= SAFE_GIT
    assert (tmp_path / "words").read_text().startswith(SAFE_WORDS)


@GIT
class TestIgnored:
    """In a git work tree, what git ignores is left out."""

    def test_ignored_files(self, tmp_path: Path) -> None:
        """Files that git ignores by any of its rules are left out; tracked ones never."""
        folder = with_rules(tmp_path, "*.gif\nbuild/\n!kept.gif\n")
        grow(folder, "a.png", "b.gif", "kept.gif", "tracked.gif", "build/c.png", "sub/d.png", "sub/e.png", "info.png")
        (folder / "sub" / ".gitignore").write_text("e.png\n")
        (folder / ".git" / "info" / "exclude").write_text("info.png\n")
        git(folder, "add", "-f", "tracked.gif")
        expected = ["a.png", "kept.gif", "tracked.gif", "sub/d.png"]
        assert found(folder, base=folder) == expected
        assert found(folder / "sub", base=folder) == ["sub/d.png"]

    def test_named_files_are_taken(self, tmp_path: Path) -> None:
        """A file that git ignores is taken when it is named."""
        folder = grow(with_rules(tmp_path, "*.gif\n"), "a.gif")
        assert found(folder / "a.gif", base=folder) == ["a.gif"]

    def test_named_folders_are_searched(self, tmp_path: Path) -> None:
        """A folder that git ignores, as a built site is, is searched when it is named, or one above it inside of it."""
        folder = grow(with_rules(tmp_path, "site/\n"), "site/a.png", "site/b/c.png", "d.png")
        assert found(folder / "site", base=folder) == ["site/a.png", "site/b/c.png"]
        assert found(folder / "site" / "b", base=folder) == ["site/b/c.png"]
        assert found(folder, base=folder) == ["d.png"]

    def test_repositories_inside(self, tmp_path: Path) -> None:
        """A repository inside of another is not searched unless it is named; one line says so of all that count."""
        folder = grow(with_rules(tmp_path, "vendor/\n*.gif\n"), "a.png", "inner/b.png", "vendor/lib/c.png")
        grow(with_rules(folder / "inner", "ignored.png\n"), "d.gif", "ignored.png")
        with_rules(folder / "vendor" / "lib")
        result = discover([folder])
        assert (result.found, result.nested, result.notes) == ([folder / "a.png"], [folder / "inner"], [])
        assert result.hints == [
            f"{folder / 'inner'} is a git repository of its own: not searched; name it to have its images shrunk"
        ]
        assert found(folder / "inner", base=folder) == ["inner/b.png", "inner/d.gif"]
        assert discover([folder, folder / "inner"]).hints == []

    def test_many_repositories_inside(self, tmp_path: Path) -> None:
        """Many nested repositories are one line, which names a few."""
        folder = with_rules(tmp_path)
        for name in "abcde":
            grow(with_rules(folder / name), "x.png")
        (hint,) = discover([folder]).hints
        assert hint.startswith(f"5 folders are git repositories of their own ({folder / 'a'}, ")
        assert hint.endswith(f"{folder / 'c'}, and 2 more): not searched; name them to have their images shrunk")

    def test_repositories_beside_each_other(self, tmp_path: Path) -> None:
        """In a folder that is no repository, those below it are searched, each by its own rules."""
        grow(with_rules(tmp_path / "one", "*.gif\n"), "a.png", "b.gif")
        grow(with_rules(tmp_path / "two"), "c.gif")
        assert found(tmp_path, base=tmp_path) == ["one/a.png", "two/c.gif"]

    def test_a_submodule(self, tmp_path: Path) -> None:
        """A submodule, whose .git is a file, is searched only where it is named, by its own rules."""
        origin = grow(with_rules(tmp_path / "origin", "*.gif\n"), "a.png")
        git(origin, "add", ".")
        git(origin, "commit", "-m", "begin")
        folder = with_rules(tmp_path / "work")
        git(folder, "-c", "protocol.file.allow=always", "submodule", "add", str(origin), "sub")
        grow(folder, "sub/b.gif", "c.gif")
        result = discover([folder])
        assert (result.found, result.nested) == ([folder / "c.gif"], [folder / "sub"])
        assert found(folder / "sub", base=folder) == ["sub/a.png"]

    def test_a_work_tree(self, tmp_path: Path) -> None:
        """An additional work tree obeys the repository's rules."""
        folder = with_rules(tmp_path / "work", "*.gif\n")
        git(folder, "add", ".")
        git(folder, "commit", "-m", "begin")
        git(folder, "worktree", "add", str(tmp_path / "other"))
        grow(tmp_path / "other", "a.gif", "b.png")
        assert found(tmp_path / "other", base=tmp_path) == ["other/b.png"]

    @POSIX
    def test_by_way_of_a_symlink(self, tmp_path: Path) -> None:
        """A repository that is named by way of a symlink obeys its rules."""
        grow(with_rules(tmp_path / "work", "*.gif\n"), "docs/a.gif", "docs/b.png")
        (tmp_path / "link").symlink_to("work/docs")
        assert found(tmp_path / "link", base=tmp_path) == ["link/b.png"]

    def test_inside_of_a_hook(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What git sets for its hooks, or a person for pathspecs, does not lead the question astray."""
        other = with_rules(tmp_path / "other", "*.png\n")
        folder = grow(with_rules(tmp_path / "work", "*.gif\n"), "a.gif", "b.png")
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
        assert found(folder, base=folder) == ["b.png"]

    def test_many_files(self, tmp_path: Path) -> None:
        """Thousands of files are one question, larger than any pipe's buffer."""
        folder = with_rules(tmp_path, "*7.png\n")
        grow(folder, *(f"{'long' * 20}-{number}.png" for number in range(1200)))
        assert len(found(folder, base=folder)) == 1080


def nothing_there(folder: Path) -> None:
    (folder / ".git").mkdir()


def a_foreign_file(folder: Path) -> None:
    (folder / ".git").write_bytes(b"no repository\n")


def broken_settings(folder: Path) -> None:
    git(folder, "init")
    (folder / ".git" / "config").write_text("[core\n")


def a_submodule_not_fetched(folder: Path) -> None:
    git(folder, "init")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")


@GIT
@pytest.mark.parametrize(
    "spoil", [nothing_there, a_foreign_file, broken_settings, a_submodule_not_fetched], ids=lambda spoil: spoil.__name__
)
def test_git_that_does_not_answer(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Where git can't say what it ignores, everything is found, and a note says why."""
    grow(tmp_path, "a.png", "sub/b.png")
    spoil(tmp_path)
    result = discover([tmp_path])
    assert result.found == [tmp_path / "a.png", tmp_path / "sub" / "b.png"]
    assert len(result.notes) == 1
    assert result.notes[0].startswith(f"git does not say what it ignores in {tmp_path}, so nothing of it is left out: ")
    assert "fatal" in result.notes[0]


@POSIX
@GIT
def test_a_repository_of_somebody_else(unprivileged: Path) -> None:
    """git's own caution about another user's repository is kept: a note, and nothing is left out."""
    if os.geteuid() != 65534:
        pytest.skip("needs another user's repository")
    os.seteuid(0)
    folder = grow(with_rules(unprivileged / "work", "*.gif\n"), "a.gif")
    os.seteuid(65534)
    result = discover([folder])
    assert result.found == [folder / "a.gif"]
    assert len(result.notes) == 1
    assert "dubious ownership" in result.notes[0]


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no git nothing is left out, and nothing is said."""
    grow(tmp_path, ".git/config", "a.png")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert found(tmp_path, base=tmp_path) == ["a.png"]


@POSIX
@GIT
@pytest.mark.parametrize("where", [".", ""])
def test_a_git_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A program called git in the folder that one stands in is not run, not even with that folder on the path."""
    folder = grow(with_rules(tmp_path), "a.png")
    planted = folder / "git"
    planted.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\n")
    planted.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{where}{os.pathsep}{os.environ['PATH']}")
    assert discover([Path()]).found == [Path("a.png")]
    assert not (tmp_path / "run").exists()


@POSIX
def test_a_git_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for git is bounded; a note says so."""
    grow(tmp_path, "work/.git/config", "work/a.png", "bin/git")
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(asking_git, "SECONDS", 0.2)
    result = discover([tmp_path / "work"])
    assert result.found == [tmp_path / "work" / "a.png"]
    assert "no answer within 0.2 s" in result.notes[0]


@POSIX
@pytest.mark.parametrize(("script", "reason"), [("exit 0", "not complete"), ("exit 3", "ended with 3")])
def test_a_git_that_answers_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    """An answer that is not one to each question is none."""
    grow(tmp_path, "work/.git/config", "work/a.png", "bin/git")
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\ncat > /dev/null\n{script}\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    result = discover([tmp_path / "work"])
    assert result.found == [tmp_path / "work" / "a.png"]
    assert reason in result.notes[0]


@POSIX
@GIT
class TestHostileRepository:
    """A repository's own settings make us run nothing."""

    def test_programs_in_its_settings(self, tmp_path: Path) -> None:
        """Programs that a repository's settings name are not started; git alone would start one."""
        folder = grow(with_rules(tmp_path / "work", "*.gif\n"), "a.gif", "b.png")
        run = tmp_path / "run"
        command = f"touch {run}; false"
        for name in ("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "diff.external", "core.askPass"):
            git(folder, "config", name, command)
        git(folder, "config", "alias.check-ignore", f"!{command}")
        git(folder, "config", "core.fsmonitorHookVersion", "1")
        hooks = tmp_path / "hooks"
        hooks.mkdir()
        for name in ("post-index-change", "fsmonitor-watchman"):
            (hooks / name).write_text(f"#!/bin/sh\n{command}\n")
            (hooks / name).chmod(0o755)
        git(folder, "config", "core.hooksPath", str(hooks))
        git(folder, "add", ".gitignore")
        assert run.exists()
        run.unlink()
        assert found(folder, base=folder) == ["b.png"]
        assert not run.exists()

    def test_a_remote_that_is_a_program(self, tmp_path: Path) -> None:
        """A missing object is not fetched from a remote that is a program; git alone would run it."""
        folder = grow(with_rules(tmp_path / "work", "*.gif\n"), "a.gif", "b.png")
        run = tmp_path / "run"
        git(folder, "add", ".gitignore")
        git(folder, "commit", "-m", "begin")
        blob = subprocess.check_output(["git", "rev-parse", ":.gitignore"], cwd=folder, text=True).strip()
        git(folder, "update-index", "--skip-worktree", ".gitignore")
        (folder / ".gitignore").unlink()
        (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
        for name, value in {
            "core.repositoryFormatVersion": "1",
            "extensions.partialClone": "origin",
            "remote.origin.promisor": "true",
            "remote.origin.url": f"ext::touch {run}",
            "protocol.ext.allow": "always",
        }.items():
            git(folder, "config", name, value)
        subprocess.run(["git", "check-ignore", "b.png"], cwd=folder, capture_output=True, check=False)
        assert run.exists()
        run.unlink()
        assert discover([folder]).found == [folder / "a.gif", folder / "b.png"]
        assert not run.exists()


def test_names_are_shown_on_one_line() -> None:
    """A name in a message has no control character, no line break and no byte of another encoding."""
    assert shown(Path("a\nb\x1b[31m\udcff\u202ec.png")) == "a\\nb\\x1b[31m\\udcff\\u202ec.png"
    assert shown(Path("Bild ä.png")) == "Bild ä.png"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_patterns_of_a_file_hold_in_any_locale(tmp_path: Path) -> None:
    """A pattern with a letter beyond ASCII excludes its image where the locale is not UTF-8; an argument too."""
    (tmp_path / "dübel.png").write_bytes(b"x")
    code = (
        "import sys; from pathlib import Path; from imgshrink.files.patterns import Patterns;"
        "name = Path(next(Path(sys.argv[1]).glob('*.png')));"
        "lines = 'd\\xfcbel.png', sys.argv[2], 'other.png';"
        "print([Patterns(Path(sys.argv[1]), [line]).match(name) for line in lines])"
    )
    locale = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "POSIX", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "dübel.png"],
        env={**os.environ, **locale},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[True, True, False]"
