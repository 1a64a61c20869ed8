"""Where results are kept elsewhere: every way to answer wrongly is one kind of error, soon, and leaks nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broken_servers import BROKEN, BrokenServer, Reply, body, broken, hangs, status
from imgshrink.cache.shared import announcement
from imgshrink.cache.shelf import CREDENTIALS, Address, ObjectShelf, Trouble
from patience import PATIENCE
from shelves import ANNOUNCED, SIGNER, in_folder, tiered

NAME = "v1/ab/abcd"
LOGIN = "user:hunter2"


def s3(server: BrokenServer, monkeypatch: pytest.MonkeyPatch, **environ: str) -> ObjectShelf:
    """A bucket at `server`, reached with the variables of the environment."""
    for name, value in {"AWS_ENDPOINT_URL": server.url.removesuffix("/shared"), **environ}.items():
        monkeypatch.setenv(name, value)
    return ObjectShelf(Address("s3://bucket/a folder"), os.environ)


@pytest.mark.parametrize(("reply", "line"), BROKEN.values(), ids=BROKEN)
def test_broken_servers(reply: Reply, line: str, tmp_path: Path) -> None:
    """A broken server is asked once, by a run that wants many results, and the summary says what it did."""
    with broken(reply) as server:
        cache = tiered(tmp_path, ObjectShelf(Address(server.url), {}))
        cache.prefetch({f"{number:064x}": 1000 for number in range(800)}, {})
        cache.close()
        assert cache.summary() == line
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://127.0.0.1:1/x", "no connection"),
        ("https://no-such-host.invalid/x", "no such host"),
        ("file:///no/such/folder", "no such folder"),
    ],
)
def test_nobody_there(url: str, line: str, tmp_path: Path) -> None:
    """Where nobody is, that is said."""
    cache = tiered(tmp_path, ObjectShelf(Address(url), {}))
    cache.prefetch({NAME: 1000}, {})
    assert cache.summary() == f"not answering, went on without it ({line})"


def test_it_stops_in_the_middle(tmp_path: Path) -> None:
    """A server that stops answering costs the calls in flight and one wave more; what had arrived counts."""
    announced = SIGNER.seal(announcement(SIGNER.key_id), ANNOUNCED)

    def answers_a_few(connection: object, server: BrokenServer) -> None:
        if len(server.requests) > 40:
            hangs(connection, server)  # type: ignore[arg-type]
        else:
            first = len(server.requests) == 1
            (body(announced) if first else status(404))(connection, server)  # type: ignore[arg-type]

    with broken(answers_a_few) as server:
        cache = tiered(tmp_path, ObjectShelf(Address(server.url), {}))
        cache.prefetch({f"{number:064x}": 1000 for number in range(800)}, {})
        assert "39 not there" in cache.summary()
        assert cache.summary().endswith("not answering, went on without it (time-out)")
        assert len(server.requests) <= 40 + 3 * 32


def test_no_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that does not exist is told from a result that does not."""
    text = b"<Error><Code>NoSuchBucket</Code></Error>"
    reply = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % len(text)
    with (
        broken(lambda connection, _: connection.sendall(reply + text)) as server,
        pytest.raises(Trouble, match="no such bucket"),
    ):
        s3(server, monkeypatch).get(NAME, 1000)


def test_anonymous_means_unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, and with the empty ones that GitHub gives forks, a request is not signed."""
    with broken(status(404)) as server:
        environ = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"), "")
        shelf = s3(server, monkeypatch, **environ)
        assert shelf.get(NAME, 1000) is None
        (request,) = server.requests
        assert request.startswith(b"GET /bucket/a%20folder/v1/ab/abcd HTTP/1.1\r\n")
        assert b"authorization" not in request.lower()
        assert b"x-amz" not in request.lower()
        assert os.environ["AWS_ACCESS_KEY_ID"] == ""


def test_an_empty_session_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """With credentials a request is signed, and an empty session token is not sent."""
    with broken(status(404)) as server:
        environ = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": ""}
        shelf = s3(server, monkeypatch, **environ)
        assert shelf.get(NAME, 1000) is None
        assert b"Credential=AK/" in server.requests[0]
        assert b"x-amz-security-token" not in server.requests[0]
        assert b"hunter2" not in server.requests[0]


@pytest.mark.parametrize("scheme", CREDENTIALS)
def test_who_is_anonymous(scheme: str) -> None:
    """Credentials are those of a store's usual variables, all of a row; empty ones and other stores' are none."""
    address = Address(f"{scheme}://bucket/x")
    assert address.anonymous({})
    for row in CREDENTIALS[scheme]:
        assert not address.anonymous(dict.fromkeys(row, "x"))
        assert address.anonymous(dict.fromkeys(row, " "))
        assert len(row) == 1 or address.anonymous({row[0]: "x"})
    others = {name: "x" for other, rows in CREDENTIALS.items() if other != scheme for row in rows for name in row}
    assert address.anonymous(others)


def test_a_login_stays_at_home() -> None:
    """A login goes to the server that is set, and not with a redirect to another host."""
    with broken(status(404)) as stranger:
        elsewhere = stranger.url.replace("127.0.0.1", "localhost")
        with broken(status(302, f"Location: {elsewhere}")) as server:
            shelf = ObjectShelf(Address(server.url), {}, login=LOGIN)
            assert shelf.get(NAME, 1000) is None
            assert b"authorization: Basic dXNlcjpodW50ZXIy\r\n" in server.requests[0]
            assert b"authorization" not in stranger.requests[0].lower()


@pytest.mark.parametrize("reply", [status(401), status(500, f"X-Echo: {LOGIN}"), body(b"x", length=5)])
def test_no_error_holds_a_login(reply: Reply) -> None:
    """No error shows an address, a login or what obstore says: not in its text, nor in what it came from."""
    with broken(reply) as server:
        shelf = ObjectShelf(Address(server.url), {}, login=LOGIN)
        with pytest.raises(Trouble) as caught:
            shelf.get(NAME, 1000)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    for text in (str(caught.value), repr(caught.value), repr(shelf)):
        assert "127.0.0.1" not in text
        assert "hunter2" not in text


@pytest.mark.parametrize("url", ["http://example.invalid/x", "s3://bucket/x"])
def test_unencrypted_only_on_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request leaves this machine unencrypted, whatever the address or the store's endpoint says."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://example.invalid")
    with pytest.raises(Trouble):
        ObjectShelf(Address(url), os.environ).get(NAME, 1000)
    assert not Address(url).plain(os.environ)


def test_in_a_folder(tmp_path: Path) -> None:
    """A folder keeps what is put first, names it, and bounds what is read."""
    shelf = in_folder(tmp_path / "new")
    assert shelf.get(NAME, 1000) is None
    assert shelf.put_new(NAME, b"first")
    assert not shelf.put_new(NAME, b"second")
    assert shelf.get(NAME, 1000) == b"first"
    assert shelf.names("v1", 10) == [NAME]
    assert shelf.names("v2", 10) == []
    with pytest.raises(Trouble, match="an answer of 5 bytes"):
        shelf.get(NAME, 4)
    with pytest.raises(Trouble):
        shelf.get("../outside", 1000)


def test_a_webdav_server_is_not_written_over() -> None:
    """A server without conditional writing is asked first; what is there stays."""
    with broken(body(b"there")) as server:
        assert not ObjectShelf(Address(server.url), {}).put_new(NAME, b"new")
        assert [request[:4] for request in server.requests] == [b"GET "]

    def nothing_there(connection: object, server: BrokenServer) -> None:
        is_get = server.requests[-1].startswith(b"GET")
        (status(404) if is_get else body(b""))(connection, server)  # type: ignore[arg-type]

    with broken(nothing_there) as server:
        assert ObjectShelf(Address(server.url), {}).put_new(NAME, b"new")
        assert [request[:4] for request in server.requests] == [b"GET ", b"PUT "]


FORKS = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from caches import SMALL
from shelves import SIGNER, in_folder, tiered
folder = Path(sys.argv[2])
KEYS = [f"{number:064x}" for number in range(40)]
cache = tiered(folder / "cache", in_folder(folder / "bucket"), signer=SIGNER)
cache.prefetch(dict.fromkeys(KEYS, 1000), {})
cache.put(KEYS[0], SMALL)
if not os.fork():
    cache.put(KEYS[1], SMALL)
    other = tiered(folder / "other", in_folder(folder / "bucket"), signer=SIGNER)
    other.prefetch(dict.fromkeys(KEYS, 1000), {})
    assert cache.get(KEYS[1]) == SMALL
    cache.prefetch({"b" * 64: 1000}, {})
    cache.close()
    other.close()
    print(other.summary(), flush=True)
    os._exit(0)
_, code = os.wait()
cache.close()
print(code, cache.summary())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_without_it(tmp_path: Path) -> None:
    """In a child that was forked after a call, where obstore would hang for ever, only the local cache is used."""
    support = Path(__file__).parents[1] / "support"
    done = subprocess.run(
        [sys.executable, "-c", FORKS, support, tmp_path], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "not answering, went on without it (a process that was forked)",
        "0 1 added",
    ]
