"""A tunnel through a proxy: what is asked of it, what it may answer, and that it sees neither key nor images."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificate import self_signed
from fakes import png
from imgshrink.core.errors import EngineError, SettingsError
from imgshrink.core.model import Recipe
from imgshrink.engines.hosted.engine import Hosted
from imgshrink.engines.hosted.polling import RetryPolicy, Timing
from imgshrink.engines.hosted.proxy import LONGEST_HEAD, connect_request, read_proxy, read_reply
from imgshrink.image.sniff import sniff
from imgshrink.settings.credentials import read_account
from lying_server import LyingServer, lying_server
from patience import PATIENCE

KEY = "tj_secret_0123456789"
QUICK = Timing(answer=3.0, first=0.01, retry=RetryPolicy(persistence=3.0, backoff=0.01))


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://Proxy.Example/", "proxy.example:80"),
        ("proxy.example:8080", "proxy.example:8080"),
        ("http://[::1]:3128", "[::1]:3128"),
        ("http://me:pa%40ss@proxy.example:3128", "proxy.example:3128"),
    ],
)
def test_addresses(text: str, authority: str) -> None:
    """Host and port are read from the forms that people write, and a password is not shown."""
    proxy = read_proxy(text)
    assert proxy is not None
    assert proxy.authority == authority
    assert "pa" not in repr(proxy)


@pytest.mark.parametrize(
    "text", ["https://proxy:1", "socks5://proxy:1", "http://", "http://a b", "http://me:secret@x:99999", "http://x/y"]
)
def test_what_is_no_proxy(text: str) -> None:
    """Anything else is an error with the cure, and repeats no password."""
    with pytest.raises(SettingsError, match="write it like") as caught:
        read_proxy(text)
    assert "secret" not in str(caught.value)


def test_none_is_named() -> None:
    """Without the variable there is no proxy, and that of the environment is not taken."""
    assert read_proxy("") is None
    assert read_account({"HTTPS_PROXY": "http://a:1", "HOME": "/nowhere"}).proxy == ""
    assert read_account({"TINYJPG_PROXY": " http://a:1 ", "HOME": "/nowhere"}).proxy == "http://a:1"


def test_request() -> None:
    """The request holds the target twice and the credentials of the proxy, and nothing else."""
    proxy = read_proxy("http://me:pa%40ss@proxy:1")
    assert proxy is not None
    token = base64.b64encode(b"me:pa@ss").decode()
    assert connect_request(proxy, "api.example", 443).decode() == (
        f"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\nProxy-Authorization: Basic {token}\r\n\r\n"
    )
    assert connect_request(proxy, "::1", 443).startswith(b"CONNECT [::1]:443 ")


def pieces(data: bytes, size: int) -> Callable[[], bytes]:
    """Receives `data` in pieces, then nothing."""
    parts = iter([data[start : start + size] for start in range(0, len(data), size)])
    return lambda: next(parts, b"")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"HTTP/1.1 200 Connection established\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", ""),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused the connection (407)"),
        (b"HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n", "refused the connection (302)"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "sent something before the encryption began"),
        (b"HTTP/1.1 200 OK\r\n", "gave no reply of HTTP"),
        (b"SSH-2.0\r\n\r\n", "gave no reply of HTTP"),
        (b"x" * (LONGEST_HEAD + 1), "gave no reply of HTTP"),
        (b"", "gave no reply of HTTP"),
    ],
)
def test_replies(reply: bytes, why: str) -> None:
    """Only a 2xx reply without a byte behind it is a tunnel."""
    assert read_reply(pieces(reply, len(reply) or 1)) == why


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_reply_is_read(reply: bytes, size: int) -> None:
    """Bytes that are no reply end the attempt with a reason, never with an error."""
    assert isinstance(read_reply(pieces(reply, size)), str)


class LoopbackProxy:
    """A real proxy on loopback: it records what it sees, and connects to one port whatever the name."""

    def __init__(self, target: int, reply: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self.passed: list[bytes] = []
        self._target, self._reply = target, reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1)
            self.heads.append(head)
            client.sendall(self._reply)
            if b" 200 " not in self._reply:
                return
            with socket.create_connection(("127.0.0.1", self._target), PATIENCE) as server:
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._copy(client, server)
                back.join(PATIENCE)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.passed.append(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `api.example`, and its key, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"), "api.example")


@pytest.fixture
def api(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingServer]:
    """An API with that certificate, which is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with lying_server(tls=context) as running:
        yield running


@pytest.fixture
def through(tmp_path: Path) -> Iterator[Callable[..., Hosted]]:
    """Makes engines of `api.example`, which no name server knows, behind a proxy."""
    made: list[Hosted | LoopbackProxy] = []

    def make(proxy: LoopbackProxy, url: str = "https://api.example", login: str = "", hosts: str = "") -> Hosted:
        named = proxy.url.replace("http://", f"http://{login}")
        journal = tmp_path / "journal.sqlite3"
        engine = Hosted(KEY, url, (hosts,), journal=journal, timing=QUICK, proxy=named)
        made.extend([proxy, engine])
        return engine

    yield make
    for one in made:
        one.close()


def outcome(engine: Hosted, data: bytes) -> bytes | EngineError:
    """What the engine makes of an image."""
    found = sniff(data)
    assert found is not None
    try:
        return engine.optimize(data, found, Recipe())
    except EngineError as error:
        return error


def test_image_goes_through_encrypted(api: LyingServer, through: Callable[..., Hosted]) -> None:
    """The result comes back; the proxy has seen the host's name and neither the key nor a byte of the image."""
    proxy = LoopbackProxy(api.port)
    results = f"127.0.0.1:{api.port}"
    assert outcome(through(proxy, hosts=results), png(3)) == api.shrink(png(3))
    assert {head.split()[1] for head in proxy.heads} == {b"api.example:443", results.encode()}
    seen = b"".join(proxy.heads + proxy.passed)
    assert seen
    assert KEY.encode() not in seen
    assert png(3)[8:40] not in seen
    assert all(KEY in request.headers.values() for request in api.seen if request.method == "POST")


def test_a_proxy_that_opens_the_encryption(
    api: LyingServer, through: Callable[..., Hosted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that shows a certificate of its own gets nothing: nobody has trusted it."""
    monkeypatch.delenv("SSL_CERT_FILE")
    result = outcome(through(LoopbackProxy(api.port)), png(3))
    assert isinstance(result, EngineError)
    assert api.seen == []


def test_another_host_behind_the_proxy(api: LyingServer, through: Callable[..., Hosted]) -> None:
    """A proxy that connects to another host than was asked for gets nothing."""
    assert isinstance(outcome(through(LoopbackProxy(api.port), "https://other.example"), png(3)), EngineError)
    assert api.seen == []


def test_a_proxy_that_refuses(api: LyingServer, through: Callable[..., Hosted]) -> None:
    """The line names the proxy and its answer; nothing is paid, and the credentials are not repeated."""
    proxy = LoopbackProxy(api.port, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    engine = through(proxy, login="me:pass1234@")
    result = outcome(engine, png(3))
    assert isinstance(result, EngineError)
    assert f"the proxy {proxy.url.removeprefix('http://')} refused the connection (407)" in str(result)
    assert "pass1234" not in str(result)
    assert engine.uploads == 0
    assert b"Proxy-Authorization: Basic " in proxy.heads[0]


def test_api_of_this_machine_needs_no_proxy(through: Callable[..., Hosted]) -> None:
    """An API without encryption, which is on this machine, is reached directly."""
    with lying_server() as plain:
        proxy = LoopbackProxy(plain.port)
        assert outcome(through(proxy, plain.url), png(3)) == plain.shrink(png(3))
        assert proxy.heads == []
