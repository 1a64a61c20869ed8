"""Which addresses may be contacted: the API, the hosts of results, private networks. Pure functions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ...core.errors import SettingsError

PORTS = {"https": 443, "http": 80}
HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
UNLISTED = "a host that nobody has allowed"
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

# Site-local, local-use NAT64 (RFC 8215), IPv4-compatible: not global, although Python's tables say so.
_LOCAL = tuple(map(ipaddress.IPv6Network, ("fec0::/10", "64:ff9b:1::/48", "::/96")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Url:
    """A parsed web address; `host` is lower case, `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, without the scheme's default port."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, without the scheme's default port: the name that people know."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as text, built from its checked parts."""
        return self.origin + self.path


def read_url(url: str) -> Url | None:
    """Return the parts of a plain http or https address; None for userinfo, odd characters, or anything else."""
    if len(url) > 4096 or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or "@" in parts.netloc:
        return None
    host = parts.netloc.lower().rpartition(":")[0] if port is not None else parts.netloc.lower().rstrip(":")
    if not HOST.fullmatch(host) or port == 0:
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, host, port or PORTS[parts.scheme], path)


def read_api(url: str) -> Url:
    """Return the API's address; raises `SettingsError`, with the cure, unless it is https, or http on this machine."""
    found = read_url(url.strip())
    if found is None or "?" in found.path or "#" in url:
        raise SettingsError(
            "TINYJPG_API_URL is no plain web address: write it like https://www.tinyjpg.co, and no user in it"
        )
    if found.scheme == "http" and not is_loopback_name(found.host):
        raise SettingsError(
            f"TINYJPG_API_URL would send the API key to {found.host} unencrypted: use https (http only for localhost)"
        )
    return Url(found.scheme, found.host, found.port, found.path.rstrip("/"))


def read_result(url: str, base: str, api: Url, hosts: Sequence[str]) -> Url | str:
    """Return the address of a result, `url` relative to `base`; or, as text, why nothing is downloaded from there."""
    try:
        found = read_url(urljoin(base, url))
    except ValueError:
        found = None
    if found is None:
        return "no plain web address"
    if found.scheme != "https" and api.scheme != "http":
        return f"{found.host}, without encryption"
    if found.origin == api.origin or found.authority in hosts or (found.host in hosts and _own_port(found)):
        return found
    return f"{found.authority}, {UNLISTED}"


def is_loopback_name(host: str) -> bool:
    """Whether the name of a host alone says that it is this machine."""
    return host == "localhost" or is_loopback(host.strip("[]"))


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own; False for what is no IP address."""
    found = _read_address(address)
    return found is not None and found.is_loopback


def is_private(address: str) -> bool:
    """Whether an IP address is anything but a public one; True for what is no IP address."""
    found = _read_address(address)
    return found is None or not found.is_global or found.is_multicast or any(found in network for network in _LOCAL)


def _read_address(text: str) -> Address | None:
    """Return the address that is contacted; an IPv4 address inside an IPv6 one is extracted."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _own_port(found: Url) -> bool:
    return found.port == PORTS[found.scheme]
