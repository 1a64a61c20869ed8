"""What went wrong is said, with one image as with many, in command, hook and build; `strict` says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path

import pytest

from fakes import deflated
from imgshrink.image.seal import seal
from lying_server import LyingServer
from real_tools import OTHER_PNG, PNG, build, make_repository, make_site, program, run
from selection import rest_slow

CLOSED = "http://127.0.0.1:9"
AWAY = "127.0.0.1:9 can't be reached"
Face = Callable[[Path, Mapping[str, str], bool], tuple[int, str]]


def in_command(folder: Path, environ: Mapping[str, str], strict: bool) -> tuple[int, str]:
    """Shrink the images of a folder by the command."""
    done = run(program("imgshrink"), "optimize", *(["--strict"] if strict else []), "docs", cwd=folder, environ=environ)
    return done.returncode, done.stdout


def in_hook(folder: Path, environ: Mapping[str, str], strict: bool) -> tuple[int, str]:
    """Shrink them by the hook."""
    names = sorted(str(path.relative_to(folder)) for path in (folder / "docs").glob("*.png"))
    words = ["--strict"] if strict else []
    done = run(program("imgshrink-hook"), *words, *names, cwd=folder, environ=environ)
    return done.returncode, done.stdout


def in_plugin(folder: Path, environ: Mapping[str, str], strict: bool) -> tuple[int, str]:
    """Shrink them in a build."""
    make_site(folder, {}, options=f"strict: {str(strict).lower()}")
    done = build(folder, environ=environ)
    return done.returncode, done.stdout


FACES: Mapping[str, Face] = {"command": in_command, "hook": in_hook, "plugin": in_plugin}
FACE_AND_STRICT = rest_slow(product(FACES, [False, True]), lambda row: row == ("hook", False))
FINE = {"command": 0, "hook": 1, "plugin": 0}
STRICT = {"command": 3, "hook": 3, "plugin": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one new image."""
    folder = make_repository(tmp_path / "repository")
    (folder / "docs").mkdir()
    shutil.copy(PNG, folder / "docs" / "a.png")
    return folder


@pytest.mark.parametrize(("face", "strict"), FACE_AND_STRICT)
def test_one_image_and_the_api_is_down(folder: Path, face: str, *, strict: bool) -> None:
    """The line comes, the image is shrunk by the built-in codecs, and `strict` fails and says why."""
    code, said = FACES[face](folder, {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": CLOSED}, strict)
    assert code == (STRICT if strict else FINE)[face], said
    assert AWAY in said
    assert "1 new image went to the built-in codecs" in said
    assert ("strict is on" in said) is strict


@pytest.mark.parametrize(("face", "strict"), FACE_AND_STRICT)
def test_refused_result(folder: Path, server: LyingServer, face: str, *, strict: bool) -> None:
    """A result of the API that shows something else is named, with what it cost; the next run has nothing to say."""
    server.shrink = lambda data: deflated(data) if data[:4] == b"none" else _another(data)
    environ = {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": server.url}
    code, said = FACES[face](folder, environ, strict)
    assert code == (STRICT if strict else FINE)[face], said
    assert server.posts == 1
    assert "was not used, and its upload is spent: " in said
    assert "; the built-in codecs did the work" in said
    assert ("strict is on" in said) is strict
    code, said = FACES[face](folder, environ, strict)
    assert code == 0, said
    assert "is spent" not in said
    assert server.posts == 1


def _another(data: bytes) -> bytes:
    """Another image of the same size."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        out = io.BytesIO()
        Image.new("RGB", image.size, (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("face", rest_slow(["command", "hook"], lambda face: face == "hook"))
def test_strict_says_which_lines_count(folder: Path, face: str) -> None:
    """Lines that fail a strict run come last, and one behind them says so."""
    (folder / "docs" / "cut.png").write_bytes(OTHER_PNG.read_bytes()[:9000])
    code, said = FACES[face](folder, {}, True)
    assert code == 3
    last = said.strip().splitlines()[-2:]
    assert last[0].startswith("imgshrink: left alone: docs/cut.png (file ends early)")
    assert last[1] == "imgshrink: failed for the line above: strict is on"


def test_check_says_why_it_fails(folder: Path) -> None:
    """A strict check that fails for a broken image names it, without -v."""
    (folder / "docs" / "a.png").write_bytes(seal(PNG.read_bytes(), 80))
    (folder / "docs" / "cut.png").write_bytes(OTHER_PNG.read_bytes()[:9000])
    done = run(program("imgshrink"), "check", "docs", cwd=folder)
    assert (done.returncode, "cut.png" in done.stdout) == (0, False)
    done = run(program("imgshrink"), "check", "--strict", "docs", cwd=folder)
    assert done.returncode == 3
    assert "left alone: docs/cut.png (file ends early)" in done.stdout
    assert "failed for the line above: strict is on" in done.stdout


@pytest.mark.slow
def test_another_quality_for_a_shrunk_image(folder: Path) -> None:
    """Where a person asks for another quality, images that were shrunk before are said to stay, with the way out."""
    assert in_command(folder, {}, False)[0] == 0
    done = run(program("imgshrink"), "optimize", "--strict", "--quality", "90", "docs", cwd=folder)
    assert done.returncode == 0
    assert (
        "imgshrink: 1 image was shrunk at quality 80 before: "
        "`imgshrink optimize --redo --quality 90 docs` starts from the original"
    ) in done.stdout
    assert "at quality 80 before" not in in_command(folder, {}, False)[1]
    done = run(program("imgshrink"), "optimize", "--redo", "--quality", "90", "docs", cwd=folder)
    assert "at quality 80 before" not in done.stdout
    assert b"imgshrink1 q90 " in (folder / "docs" / "a.png").read_bytes()


def test_verbose_says_values_and_no_secret(folder: Path) -> None:
    """`-v` names value and source of every setting that is not the default; the key and a password stay hidden."""
    (folder / "imgshrink.toml").write_text(
        'exclude = ["b.png", "c.png"]\nstrict = false\n[[overrides]]\npaths = ["d.png"]\nquality = 90\n'
    )
    environ = {"TINYJPG_API_KEY": "tj_secret", "TINYJPG_API_URL": "http://me:word@127.0.0.1:9", "IMGSHRINK_JOBS": "1"}
    words = ("optimize", "-v", "--max-uploads", "0", "docs")
    done = run(program("imgshrink"), *words, cwd=folder, environ=environ)
    assert done.returncode == 2, "an address with a password is wrong use"
    for line in (
        "max_uploads: 0 (--max-uploads)",
        "jobs: 1 (IMGSHRINK_JOBS)",
        f"exclude: b.png, c.png (exclude in {folder / 'imgshrink.toml'})",
        f"strict: false (strict in {folder / 'imgshrink.toml'})",
        f"overrides: quality 90 for d.png (overrides in {folder / 'imgshrink.toml'})",
        "api_key: hidden (TINYJPG_API_KEY)",
        "api_url: hidden (TINYJPG_API_URL)",
    ):
        assert f"imgshrink: {line}\n" in done.stdout
    assert "secret" not in done.stdout
    assert "me:word" not in done.stdout


@pytest.mark.slow
def test_nothing_known_about_a_file_that_is_not_known(folder: Path) -> None:
    """A truncated file and a text are counted as left alone, not as known."""
    assert in_command(folder, {}, False)[0] == 0
    (folder / "docs" / "cut.png").write_bytes(OTHER_PNG.read_bytes()[:9000])
    (folder / "docs" / "text.png").write_text("no image\n")
    said = in_command(folder, {}, False)[1]
    assert "imgshrink: nothing to do: 1 image is shrunk, 2 left alone" in said
