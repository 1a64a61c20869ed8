"""Whatever is printed is harmless: ASCII where the stream knows no more, and no control character that others wrote."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from lying_server import Connection, LyingServer, Seen
from places import IMAGES
from real_tools import build, git, make_repository, make_site
from selection import rest_slow

HOSTILE = "docs/a\x1b]0;owned\x07\r\x9b31m.png"
CUT = "docs/cut\x1b[2J.png"
LETTERS = "docs/\u4e2d\u202e\u00fc.jpg"
EVIL = "\x1b[2Jgone\x07\r\x9b31m"
ENCODING = "cp1252"
COMMANDS = {
    "optimize": ["optimize", "docs"],
    "optimize -v": ["optimize", "-v", "docs"],
    "optimize --strict": ["optimize", "--strict", "docs"],
    "optimize --dry-run": ["optimize", "--dry-run", "docs"],
    "optimize --json": ["optimize", "--json", "docs"],
    "optimize NOTHING": ["optimize", "docs/\x1b[2J"],
    "warm": ["warm", "docs"],
    "check": ["check", "-v", "docs"],
    "check --json": ["check", "--json", "docs"],
    "check gitlab": ["check", "--output-format", "gitlab", "docs"],
    "check github": ["check", "--output-format", "github", "docs"],
    "explain": ["explain", HOSTILE],
    "explain --json": ["explain", "--json", HOSTILE],
    "compare": ["compare", HOSTILE],
    "restore": ["restore", "docs"],
    "cache info": ["cache", "info"],
    "cache import": ["cache", "import", CUT],
    "doctor": ["doctor"],
    "option": ["optimize", f"--quality={EVIL}", "docs"],
    "command": [EVIL],
    "server keys": ["server", "--data", "data", "keys", "add", EVIL],
}
CHEAP = ("check", "check --json", "check gitlab", "check github", "explain", "restore", "optimize --dry-run")
CHEAP += ("optimize NOTHING", "cache info", "option", "command", "server keys")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with an image whose name is an escape sequence, one in letters of the world, and a broken one."""
    folder = make_repository(tmp_path / "project")
    (folder / "docs").mkdir()
    shutil.copyfile(IMAGES / "palette.png", folder / HOSTILE)
    shutil.copyfile(IMAGES / "photo.jpg", folder / LETTERS)
    (folder / CUT).write_bytes((IMAGES / "still.png").read_bytes()[:5000])
    (folder / "imgshrink.toml").write_text('exclude = ["\\u001b[2Jx.png"]\n')
    git(folder, "add", ".")
    return folder


def printed(call: Callable[[], object], cwd: Path, **environ: str) -> bytes:
    """What a call prints to both streams, of an encoding that knows few letters."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=ENCODING, write_through=True)
    with (
        contextlib.chdir(cwd),
        patch.dict(os.environ, environ),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO())),
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
        contextlib.suppress(SystemExit),
    ):
        call()
    return raw.getvalue()


def command(*words: str) -> Callable[[], object]:
    """A call of the command."""
    from imgshrink.cli import main

    return lambda: main(list(words))


def harmful(raw: bytes) -> list[str]:
    """The characters that must not come: control characters, and letters that no image's name has."""
    letters = {"\n", "\u00fc", *map(chr, range(32, 127))}
    return sorted({letter for letter in raw.decode(ENCODING, "replace") if letter not in letters})


@pytest.mark.parametrize("name", rest_slow(COMMANDS, lambda name: name in CHEAP))
def test_names_of_files_do_no_harm(project: Path, name: str) -> None:
    """Each command prints names of files and what is typed with control characters escaped."""
    raw = printed(command(*COMMANDS[name]), project, GITHUB_ACTIONS="true")
    assert raw
    assert harmful(raw) == []


def test_hook_does_no_harm(project: Path) -> None:
    """The hook escapes the same names, those in its commands to copy included."""
    from imgshrink import hook

    raw = printed(lambda: hook.main([HOSTILE, CUT, LETTERS]), project)
    assert b"Check the result" in raw
    assert harmful(raw) == []


@pytest.mark.slow
def test_build_does_no_harm(tmp_path: Path) -> None:
    """A build escapes them too."""
    names = {"a\x1b[2J.png": IMAGES / "palette.png", "cut\x9b31m.png": (IMAGES / "still.png").read_bytes()[:5000]}
    site = make_site(tmp_path, names, config="theme: {name: null, custom_dir: theme}")
    (site / "theme").mkdir()
    (site / "theme/main.html").write_text("{{ page.content }}")
    done = build(site, environ={"PYTHONIOENCODING": ENCODING})
    ours = [line for line in done.stdout.splitlines() if "imgshrink" in line]
    assert any("left alone" in line for line in ours)
    assert harmful("\n".join(ours).encode()) == []


def denied(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """The server says no, in words that a terminal would obey."""
    connection.json(403, {"success": False, "message": EVIL, "errors": {EVIL: [EVIL]}})


def lied(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """The server answers with such words as names, numbers and dates."""
    connection.json(
        200, {"success": True, "data": {EVIL: EVIL, "limit": EVIL, "reset_at": EVIL, "rows": [{EVIL: EVIL}]}}
    )


def failed(connection: Connection, server: LyingServer, seen: Seen) -> None:
    """An upload fails with such words."""
    connection.json(422, {"success": False, "message": EVIL, "errors": {"image": [EVIL]}})


@pytest.fixture
def with_key(server: LyingServer) -> dict[str, str]:
    """The variables of somebody with a key of that server."""
    return {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": server.url}


@pytest.mark.parametrize("fault", [denied, lied])
def test_messages_of_a_server_do_no_harm(
    project: Path, server: LyingServer, with_key: dict[str, str], fault: Callable[..., None]
) -> None:
    """What a server says is shown, and never obeyed by a terminal."""
    server.always = {"stats": fault, "usage": fault}
    raw = printed(command("usage"), project, **with_key)
    assert raw
    assert harmful(raw) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", [denied, lied, failed])
def test_refusals_of_a_server_do_no_harm(
    project: Path, server: LyingServer, with_key: dict[str, str], fault: Callable[..., None]
) -> None:
    """The reason for which an upload failed is escaped in the lines of a run."""
    server.always = {"upload": fault}
    raw = printed(command("optimize", "-v", "docs"), project, **with_key)
    assert b"imgshrink: " in raw
    assert harmful(raw) == []
