"""Where requests may go: the API's address, the addresses that a result may be fetched from, private networks. Pure."""

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

# Site-local, NAT64 of a network's own, IPv4-compatible: not global, whatever Python's tables say.
_LOCAL = tuple(map(ipaddress.IPv6Network, ("fec0::/10", "64:ff9b:1::/48", "::/96")))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Url:
    """A web address, taken apart and found plain; `host` is lower case, `path` holds the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, the port left out where it is the scheme's own."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, the port left out where it is the scheme's own: the name that people know."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as text, put together from its checked parts."""
        return self.origin + self.path


def read_place(url: str) -> Url | None:
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
    """Return where the API is; raises `SettingsError`, with the cure, for all but https, or http on this machine."""
    place = read_place(url.strip())
    if place is None or "?" in place.path or "#" in url:
        raise SettingsError(
            "TINYJPG_API_URL is no plain web address: write it like https://www.tinyjpg.co, and no user in it"
        )
    if place.scheme == "http" and not is_loopback_name(place.host):
        raise SettingsError(
            f"TINYJPG_API_URL would send the API key to {place.host} unencrypted: use https (http only for localhost)"
        )
    return Url(place.scheme, place.host, place.port, place.path.rstrip("/"))


def read_result(url: str, base: str, api: Url, hosts: Sequence[str]) -> Url | str:
    """Return where a result lies, `url` taken relative to `base`; or, as text, why nothing is fetched from there."""
    try:
        place = read_place(urljoin(base, url))
    except ValueError:
        place = None
    if place is None:
        return "no plain web address"
    if place.scheme != "https" and api.scheme != "http":
        return f"{place.host}, without encryption"
    if place.origin == api.origin or place.authority in hosts or (place.host in hosts and _own_port(place)):
        return place
    return f"{place.authority}, {UNLISTED}"


def is_loopback_name(host: str) -> bool:
    """Whether a host is this machine by its name alone."""
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
    """Return the address that is really reached: an IPv4 address wrapped into an IPv6 one is unwrapped."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _own_port(place: Url) -> bool:
    return place.port == PORTS[place.scheme]
