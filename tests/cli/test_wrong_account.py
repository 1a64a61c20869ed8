"""A wrong API key, address or file of the account stops only what uses the API."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import imgshrink
from imgshrink import hook
from imgshrink.cli import group
from imgshrink.cli import main as command
from imgshrink.core.errors import SettingsError
from imgshrink.image.seal import read_seal, seal
from imgshrink.settings.folders import config_folder
from places import IMAGES
from real_tools import build, make_site
from selection import rest_slow


def in_variable(name: str, value: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setenv(name, value)


def in_file(content: bytes, mode: int = 0o600) -> Callable[[pytest.MonkeyPatch], None]:
    def write(_: pytest.MonkeyPatch) -> None:
        file = config_folder(os.environ) / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)

    return write


WRONG: Mapping[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "key with a space": (in_variable("TINYJPG_API_KEY", "tj 1"), "the API key in TINYJPG_API_KEY holds"),
    "key beyond ASCII": (in_variable("TINYJPG_API_KEY", "tj\u00e9"), "the API key in TINYJPG_API_KEY holds"),
    "key with a line break": (in_variable("TINYJPG_API_KEY", "tj\n1"), "the API key in TINYJPG_API_KEY holds"),
    "address that is none": (in_variable("TINYJPG_API_URL", "ftp://x"), "TINYJPG_API_URL is no plain"),
    "file that others read": (in_file(b'api_key = "tj"', 0o644), "chmod 600 "),
    "file that is no TOML": (in_file(b"api_key = tj"), "is not valid TOML"),
    "file that is no text": (in_file(b"\xff\xfe"), "is not UTF-8"),
    "file with another key": (in_file(b'quality = "80"'), "quality is not known there"),
    "file with a number": (in_file(b"api_key = 3"), "must be text in quotes"),
    "wrong key in the file": (in_file(b'api_key = "tj 1"'), "holds a space"),
}


PLAIN = {"key with a space", "file that is no TOML"}


@pytest.fixture(params=rest_slow(WRONG, lambda name: name in PLAIN))
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """An account that is wrong; return words of the error about it."""
    if os.name != "posix" and request.param == "file that others read":
        pytest.skip("modes are POSIX")
    spoil, words = WRONG[request.param]
    spoil(monkeypatch)
    return words


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an image that is shrunk and one that is new."""
    (tmp_path / "shrunk.png").write_bytes(seal((IMAGES / "still.png").read_bytes(), 80))
    shutil.copy(IMAGES / "palette.png", tmp_path / "new.png")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<!doctype html><title>A site</title>")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code_of(*words: str) -> int:
    """Run the command in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        command(words)
    return int(str(ended.value.code))


OFFLINE = {
    "check shrunk.png": 0,
    "check new.png": 1,
    "explain shrunk.png": 0,
    "explain new.png": 0,
    "restore shrunk.png": 0,
    "cache info": 0,
    "cache verify": 0,
    "cache clear --yes": 0,
    "optimize --engine builtin new.png": 0,
    "optimize --engine builtin --dry-run new.png": 0,
    "warm --engine builtin new.png": 0,
    "pages site": 0,
    "compare shrunk.png": 2,  # there is nothing to compare it with
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", OFFLINE)
def test_what_needs_no_key(wrong: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What uses no API does its work whatever is wrong with the account."""
    assert OFFLINE[words] == code_of(*words.split())
    assert wrong not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "optimize new.png",
        "optimize --redo shrunk.png",
        "optimize --dry-run new.png",
        "optimize --engine hosted new.png",
        "warm new.png",
    ],
)
def test_what_uses_the_key(folder: Path, wrong: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What may use the API ends with 2 and the reason, before any file is changed."""
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert code_of(*words.split()) == 2
    assert wrong in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before


def test_usage(folder: Path, wrong: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`usage` says what is wrong with the account, not that there is none."""
    if "TINYJPG_API_URL" in os.environ:
        monkeypatch.setenv("TINYJPG_API_KEY", "tj")
    assert code_of("usage") == 2
    assert wrong in capsys.readouterr().err


def test_doctor_and_explain_say_it(folder: Path, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`doctor` and `explain` go through, and name what is wrong with the account."""
    if "TINYJPG_API_URL" not in os.environ:  # without a key, no address is used
        assert code_of("doctor") == 0
        assert wrong in capsys.readouterr().out
    assert code_of("explain", "new.png") == 0
    assert "  account  ! " in (said := capsys.readouterr().out)
    assert wrong in said


@pytest.mark.parametrize(
    ("words", "code"),
    [(["shrunk.png"], 0), (["--engine=builtin", "new.png"], 1), (["new.png"], 2), (["--engine=hosted", "new.png"], 2)],
)
def test_hook(folder: Path, wrong: str, words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The hook needs the key only for images that are not shrunk and may go to the API."""
    assert hook.main(words) == code
    assert (wrong in capsys.readouterr().out) is (code == 2)


@pytest.mark.usefixtures("wrong")
def test_python(folder: Path) -> None:
    """A `Session` checks offline and shrinks with the built-in codecs; the API's engine raises."""
    with imgshrink.Session(imgshrink.load_settings(folder)) as session:
        assert [row.path.rpartition("/")[2] for row in session.check(folder)] == ["new.png"]
        with pytest.raises(SettingsError):
            session.optimize(folder / "new.png")
    with imgshrink.Session(imgshrink.load_settings(folder, engine="builtin")) as session:
        assert session.optimize(folder / "new.png")[0].after < (IMAGES / "palette.png").stat().st_size
    assert read_seal((folder / "new.png").read_bytes()) == 80


@pytest.mark.parametrize(
    ("options", "built"),
    rest_slow([("engine: builtin", True), ("enabled: false", True), ("engine: auto", False)], lambda row: not row[1]),
)
def test_plugin(tmp_path: Path, options: str, *, built: bool) -> None:
    """A build fails for a wrong key only where images may go to the API, and then before it has begun."""
    site = make_site(tmp_path / "site", {"a.png": IMAGES / "still.png"}, options=options)
    done = build(site, environ={"TINYJPG_API_KEY": "tj 1"})
    assert (done.returncode == 0) is built, done.stdout
    assert ("the API key in TINYJPG_API_KEY holds" in done.stdout) is not built
    assert (site / "site").is_dir() is built


def test_every_command_is_in_the_table() -> None:
    """A new command has to say whether it needs the key."""
    tested = {words.split()[0] for words in OFFLINE} | {"usage", "doctor"}
    assert set(group.list_commands(None)) - {"server"} == tested  # type: ignore[arg-type]  # no context is needed
