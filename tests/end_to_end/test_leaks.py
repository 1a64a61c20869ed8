"""The API key goes to the API and nowhere else, and pictures go without what need not be known of them."""

from __future__ import annotations

import io
import logging
import random
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from certificate import self_signed
from imgshrink.core import tinyjpg
from imgshrink.core.errors import EngineError, SettingsError
from imgshrink.core.model import Recipe
from imgshrink.engines.hosted.engine import Hosted
from imgshrink.engines.hosted.http import Transport, _check_result, _reason
from imgshrink.engines.hosted.polling import RetryPolicy, Timing
from imgshrink.engines.hosted.replies import TransportError
from imgshrink.engines.hosted.secret import Secret
from imgshrink.engines.hosted.urls import is_private, read_api
from imgshrink.image.sniff import sniff
from lying_server import Fault, LyingServer, hangs, lying_server, raw, replies, resets, says, upload_name
from patience import ENDLESS, PATIENCE, until

KEY = "tj_secret_0123456789"
NEVER_LATE = Timing(
    connect=ENDLESS, read=ENDLESS, answer=ENDLESS, question=ENDLESS, retry=RetryPolicy(persistence=ENDLESS)
)
QUICK = Timing(
    connect=1.0, read=0.6, job=1.5, answer=0.6, question=0.6, download=0.6, first=0.01,
    retry=RetryPolicy(persistence=1.0, backoff=0.01, longest_wait=0.5),
)  # fmt: skip
REDIRECTS = (301, 302, 303, 307, 308)

Make = Callable[..., Hosted]


def noise(seed: int = 0, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("L", (40, 40), random.Random(seed).randbytes(1600)).save(buffer, format, **options)
    return buffer.getvalue()


def outcome(engine: Hosted, data: bytes) -> bytes | EngineError:
    info = sniff(data)
    assert info is not None
    try:
        return engine.optimize(data, info, Recipe())
    except EngineError as error:
        return error


@pytest.fixture
def api() -> Iterator[LyingServer]:
    with lying_server() as running:
        yield running


@pytest.fixture
def stranger() -> Iterator[LyingServer]:
    """Another server, that notes what it is sent, and would deliver results."""
    with lying_server() as running:
        running.always["download"] = replies(200, b"x" * 100)
        yield running


@pytest.fixture
def hosted(api: LyingServer, tmp_path: Path) -> Iterator[Make]:
    made: list[Hosted] = []

    def make(key: str = KEY, url: str = "", hosts: tuple[str, ...] = (), **options: object) -> Hosted:
        options = {"journal": tmp_path / "uploads.sqlite", "timing": QUICK, **options}
        made.append(Hosted(key, url or api.url, hosts, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def told(server: LyingServer) -> str:
    """Return all that a server was sent, as text."""
    return repr([(seen.path, seen.headers, seen.body) for seen in server.seen])


def result_at(url: str) -> Fault:
    """Answer a status request with a result of 100 bytes at `url`."""
    data = {"image_id": 1, "status": "completed", "optimized_size": 100, "optimized_url": url}
    return says(200, {"success": True, "data": data})


@pytest.mark.parametrize("code", REDIRECTS)
@pytest.mark.parametrize("step", ["upload", "status", "stats"])
def test_keyed_redirects(step: str, code: int, api: LyingServer, stranger: LyingServer, hosted: Make) -> None:
    """A request with the key follows no redirect, of whatever kind."""
    api.always[step] = replies(code, b"", {"Location": stranger.url + "/api/status/1"})
    engine = hosted()
    outcome(engine, noise())
    engine.quota()
    assert stranger.seen == []


@pytest.mark.parametrize("code", REDIRECTS)
def test_redirected_downloads(code: int, api: LyingServer, stranger: LyingServer, hosted: Make) -> None:
    """A download follows a redirect to a host that was named, and takes no key there."""
    api.always["status"] = result_at("/direct-file/optimized/1")
    api.always["download"] = replies(code, b"", {"Location": f"{stranger.url}/direct-file/1"})
    assert outcome(hosted(hosts=(f"127.0.0.1:{stranger.port}",)), noise()) == b"x" * 100
    assert [seen.method for seen in stranger.seen] == ["GET"]
    assert KEY not in told(stranger)
    assert "x-api-key" not in told(stranger).lower()


def test_results_elsewhere(api: LyingServer, stranger: LyingServer, hosted: Make) -> None:
    """A result on a host that was named is fetched without the key, on any other host not at all, and that is said."""
    api.always["status"] = result_at(f"{stranger.url}/direct-file/1")
    refused = outcome(hosted(), noise())
    assert isinstance(refused, EngineError)
    assert f"127.0.0.1:{stranger.port}" in str(refused)
    assert "TINYJPG_DOWNLOAD_HOSTS" in str(refused)
    assert stranger.seen == []
    assert outcome(hosted(hosts=(f"127.0.0.1:{stranger.port}",)), noise()) == b"x" * 100
    assert (api.posts, len(stranger.seen), KEY in told(stranger)) == (1, 1, False)


def test_results_at_home_need_no_key(api: LyingServer, hosted: Make) -> None:
    """The API's own host is not given the key where it only hands out files."""
    outcome(hosted(), noise())
    download = api.seen[-1]
    assert "/direct-file/" in download.path
    assert "x-api-key" not in download.headers


@pytest.mark.parametrize("start", ["user:pass@", "www.tinyjpg.co@", "%40"])
def test_userinfo(start: str, api: LyingServer, stranger: LyingServer, hosted: Make) -> None:
    """An address with a user in it is not fetched."""
    api.always["status"] = result_at(f"http://{start}127.0.0.1:{stranger.port}/direct-file/1")
    outcome(hosted(hosts=(f"127.0.0.1:{stranger.port}",)), noise())
    assert stranger.seen == []


def test_cookies_are_not_kept(api: LyingServer, hosted: Make) -> None:
    """What a server wants remembered is not."""
    api.next("stats", says(200, {}, {"Set-Cookie": "session=1"}))
    engine = hosted()
    engine.quota()
    outcome(engine, noise())
    assert "session" not in told(api)


def test_proxies_of_the_environment(
    api: LyingServer, stranger: LyingServer, hosted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in the environment gets to see nothing."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, stranger.url)
    assert isinstance(outcome(hosted(), noise()), bytes)
    assert stranger.seen == []


PRIVATE = ("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]")


@pytest.mark.parametrize("host", PRIVATE)
def test_private_networks(host: str, stranger: LyingServer) -> None:
    """A result in a private network is not fetched for an API that is not in one, whatever its address looks like."""
    begun: list[bytes] = []
    stranger.always["accept"] = lambda connection, server, seen: begun.append(connection.socket.recv(1))
    destination = f"{host}:{stranger.port}"
    transport = Transport(read_api("https://www.tinyjpg.co"), Secret(KEY), (destination,), threading.Event(), QUICK)
    with pytest.raises(TransportError) as caught:
        transport.download(f"https://{destination}/x", 100, time.monotonic() + PATIENCE)
    transport.close()
    assert caught.value.forbidden
    assert b"".join(begun) == b""


LOCAL_NETWORK = (
    "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "fd00::1", "fe80::1", "::ffff:192.168.1.1", "64:ff9b::a00:5", "not an address",
)  # fmt: skip


@pytest.mark.parametrize("address", LOCAL_NETWORK)
def test_local_networks(address: str) -> None:
    """No result comes from a private address, loopback or not, unless the API is at one."""
    assert "private network" in _check_result("93.184.216.34", address)
    assert "private network" in _check_result("", address)
    assert _check_result("127.0.0.1", address) == ""
    assert _check_result("93.184.216.34", "93.184.216.35") == ""


def test_a_server_in_the_local_network() -> None:
    """A server at this machine's own address in its network is connected to, and asked for nothing."""
    address = own_address()
    if not is_private(address):
        pytest.skip("needs a private network address beside loopback")
    with socket.create_server((address, 0)) as listener:
        listener.settimeout(PATIENCE)
        destination = f"{address}:{listener.getsockname()[1]}"
        transport = Transport(read_api("https://www.tinyjpg.co"), Secret(KEY), (destination,), threading.Event(), QUICK)
        with pytest.raises(TransportError, match="in a private network") as caught:
            transport.download(f"https://{destination}/x", 100, time.monotonic() + PATIENCE)
        transport.close()
        assert caught.value.forbidden
        assert listener.accept()[0].recv(1) == b""


def own_address() -> str:
    """Return an address of this machine that is not loopback, "" where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def test_localhost_that_is_none(hosted: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the name of this machine leads to another one, the key is not sent there unencrypted."""
    address = own_address()
    if not address:
        pytest.skip("needs a network address beside loopback")
    listener = socket.create_server((address, 0))
    listener.settimeout(5)
    port = listener.getsockname()[1]
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real(address, *rest, **more))
    result = outcome(hosted(url=f"http://localhost:{port}"), noise())
    assert isinstance(result, EngineError)
    assert "not this machine" in str(result)
    with listener:
        assert listener.accept()[0].recv(1) == b""


@pytest.mark.parametrize("key", [KEY + "\nX-Other: 1", KEY[:5] + " " + KEY[5:], KEY + "é", "\x00" + KEY])
def test_a_key_that_can_be_none(key: str, hosted: Make) -> None:
    """A key that would break the request, or be printed by the client, is refused unquoted."""
    with pytest.raises(SettingsError) as caught:
        hosted(key=key)
    assert KEY[:5] not in str(caught.value)


def test_white_space_around_the_key(api: LyingServer, hosted: Make) -> None:
    """White space around a key does no harm."""
    assert isinstance(outcome(hosted(key=f" {KEY}\r\n"), noise()), bytes)
    assert api.seen[0].headers["x-api-key"] == KEY


ECHO = says(400, {"success": False, "message": f"The key {KEY} " + "is bad " * 40 + KEY})
FAILURES: dict[str, tuple[str, Fault]] = {
    "echo in a refusal": ("upload", ECHO),
    "echo in a denial": ("upload", says(401, {"message": KEY})),
    "echo in a permission": ("upload", says(403, {"message": f"{KEY} may not"})),
    "echo at the edge": ("upload", says(400, {"message": "x" * 180 + KEY})),
    "echo in the status": ("status", says(200, {"data": {"image_id": 1, "status": "failed", "message": KEY}})),
    "echo in an address": ("status", result_at(f"https://{KEY}/")),
    "echo in a redirect": ("download", replies(302, b"", {"Location": f"https://{KEY}.example/"})),
    "reset": ("upload", resets),
    "hangs": ("upload", hangs),
    "garbage": ("upload", raw(b"nonsense " + KEY.encode() + b"\r\n\r\n")),
    "bad header": ("upload", raw(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode())),
}  # fmt: skip


@pytest.mark.parametrize(("step", "fault"), FAILURES.values(), ids=FAILURES)
def test_errors(step: str, fault: Fault, api: LyingServer, hosted: Make) -> None:
    """No error shows the key: not its text, not what it came from, not its traceback with every local variable."""
    api.always[step] = fault
    result = outcome(hosted(), noise())
    assert isinstance(result, EngineError)
    error: BaseException | None = result
    while error is not None:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert KEY not in shown + repr(error) + str(error)
        assert not hasattr(error, "request")
        error = error.__cause__ or error.__context__


def test_logs(api: LyingServer, hosted: Make, caplog: pytest.LogCaptureFixture) -> None:
    """No log of any level holds the key or an address, from whichever library."""
    caplog.set_level(logging.DEBUG)
    for name in (
        "httpx",
        "httpcore.connection",
        "httpcore.http11",
        "httpx2",
        "httpcore2.connection",
        "httpcore2.http11",
    ):
        caplog.set_level(logging.DEBUG, logger=name)
    api.next("upload", resets)
    engine = hosted()
    for seed in range(2):
        outcome(engine, noise(seed))
    engine.quota()
    assert KEY not in caplog.text
    assert "/direct-file/" not in caplog.text
    assert "/api/" not in caplog.text


def test_logs_of_others(api: LyingServer, hosted: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The logs of whoever else uses the same library stay as they are."""
    from imgshrink.engines.hosted.sockets import httpx

    outcome(hosted(), noise())
    caplog.set_level(logging.INFO, logger=httpx.__name__)
    httpx.get(api.url + "/api/v1/stats")
    assert "/api/v1/stats" in caplog.text


def test_files(api: LyingServer, hosted: Make, tmp_path: Path) -> None:
    """No file that is left behind holds the key."""
    outcome(hosted(), noise())
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert all(KEY.encode() not in file.read_bytes() for file in files)


def test_objects(api: LyingServer, hosted: Make) -> None:
    """Nothing that an engine is made of shows the key when it is printed."""
    engine = hosted()
    outcome(engine, noise())
    shown = [repr(engine), repr(vars(engine)), repr(Secret(KEY)), str(Secret(KEY)), f"{Secret(KEY)}"]
    assert KEY not in "".join(shown)
    assert Secret(KEY).redact(f"a {KEY} b") == "a *** b"


def test_usage_is_redacted(api: LyingServer, hosted: Make) -> None:
    """What the API tells of the account does not repeat the key."""
    api.next("stats", says(200, {"data": {"key": KEY, "left": 5}}))
    assert hosted().ask(tinyjpg.STATS) == {"data": {"key": "***", "left": 5}}


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ("tj_abc/defgh", r"tj_abc\/defgh"),
        ("tj&abcdefgh", r"tj\u0026abcdefgh"),
        ("tj_ABCDEFGH", "tj_abcdefgh"),
        ("tj_abc/defgh", "tj_abc%2Fdefgh"),
        ("48151623421234567890", "48151623421234567890"),
    ],
)
@pytest.mark.parametrize("place", ["message", "errors", "name"])
def test_a_key_that_a_reply_spells_its_own_way(
    api: LyingServer, hosted: Make, private_photo: bytes, key: str, spelled: str, place: str
) -> None:
    """However the API quotes the key, no error, no reply and no record holds it."""
    bodies = {
        "message": f'{{"success": false, "message": "bad token {spelled}"}}',
        "errors": f'{{"success": false, "errors": {{"key": ["bad token {spelled}"]}}}}',
        "name": f'{{"success": false, "errors": {{"{spelled}": ["bad token"]}}, "message": "no"}}',
    }
    api.always["upload"] = replies(422, bodies[place].encode())
    api.always["stats"] = replies(200, bodies[place].replace("false", "true").encode())
    engine = hosted(key=key)
    shown = f"{outcome(engine, private_photo)} {engine.ask(tinyjpg.STATS)}".lower()
    assert key.lower() not in shown
    assert "tj_abc%2fdefgh" not in shown


def test_a_key_at_the_end_of_a_long_error(api: LyingServer, hosted: Make, private_photo: bytes) -> None:
    """The key is taken out before a text is cut: no part of it is left at the end."""
    key = "tj_abcdefghijklmn"
    engine = hosted(key=key)
    assert engine._ledger is not None
    transport = engine._client(engine._ledger).transport
    why = _reason(ValueError("x" * 190 + key), transport._key)
    assert "tj_" not in why


def test_a_key_of_digits(api: LyingServer, hosted: Make) -> None:
    """A key that looks like a number does not change the numbers in a reply."""
    api.next("stats", says(200, {"data": {"left": 123456}}))
    assert hosted(key="123456").ask(tinyjpg.STATS) == {"data": {"left": 123456}}


@pytest.fixture
def private_photo() -> bytes:
    """A JPEG with a position, a camera, a comment and a thumbnail."""
    exif = Image.Exif()
    exif[0x010F] = "CAMERA-MAKER"
    exif[0x013B] = "ARTIST-NAME"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.0), 29: "GPS-DATE"})
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\x00\x00\x00USER-COMMENT"
    return noise(1, "JPEG", exif=exif, comment=b"A-COMMENT")


def test_what_pictures_tell(api: LyingServer, hosted: Make, private_photo: bytes) -> None:
    """Neither position nor camera nor comments nor a file's name are in an upload."""
    private = (b"CAMERA-MAKER", b"GPS-DATE", b"USER-COMMENT", b"A-COMMENT")
    assert all(word in private_photo for word in private)
    outcome(hosted(), private_photo)
    assert [word for word in private if word in api.seen[0].body] == []
    assert len(upload_name(api.seen[0])) == len("0123456789abcdef.jpg")


def test_names_are_made_of_chance(api: LyingServer, hosted: Make) -> None:
    """Two uploads tell nothing by their names, not even that they belong together."""
    engine = hosted()
    for seed in range(2):
        outcome(engine, noise(seed))
    names = {upload_name(seen) for seen in api.seen if seen.method == "POST"}
    assert len(names) == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody trusts, and its key, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"), "localhost")


@pytest.fixture
def secure(certificate: Path) -> Iterator[LyingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with lying_server(tls=context) as running:
        yield running


def test_a_certificate_that_nobody_trusts(secure: LyingServer, hosted: Make) -> None:
    """A server that can't show who it is gets neither key nor picture."""
    result = outcome(hosted(url=secure.url), noise())
    assert isinstance(result, EngineError)
    assert "certificate" in str(result).lower()
    assert secure.seen == []


def test_a_certificate_that_is_trusted(
    secure: LyingServer, hosted: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way works encrypted, and a name that the certificate does not hold is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    assert outcome(hosted(url=secure.url), noise()) == secure.shrink(noise())
    monkeypatch.setattr(socket, "getaddrinfo", _at_home(socket.getaddrinfo))
    assert isinstance(outcome(hosted(url=f"https://other.example:{secure.port}"), noise(1)), EngineError)
    assert secure.posts == 1


def test_stop_while_encrypted(
    secure: LyingServer, hosted: Make, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encrypted request in flight ends with the stop, and nothing follows it unencrypted."""
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    secure.always["upload"] = hangs
    stop = threading.Event()
    engine = hosted(url=secure.url, stop=stop, timing=NEVER_LATE)
    thread = threading.Thread(target=outcome, args=(engine, noise()))
    thread.start()
    until(lambda: secure.posts)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_handshake_that_never_ends(api: LyingServer, hosted: Make) -> None:
    """A server that takes the connection and says nothing is given up, and the stop does not wait for it."""
    api.always["accept"] = hangs
    stop = threading.Event()
    engine = hosted(url=f"https://127.0.0.1:{api.port}", stop=stop, timing=NEVER_LATE)
    results: list[bytes | EngineError] = []
    thread = threading.Thread(target=lambda: results.append(outcome(engine, noise())))
    thread.start()
    until(lambda: api.connections)
    stop.set()
    thread.join(PATIENCE)
    assert [type(result).__name__ for result in results] == ["Unavailable"]
    assert engine.uploads == 0


def _at_home(real: Callable[..., object]) -> Callable[..., object]:
    return lambda host, *rest, **more: real("127.0.0.1", *rest, **more)
