"""A bucket whose credentials may not do everything: a proxy before a real S3 server that refuses as S3 itself does."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCESS_DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
NOT_FORWARDED = ("connection", "transfer-encoding")


class StrictBucket(ThreadingHTTPServer):
    """Nothing can be listed: 403 for what is not there. `refused` are parts of paths that are refused as well."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.port = target, self.server_address[1]
        self.refused: set[str] = set()
        self.requests: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: StrictBucket
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        self.server.requests.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if any(part in self.path for part in self.server.refused):
            self._reply(403, {}, ACCESS_DENIED)
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        data = answer.read()
        if answer.status == 404 and b"NoSuchBucket" not in data:
            self._reply(403, {}, ACCESS_DENIED)
        else:
            self._reply(answer.status, dict(answer.getheaders()), data)
        upstream.close()

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        kept = {name: value for name, value in headers.items() if name.lower() not in NOT_FORWARDED}
        if self.command != "HEAD" and status != 204:
            kept = {**{name: value for name, value in kept.items() if name.lower() != "content-length"},
                    "Content-Length": str(len(body))}  # fmt: skip
        for name, value in kept.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _pass_on  # noqa: N815  the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def strict_bucket(target: int) -> Iterator[StrictBucket]:
    """A proxy before the S3 server at a port, for the time of a test."""
    with StrictBucket(target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
