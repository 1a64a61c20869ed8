"""The command `imgshrink server`: its keys, its start, its errors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from imgshrink.cli import main
from imgshrink.cli.server import server
from places import IMAGES, ROOT
from server_process import PATIENCE

COMMAND = [sys.executable, "-m", "imgshrink", "server"]


Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What the command says on both streams that ends by itself; run in this process."""

    def called(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["server", *arguments])
        printed = "".join(capsys.readouterr())
        assert ended.value.code == code, printed
        return printed

    return called


@contextmanager
def serving(*arguments: str) -> Iterator[list[str]]:
    """The lines that a starting server prints, while it serves; SIGTERM ends it with exit code 0."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "listening on" in line:
                break
        yield lines
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    finally:
        process.kill()
        process.wait()


def url_in(lines: list[str]) -> str:
    return lines[-1].partition("listening on ")[2].partition(",")[0]


def test_first_start(home: Path) -> None:
    """The first start prints a key that is accepted; the data is in the user's state folder, for the user only."""
    with serving() as lines:
        assert lines[0].startswith(
            "imgshrink server: the first API key (10,000 images a month), shown only now: imgshrink_"
        )
        headers = {"X-API-Key": lines[0].split()[-1]}
        assert httpx.get(url_in(lines) + "/api/v1/stats", headers=headers).status_code == 200
        assert url_in(lines).startswith("http://127.0.0.1:")
    assert (home / ".state" / "imgshrink" / "server").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_second_start(home: Path, said: Said) -> None:
    """Later starts print no key, also when the first one is revoked."""
    with serving():
        pass
    said("keys", "revoke", "first")
    with serving() as lines:
        assert len(lines) == 1


def test_optimizes(home: Path) -> None:
    """The command serves the built-in codecs."""
    with serving("--jobs", "1") as lines:
        headers, url = {"X-API-Key": lines[0].split()[-1]}, url_in(lines)
        files = {"image": (IMAGES / "still.png").read_bytes()}
        number = httpx.post(url + "/api/optimize", headers=headers, files=files).json()["data"]["image_id"]
        end = time.monotonic() + PATIENCE
        while (data := httpx.get(f"{url}/api/status/{number}", headers=headers).json()["data"])[
            "status"
        ] == "processing":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert (data["status"], data["optimized_size"] < data["original_size"]) == ("completed", True)


@pytest.mark.slow
def test_public_url(home: Path) -> None:
    """Replies use `--public-url`."""
    with serving("--public-url", "https://images.example.org/") as lines:
        document = httpx.get(url_in(lines) + "/openapi.json").json()
        assert document["servers"] == [{"url": "https://images.example.org"}]


def test_operating(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and variables give the format of the log, the token of the metrics and the drain."""
    monkeypatch.setenv("IMGSHRINK_METRICS_TOKEN", "token-of-16-letters\n")
    monkeypatch.setenv("IMGSHRINK_LOG_FORMAT", "json")
    command = [*COMMAND, "--port", "0", "--drain", "3600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = url_in([next(line for line in process.stdout if "listening on" in line)])
            headers = {"Authorization": "Bearer token-of-16-letters"}
            assert httpx.get(f"{url}/metrics", headers=headers).status_code == 200
            process.send_signal(signal.SIGTERM)
            end = time.monotonic() + PATIENCE
            while httpx.get(f"{url}/health/ready").status_code == 200:
                assert time.monotonic() < end
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert {json.loads(line)["route"] for line in log.splitlines()} == {"/metrics", "/health/ready"}


def test_key_is_the_last_word(home: Path, tmp_path: Path, said: Said) -> None:
    """`keys add` prints the key as its last word; the server with the same data accepts it."""
    data = ("--data", str(tmp_path / "elsewhere"))
    key = said(*data, "keys", "add", "ci", "--limit", "7").split()[-1]
    with serving(*data) as lines:
        reply = httpx.get(url_in(lines) + "/api/v1/stats", headers={"X-API-Key": key})
        assert (reply.json()["data"]["limit"], len(lines)) == (7, 1)


def test_keys_list(home: Path, said: Said) -> None:
    """`keys list` shows names, use and state, and no key."""
    key = said("keys", "add", "ci").split()[-1]
    said("keys", "add", "docs", "--limit", "5")
    assert said("keys", "revoke", "docs") == "The key docs is revoked.\n"
    listed = said("keys", "list")
    first, second = listed.splitlines()
    assert first.startswith("ci ")
    assert "0 of 10000 images this month  in force" in first
    assert "0 of 5 images this month  revoked " in second
    assert key not in listed


def test_key_problems(home: Path, said: Said) -> None:
    """Errors with keys are usage errors, in one line."""
    said("keys", "add", "ci")
    assert said("keys", "add", "ci", code=2) == (
        "imgshrink: there is a key named ci already: revoke it first, or choose another name\n"
    )
    assert said("keys", "revoke", "nobody", code=2).startswith("imgshrink: there is no key named nobody in force")


def test_open_to_the_network_without_a_name(home: Path, said: Said) -> None:
    """A server that other machines can reach needs `--public-url`."""
    assert "needs --public-url" in said("--host", "0.0.0.0", "--port", "0", code=2)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "images.example.org",
        "https://",
        "https://u:p@x",
        "https://x/?a",
        "https://x/#a",
        "https://é.org",
        "https://x/\x1b",
    ],
)
def test_bad_public_url(home: Path, said: Said, url: str) -> None:
    """An invalid public URL is refused, with an example."""
    text = said("--port", "0", "--public-url", url, code=2)
    assert "--public-url is an http or https URL such as https://images.example.org" in text
    assert "\x1b" not in text


def test_port_taken(home: Path, said: Said) -> None:
    """A port that is in use is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"can't listen on 127.0.0.1 port {port}" in said("--port", port, code=2)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a path that is no folder on POSIX")
def test_no_place_for_data(home: Path, tmp_path: Path, said: Said) -> None:
    """A folder that can't be created is named."""
    (tmp_path / "file").write_text("")
    assert "can't be used" in said("--data", str(tmp_path / "file" / "data"), "--port", "0", code=2)


def test_without_the_extra(home: Path, tmp_path: Path) -> None:
    """Without the extra the server names the packages to install."""
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('starlette')")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from imgshrink.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "server"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        'imgshrink: the server needs more packages: pip install "imgshrink[server]"\n',
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs 0 needs --database: only other nodes of the same database can do the work"),
        (["--database", "postgresql://localhost/x"], "--database needs --blobs, where all nodes find the images"),
        (["--database", "mysql://localhost/x"], "--database is a URL such as postgresql://user:password@host:5432/"),
        (["--database", "postgresql://localhost"], "--database is a URL such as postgresql://user:password@host"),
        (["--database", "postgresql://u:secret@127.0.0.1:1/x", "--blobs", "s3://b"], "connection"),
        (["--blobs", "ftp://x"], "--blobs is a URL such as s3://bucket/prefix, gs://bucket or az://container"),
        (["migrate"], "migrate needs --database and --blobs: where keys, jobs and images of --data go"),
    ],
    ids=["no work", "no store", "mysql", "no name", "nobody there", "no bucket", "migrate"],
)
def test_places(tmp_path: Path, said: Said, arguments: list[str], message: str) -> None:
    """Places that can't be used are named, without their passwords."""
    output = said("--data", str(tmp_path), *arguments, code=2)
    assert message in output
    assert "secret" not in output
    assert output.count("\n") == 1


def test_places_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    """A password belongs into the environment, and so do the places."""
    monkeypatch.setenv("IMGSHRINK_DATABASE", "postgresql://localhost/x")
    assert "--database needs --blobs" in said("--data", str(tmp_path), code=2)
    monkeypatch.setenv("IMGSHRINK_BLOBS", "s3://")
    monkeypatch.delenv("IMGSHRINK_DATABASE")
    assert "--blobs is a URL such as" in said("--data", str(tmp_path), code=2)


def test_documented_options() -> None:
    """The page on self-hosting lists every option, in the command's order, with the default that it has."""
    page = (ROOT / "example_site" / "docs" / "self-hosting.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \|", page, re.MULTILINE)
    options = {option.opts[0]: option for option in server.params}
    assert [name for name, _ in table] == list(options)
    for name, default in table:
        if default.startswith("`"):
            assert default.strip("`") == str(options[name].default).removesuffix(".0")
