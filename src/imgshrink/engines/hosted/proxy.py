"""A tunnel through an HTTP proxy (RFC 9110, section 9.3.6): it learns a host and a port, all else is encrypted."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ...core.errors import SettingsError
from .urls import HOST

LONGEST_HEAD = 16 * 1024
"""Bytes of a proxy's reply to CONNECT; more is no reply."""

END = b"\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r\n)")
WRONG = "TINYJPG_PROXY is no address of a proxy: write it like http://proxy.example.com:3128"


@dataclass(frozen=True)
class Proxy:
    """The proxy's host and port, and what it is told to let us through, "" for nothing."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """Host and port, as people know them."""
        return f"{self.host}:{self.port}"


def read_proxy(text: str) -> Proxy | None:
    """Return the proxy that `text` names, None for ""; raises `SettingsError`, which never repeats a password."""
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 80
    except ValueError:
        raise SettingsError(WRONG) from None
    host = parts.netloc.rpartition("@")[2].lower()
    host = host.rpartition(":")[0] if parts.port is not None else host.rstrip(":")
    if parts.scheme != "http" or not HOST.fullmatch(host) or parts.path not in ("", "/") or parts.query:
        raise SettingsError(WRONG)
    return Proxy(host, port, _authorization(parts.username, parts.password))


def _authorization(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    words = f"{unquote(user)}:{unquote(password or '')}"
    return f"Basic {base64.b64encode(words.encode()).decode('ascii')}"


def connect_request(proxy: Proxy, host: str, port: int) -> bytes:
    """Return the request for a tunnel to `host`. It holds nothing but that name, and the proxy's own credentials."""
    target = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def read_reply(receive: Callable[[], bytes]) -> str:
    """Read the proxy's reply, and return "" if the tunnel stands, else why not. `receive` returns b"" at the end."""
    head = b""
    while END not in head:
        piece = receive()
        head += piece
        if not piece or len(head) > LONGEST_HEAD:
            return "gave no reply of HTTP"
    status = STATUS.match(head)
    if status is None:
        return "gave no reply of HTTP"
    if not 200 <= int(status[1]) < 300:
        return f"refused the connection ({int(status[1])})"
    return "" if head.endswith(END) else "sent something before the encryption began"
