"""`imgshrink compare`: a page of images beside what they were, from the backups, the index, the history, a revision."""

from __future__ import annotations

import html
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from browser import CHROMIUM
from command import called
from imgshrink.image.seal import seal
from real_tools import GIF, JPEG, OTHER_PNG, PNG, SMALL, git, program, run
from webdriver import DRIVER, browser

NOTHING = (
    "imgshrink: nothing to compare. Name images that were shrunk in place on this machine, "
    "or a git revision that holds them as they were, for example: imgshrink compare HEAD~1 docs/photo.jpg\n"
)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary folders are removed with the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def folder(repository: Path, warmed: None) -> Path:
    """A repository with three images committed."""
    (repository / "docs").mkdir()
    for name, image in (("a.png", PNG), ("b.png", OTHER_PNG), ("c.jpg", JPEG)):
        shutil.copyfile(image, repository / "docs" / name)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "Images")
    return repository


@pytest.fixture
def shrunk(folder: Path) -> Path:
    """The repository after its images were shrunk in place."""
    assert called("optimize", "docs", cwd=folder).returncode == 0
    return folder


@pytest.fixture
def no_backups(home: Path) -> None:
    """A machine that keeps no originals."""
    for kept in (home / ".state").rglob("originals"):
        shutil.rmtree(kept)


class Page:
    """The page that a call has printed the path of, as it is read from the disk."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode == 0, done.stderr
        self.path = Path(done.stdout.rstrip("\n"))
        self.text = self.path.read_text(encoding="utf-8")
        rows = re.findall(r'<li data-ranks="[^"]*"([^>]*)>', self.text)
        self.rows = {row["data-name"]: row for row in (dict(_attributes(found)) for found in rows)}

    def before(self, name: str) -> Image.Image:
        """The original that the page shows of an image."""
        return Image.open(self.path.parent / unquote(self.rows[name]["data-before"]))

    def actions(self, name: str) -> list[str]:
        """What the page offers to copy."""
        return [text for _, text in json.loads(self.rows[name].get("data-actions", "[]"))]


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    return ((name, html.unescape(value)) for name, value in re.findall(r'([\w-]+)="([^"]*)"', text))


def pixels(image: Image.Image | Path) -> bytes:
    opened = Image.open(image) if isinstance(image, Path) else image
    return opened.convert("RGBA").tobytes()


def test_images_beside_their_backups(shrunk: Path, no_git: None) -> None:
    """Files and folders are shown beside the originals that were backed up; nothing is written but the page."""
    before = {path: path.read_bytes() for path in (shrunk / "docs").iterdir()}
    done = called("compare", "docs/a.png", "docs", cwd=shrunk)
    page = Page(done)
    assert set(page.rows) == {"docs/a.png", "docs/b.png", "docs/c.jpg"}
    assert pixels(page.before("docs/a.png")) == pixels(PNG)
    assert pixels(page.before("docs/c.jpg")) == pixels(JPEG)
    assert page.actions("docs/b.png")[0] == "imgshrink restore --keep docs/b.png"
    assert "<title>imgshrink compare</title>" in page.text
    assert done.stderr == ""
    assert {path: path.read_bytes() for path in (shrunk / "docs").iterdir()} == before
    assert {path.name for path in shrunk.iterdir()} == {".git", "docs"}
    assert page.path.parent.stat().st_mode & 0o077 == 0 or os.name == "nt"
    shutil.rmtree(page.path.parent)


@pytest.fixture
def no_git(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A machine without git."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("bin")))


def test_images_beside_what_git_holds(shrunk: Path, no_backups: None) -> None:
    """Without a backup an image is shown beside what was committed, also after the result was committed too."""
    git(shrunk, "commit", "-a", "--quiet", "-m", "Smaller")
    page = Page(called("compare", "docs/a.png", cwd=shrunk))
    assert pixels(page.before("docs/a.png")) == pixels(PNG)


def test_output_beside_what_is_given(shrunk: Path) -> None:
    """`--output` names the page; its folder of images ignores itself, and the next page takes its place."""
    for name in ("a.png", "b.png"):
        done = called("compare", f"docs/{name}", "--output", "out/page.html", cwd=shrunk)
        assert (done.returncode, done.stdout) == (0, "out/page.html\n")
        text = (shrunk / "out/page.html").read_text()
        assert set(re.findall('data-name="(.+?)"', text)) == {f"docs/{name}"}
        files = {path.name for path in (shrunk / "out/page-images").iterdir()} - {".gitignore", ".imgshrink-report"}
        assert set(re.findall(r'page-images/([^"]+)"', text)) == files
    assert git(shrunk, "status", "--porcelain", "out").strip() == "?? out/"


def test_the_hook_rewrote_what_was_staged(repository: Path, warmed: None, home: Path) -> None:
    """After the hook a new image is shown beside what is staged, and its hook's users are offered git's command."""
    shutil.copyfile(PNG, repository / "a.png")
    git(repository, "add", "a.png")
    hook = run(program("imgshrink-hook"), "a.png", cwd=repository, environ={"PRE_COMMIT": "1"})
    assert hook.returncode == 1
    for kept in (home / ".state").rglob("originals"):
        shutil.rmtree(kept)
    page = Page(called("compare", "--", "a.png", cwd=repository, environ={"PRE_COMMIT": "1"}))
    assert pixels(page.before("a.png")) == pixels(PNG)
    assert page.actions("a.png") == ["git restore a.png"]
    git(repository, *page.actions("a.png")[0].split()[1:])
    assert (repository / "a.png").read_bytes() == PNG.read_bytes()


def test_nothing_is_offered_that_would_bring_back_something_else(shrunk: Path) -> None:
    """For users of the hook there is no command where git's would not bring the original back."""
    git(shrunk, "add", "docs/a.png")
    page = Page(called("compare", "docs/a.png", "docs/b.png", cwd=shrunk, environ={"PRE_COMMIT": "1"}))
    assert (page.actions("docs/a.png"), page.actions("docs/b.png")) == ([], ["git restore docs/b.png"])


@pytest.mark.slow
def test_a_revision(shrunk: Path) -> None:
    """A revision alone shows all images that changed since; with files, these; the command to undo names it."""
    shutil.copyfile(SMALL, shrunk / "docs/new.png")
    (shrunk / "docs/c.jpg").write_bytes(JPEG.read_bytes())
    (shrunk / "docs/index.md").write_text("no image")
    git(shrunk, "add", ".")
    page = Page(called("compare", "HEAD", cwd=shrunk))
    assert set(page.rows) == {"docs/a.png", "docs/b.png"}
    inner = Page(called("compare", "HEAD", cwd=shrunk / "docs"))
    assert set(inner.rows) == {"a.png", "b.png"}
    git(shrunk, "commit", "--quiet", "-m", "Smaller")
    page = Page(called("compare", "HEAD~1", "docs/b.png", cwd=shrunk))
    assert page.actions("docs/b.png") == ["git restore --source='HEAD~1' -- docs/b.png"]
    assert pixels(Page(called("compare", "HEAD~1", "docs", cwd=shrunk)).before("docs/b.png")) == pixels(OTHER_PNG)


def _halved(path: Path) -> bytes:
    image, data = Image.open(path), io.BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(data, "PNG")
    return data.getvalue()


def test_why_an_image_is_not_compared(shrunk: Path, no_backups: None) -> None:
    """Each image that was named and can't be shown has one line with the reason; a folder's are counted."""
    docs = shrunk / "docs"
    shutil.copyfile(GIF, docs / "new.gif")
    (docs / "lost.png").write_bytes(seal(SMALL.read_bytes(), 80))
    (docs / "note.txt").write_text("no image")
    names = [f"docs/{name}" for name in ("new.gif", "lost.png", "note.txt")]
    done = called("compare", *names, "docs/a.png", cwd=shrunk)
    assert done.stderr.splitlines() == [
        "imgshrink: docs/new.gif: it has not been shrunk in place",
        "imgshrink: docs/lost.png: it was shrunk, but its original is neither among the backups nor in git",
        "imgshrink: docs/note.txt: not an image that imgshrink knows",
    ]
    assert set(Page(done).rows) == {"docs/a.png"}
    done = called("compare", "docs", cwd=shrunk)
    assert done.stderr == "imgshrink: 2 other images not compared\n"
    assert set(Page(done).rows) == {"docs/a.png", "docs/b.png", "docs/c.jpg"}
    done = called("compare", *names, cwd=shrunk)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(NOTHING)


def test_why_an_image_is_not_compared_with_a_revision(folder: Path) -> None:
    """The reasons name the revision."""
    docs = folder / "docs"
    (docs / "lfs.png").write_bytes(POINTER)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "A pointer")
    shutil.copyfile(SMALL, docs / "lfs.png")
    shutil.copyfile(SMALL, docs / "new.png")
    (docs / "b.png").write_bytes(_halved(OTHER_PNG))
    (docs / "c.jpg").unlink()
    (docs / "c.jpg").symlink_to("a.png")
    names = [f"docs/{name}" for name in ("a.png", "b.png", "lfs.png", "new.png")]
    done = called("compare", "HEAD", *names, cwd=folder)
    width, height = Image.open(OTHER_PNG).size
    whole, half = f"{width} x {height}", f"{width // 2} x {height // 2}"
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "imgshrink: docs/a.png: it is the same in HEAD",
        f"imgshrink: docs/b.png: in HEAD it was another image: {whole}, now {half} pixels",
        "imgshrink: docs/lfs.png: in HEAD: Git LFS pointer (run: git lfs pull)",
        "imgshrink: docs/new.png: it is not in HEAD",
        NOTHING.rstrip(),
    ]


def test_many_reasons_are_counted(shrunk: Path) -> None:
    """More than ten reasons are not listed."""
    names = [f"docs/{number:02}.png" for number in range(12)]
    for name in names:
        shutil.copyfile(SMALL, shrunk / name)
    done = called("compare", *names, cwd=shrunk)
    lines = done.stderr.splitlines()
    assert lines[9] == "imgshrink: docs/09.png: it has not been shrunk in place"
    assert lines[10] == "imgshrink: 2 other images not compared"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name images or a git revision, for example: imgshrink compare docs/photo.jpg"),
        (["HEAD", "--output", "page.png"], "--output is the page, so its name ends in .html: page.png"),
        (["nowhere"], "imgshrink: nowhere: no such file, folder or git revision"),
        (["HEAD", "docs/gone.png"], "imgshrink: docs/gone.png: no such file, folder or git revision"),
        (["HEAD", "HEAD~0"], "imgshrink: two git revisions are named, HEAD and HEAD~0; name one"),
        (["HEAD"], NOTHING.rstrip()),
        (["docs"], "imgshrink: 3 images not compared\n" + NOTHING.rstrip()),
    ],
)
def test_wrong_use(folder: Path, words: list[str], said: str) -> None:
    """What can't be done ends with 2, and the line says what to do."""
    done = called("compare", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.rstrip().endswith(said)


def test_a_hook_without_anything_to_compare(folder: Path) -> None:
    """Users of the hook are told of no command that they don't have, and no run of all hooks fails for it."""
    done = called("compare", "docs/a.png", cwd=folder, environ={"PRE_COMMIT": "1"})
    assert (done.returncode, done.stdout) == (0, "")
    assert "imgshrink compare" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("imgshrink: nothing to compare: none of these images was shrunk")


def test_a_page_that_can_not_be_written(shrunk: Path) -> None:
    """A page without a place ends with 3 and one line."""
    (shrunk / "file").write_text("")
    done = called("compare", "docs/a.png", "--output", "file/page.html", cwd=shrunk)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("imgshrink: the page can't be written: file/page.html: ")
    (shrunk / "page-images").mkdir()
    (shrunk / "page-images" / "mine.txt").write_text("mine")
    done = called("compare", "docs/a.png", "--output", "page.html", cwd=shrunk)
    assert (done.returncode, done.stdout) == (3, "page.html\n")
    assert "holds something else" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a browser is a script there")
@pytest.mark.slow
@pytest.mark.parametrize("starts", [True, False])
def test_opening_the_page(shrunk: Path, tmp_path: Path, *, starts: bool) -> None:
    """`--open` opens the page, and says so where no browser starts; without it none is started."""
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\nexit {0 if starts else 1}\n')
    script.chmod(0o755)
    environ = {"BROWSER": f"{script} %s"}
    for words in ([], ["--open"]):
        done = run(
            program("imgshrink"),
            "compare",
            "docs/a.png",
            "--output",
            "my page.html",
            *words,
            cwd=shrunk,
            environ=environ,
        )
        assert done.returncode == 0
        assert ("no browser could be started" in done.stdout) is (bool(words) and not starts)
    assert (tmp_path / "opened").read_text().split() == [(shrunk / "my page.html").as_uri()]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver")
def test_the_page_in_a_browser(shrunk: Path) -> None:
    """The page opens, compares, and complains about nothing."""
    page = Page(called("compare", "docs", cwd=shrunk))
    with browser() as window:
        window.open(page.path)
        window.run("document.querySelector('#images button.open').click()")
        window.until("return viewer.open && !viewer.hasAttribute('aria-busy')")
        assert window.run("return document.title") == "imgshrink compare"
        assert window.run("return [...viewer.querySelectorAll('img')].map((one) => one.naturalWidth > 0)") == [
            True,
            True,
        ]
        assert window.complaints() == []
