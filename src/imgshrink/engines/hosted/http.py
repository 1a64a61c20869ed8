"""Two HTTP clients: one sends the API key and follows no redirect, one downloads results and has no key."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

from ... import __version__
from ...core.tinyjpg import IDEMPOTENCY_HEADER, KEY_HEADER, RETRY_HEADER, Upload
from .parsing import LARGEST_REPLY, read_text
from .polling import Timing
from .proxy import Proxy
from .replies import Reply, TransportError
from .secret import Secret
from .sockets import ForbiddenPeer, Sockets, SocketTransport, httpcore, httpx
from .urls import Url, is_loopback, is_private, read_result

HOPS = 3
REDIRECTS = (301, 302, 303, 307, 308)
LOGGERS = tuple(
    name + successor + part
    for successor in ("", "2")
    for name, parts in (("httpx", ("",)), ("httpcore", (".connection", ".http11", ".proxy")))
    for part in parts
)

_quiet = threading.local()


class Transport:
    """The two HTTP clients, keyed and keyless. Every method ends by its deadline, and raises `TransportError`."""

    def __init__(
        self,
        api: Url,
        key: Secret,
        hosts: Sequence[str],
        stop: threading.Event,
        timing: Timing,
        proxy: Proxy | None = None,
    ) -> None:
        self._api = api
        self._key = key
        self._hosts = hosts
        context = httpx.create_ssl_context() if api.scheme == "https" else None
        if proxy is not None and api.scheme == "https":  # an API without encryption is on this machine
            self._keyed_sockets = Sockets(stop, _check_nothing, proxy)
            self._keyless_sockets = Sockets(stop, _check_nothing, proxy)
        else:
            self._keyed_sockets = keyed = Sockets(stop, lambda address: _check_api(api, address))
            self._keyless_sockets = Sockets(stop, lambda address: _check_result(keyed.peer, address))
        self._keyed = _client(SocketTransport(self._keyed_sockets, context), timing)
        self._keyless = _client(SocketTransport(self._keyless_sockets, context), timing)

    def post(self, route: str, upload: Upload, token: str, deadline: float) -> Reply:
        """Send an upload to the API; redirects are returned, not followed."""
        body = _UploadBody(upload.body)
        headers = {
            "Content-Type": upload.content_type,
            "Content-Length": str(len(upload.body)),
            IDEMPOTENCY_HEADER: token,
        }
        request = self._keyed.build_request("POST", self._api.url + route, headers=headers, content=body)
        return self._send_keyed(request, deadline, body)

    def get(self, route: str, deadline: float) -> Reply:
        """Send a GET request to the API; redirects are returned, not followed."""
        request = self._keyed.build_request("GET", self._api.url + route)
        return self._send_keyed(request, deadline)

    def download(self, url: str, largest: int, deadline: float) -> Reply:
        """Download a result without the key; at most 3 redirects are followed, each of them checked."""
        base = f"{self._api.url}/"
        for _ in range(HOPS + 1):
            found = read_result(url, base, self._api, self._hosts)
            if self._key.appears_in(url):
                found = "an address that contains the API key"
            if isinstance(found, str):
                raise TransportError(f"offers its result where it is not fetched: {found}", forbidden=True)
            request = self._keyless.build_request("GET", found.url)
            reply = self._exchange(self._keyless, self._keyless_sockets, request, largest, deadline)
            if reply.code not in REDIRECTS or not reply.location:
                return reply
            base, url = found.url, reply.location
        raise TransportError(f"offers its result behind more than {HOPS} redirects", forbidden=True)

    def close(self) -> None:
        """Close both clients; requests in flight end."""
        self._keyed.close()
        self._keyless.close()

    def _send_keyed(self, request: httpx.Request, deadline: float, body: _UploadBody | None = None) -> Reply:
        request.headers[KEY_HEADER] = self._key.reveal()
        reply = self._exchange(self._keyed, self._keyed_sockets, request, LARGEST_REPLY, deadline, body)
        return replace(reply, body=self._key.redact_reply(reply.body))

    def _exchange(
        self,
        client: httpx.Client,
        sockets: Sockets,
        request: httpx.Request,
        largest: int,
        deadline: float,
        body: _UploadBody | None = None,
    ) -> Reply:
        try:
            with quiet(), sockets.until(deadline):
                return _read(client.send(request, stream=True, follow_redirects=False), largest)
        except Exception as error:  # noqa: BLE001 - any error of the client library may quote the request with its key
            reason = _reason(error, self._key)
            unreached = isinstance(error, (httpcore.ConnectError, httpcore.ConnectTimeout))
            forbidden, nonsense = isinstance(error, ForbiddenPeer), isinstance(error, TransportError)
        # Raised outside of the handler, so that its cause and context are empty: they would hold the request.
        sent = body is not None and body.begun
        raise TransportError(reason, unreached=unreached, sent=sent, forbidden=forbidden, nonsense=nonsense)


class _UploadBody(httpx.SyncByteStream):
    """A request body that knows whether sending it has begun."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.begun = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        yield self._body


def _check_api(api: Url, address: str) -> str:
    """Return why the key is not sent to the connected `address`, or ""."""
    if api.scheme == "http" and not is_loopback(address):
        return f"is {address}, which is not this machine: the key is not sent there unencrypted"
    return ""


def _check_result(api_address: str, address: str) -> str:
    """Return why no result is downloaded from the connected `address`, or ""; `api_address` is "" before the first."""
    if is_private(address) and not (api_address and is_private(api_address)):
        return f"offers its result at {address}, in a private network: it is not fetched"
    return ""


def _check_nothing(address: str) -> str:  # noqa: ARG001  the signature of a check
    """Behind a proxy the address is the proxy's own, and the certificate alone says who the peer is."""
    return ""


class _Quiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the signature of logging
        return not getattr(_quiet, "on", False)


_FILTER = _Quiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the HTTP library's logs of this thread: they contain whole URLs, and headers at debug level."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
    _quiet.on = True
    try:
        yield
    finally:
        _quiet.on = False


def _client(transport: SocketTransport, timing: Timing) -> httpx.Client:
    headers = {"User-Agent": f"imgshrink/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    return httpx.Client(
        transport=transport,
        headers=headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(timing.read, connect=timing.connect),
        trust_env=False,
        follow_redirects=False,
    )


def _read(response: httpx.Response, largest: int) -> Reply:
    """Return the response with its body as received: nothing is decompressed."""
    with closing(response):
        code, headers = response.status_code, response.headers
        if code in REDIRECTS:
            return Reply(code, location=headers.get("Location", ""))
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise TransportError("sent compressed bytes, which nobody asked for")
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > largest:
                raise TransportError(f"sent more than {largest} bytes")
        return Reply(code, bytes(body), headers.get(RETRY_HEADER, ""))


def _reason(error: Exception, key: Secret) -> str:
    text = read_text(key.redact(str(error))) or type(error).__name__
    if isinstance(error, (ForbiddenPeer, TransportError)):
        return text
    if "WRONG_VERSION_NUMBER" in text:
        return "can't be reached by https: it speaks plain http there, so its address begins with http://"
    if isinstance(error, (httpcore.ConnectError, httpcore.ConnectTimeout)):
        return f"can't be reached ({text})"
    if isinstance(error, httpcore.TimeoutException):
        return "did not answer in time"
    return f"broke off ({text})"
