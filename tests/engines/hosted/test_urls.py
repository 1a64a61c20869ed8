"""Where requests may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.errors import SettingsError
from imgshrink.engines.hosted.urls import Url, is_loopback, is_private, read_api, read_result, read_url

API = read_api("https://www.tinyjpg.co")
LOCAL = read_api("http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.tinyjpg.co", "https://www.tinyjpg.co"),
        (" https://WWW.TinyJPG.co/ ", "https://www.tinyjpg.co"),
        ("https://www.tinyjpg.co:443", "https://www.tinyjpg.co"),
        ("https://images.example.com:8443/shrink/", "https://images.example.com:8443/shrink"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_api(url: str, expected: str) -> None:
    """The API is https, or http on this machine; it may live below a path."""
    assert read_api(url).url == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tinyjpg.co",
        "http://192.168.1.5",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://www.tinyjpg.co",
        "www.tinyjpg.co",
        "https://",
        "https://user:password@www.tinyjpg.co",
        "https://www.tinyjpg.co@evil.example",
        "https://www.tinyjpg.co\\@evil.example",
        "https://www.tinyjpg.co/?key=1",
        "https://www.tinyjpg.co/#x",
        "https://www.tiny jpg.co",
        "https://www.tinyjpg.co:99999",
        "https://www.tinyjpg.co:0",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://tínyjpg.co",
        "https://" + "a" * 5000,
        "",
    ],
)
def test_bad_api(url: str) -> None:
    """Anything else is refused, with the setting's name."""
    with pytest.raises(SettingsError, match="TINYJPG_API_URL"):
        read_api(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.tinyjpg.co/direct-file/a.png", "https://www.tinyjpg.co/direct-file/a.png"),
        ("/direct-file/a.png?sign=1#part", "https://www.tinyjpg.co/direct-file/a.png?sign=1"),
        ("direct-file/a.png", "https://www.tinyjpg.co/direct-file/a.png"),
        ("//www.tinyjpg.co/a", "https://www.tinyjpg.co/a"),
        ("HTTPS://WWW.TINYJPG.CO:443/a", "https://www.tinyjpg.co/a"),
        ("https://cdn.example.com/a", "https://cdn.example.com/a"),
        ("https://files.example.com:8443/a", "https://files.example.com:8443/a"),
    ],
)
def test_results(url: str, expected: str) -> None:
    """A result lies at the API's origin, or on a host that was named, absolute or relative."""
    place = read_result(url, API.url + "/", API, ("cdn.example.com", "files.example.com:8443"))
    assert isinstance(place, Url)
    assert place.url == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tinyjpg.co/a",
        "https://evil.example/a",
        "//evil.example/a",
        "https://www.tinyjpg.co.evil.example/a",
        "https://www.tinyjpg.co:8443/a",
        "https://cdn.example.com:444/a",
        "https://key@www.tinyjpg.co/a",
        "https://www.tinyjpg.co:pass@evil.example/a",
        "https://evil.example\\@www.tinyjpg.co/a",
        "\\\\evil.example/a",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://[::1",
        "https://www.tinyjpg.co/\r\nX-API-Key: a",
        "https://www.tinyjpg.co/ä",
    ],
)
def test_refused_results(url: str) -> None:
    """Nothing is fetched from elsewhere, nor unencrypted, nor from an address that two parsers read in two ways."""
    assert isinstance(read_result(url, API.url + "/", API, ("cdn.example.com",)), str)


def test_results_of_a_local_api() -> None:
    """An API on this machine may hand out its results without encryption, still only its own."""
    assert isinstance(read_result("/a", LOCAL.url + "/", LOCAL, ()), Url)
    assert isinstance(read_result("http://127.0.0.1:8001/a", LOCAL.url + "/", LOCAL, ()), str)
    assert isinstance(read_result("http://127.0.0.1:8001/a", LOCAL.url + "/", LOCAL, ("127.0.0.1:8001",)), Url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "", "no address",
    ],
)  # fmt: skip
def test_private(address: str) -> None:
    """An address that is not public is private, also where an IPv4 address hides inside an IPv6 one."""
    assert is_private(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::808:808"])
def test_public(address: str) -> None:
    """A public address is not private."""
    assert not is_private(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("x", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    """This machine's own addresses are known."""
    assert is_loopback(address) is expected


@given(
    st.text(max_size=60) | st.text(alphabet="ahtps:/\\@?#.[]%0 1\t\n", max_size=40).map(lambda tail: "https://" + tail)
)
def test_any_text(url: str) -> None:
    """No text makes the readers raise, and what is read is read the same again."""
    place = read_url(url)
    assert place is None or read_url(place.url) == place
    read_result(url, API.url + "/", API, ())
