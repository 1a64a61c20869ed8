"""The server's page for people, over a real socket and in a real browser."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from browser import CHROMIUM
from imgshrink import __version__
from patience import until
from places import IMAGES
from server_process import Served
from webdriver import DRIVER, ELEMENT, Browser, browser

SERVER = {"engine": "builtin"}
BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]


def test_page(server: Served) -> None:
    """`/` says what this is, the version and the address for clients, and is HTML for HEAD too."""
    reply = httpx.get(server.url + "/")
    assert reply.status_code == httpx.head(server.url + "/").status_code == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert f"Version {__version__}" in reply.text
    assert f'curl -X POST "{server.url}/api/optimize"' in reply.text
    assert not re.search(r"\{(style|script|version|public_url)\}", reply.text)


def test_policy_allows_its_own_style_and_script_only(server: Served) -> None:
    reply = httpx.get(server.url + "/")
    assert len(reply.headers.get_list("content-security-policy")) == 1
    policy = reply.headers["content-security-policy"]
    for name in ("style", "script"):
        inner = re.search(f"<{name}>(.*?)</{name}>", reply.text, re.S)
        assert inner is not None
        digest = base64.b64encode(hashlib.sha256(inner[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", reply.text)


def test_other_replies_stay_in_their_sandbox(server: Served) -> None:
    for path in ("/health", "/nothing", "/direct-file/optimized/x.png"):
        assert httpx.get(server.url + path).headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_public_url_is_escaped() -> None:
    from imgshrink.server.page import page

    html, _ = page('https://example.org/"><script>alert(1)</script>')
    assert "<script>alert" not in html


@pytest.fixture
def window(server: Served) -> Iterator[Browser]:
    """A browser that shows the page."""
    with browser() as one:
        one.ask("/url", {"url": server.url + "/"})
        yield one


def type_into(window: Browser, selector: str, text: str) -> None:
    found = window.ask("/element", {"using": "css selector", "value": selector})[ELEMENT]
    window.ask(f"/element/{found}/value", {"text": text})


def said(window: Browser) -> str:
    return str(window.run("return document.getElementById('said').textContent"))


class TestInABrowser:
    """A person tries an image."""

    pytestmark = BROWSER

    def test_image_is_shrunk_and_shown(self, window: Browser, server: Served) -> None:
        type_into(window, "#key", server.key)
        type_into(window, "#file", str(IMAGES / "photo.jpg"))
        until(lambda: not window.run("return document.getElementById('result').hidden"))
        assert "% smaller" in window.run("return document.getElementById('sizes').textContent")
        assert window.run("return document.getElementById('save').download") == "photo.jpg"
        until(lambda: window.run("return document.getElementById('after').naturalWidth > 0"))
        assert window.run("return document.getElementById('health').textContent").endswith("healthy")
        assert window.complaints() == []

    def test_errors_are_said(self, window: Browser, server: Served) -> None:
        type_into(window, "#file", str(IMAGES / "photo.jpg"))
        until(lambda: said(window) == "Type an API key first.")
        type_into(window, "#key", "wrong")
        type_into(window, "#file", str(IMAGES / "photo.jpg"))
        until(lambda: said(window) == "The API key is missing or invalid.")
        window.run("document.getElementById('key').value = ''")
        type_into(window, "#key", server.key)
        type_into(window, "#file", str(IMAGES / "LICENSES.md"))
        until(lambda: "image" in said(window))
        assert window.run("return document.getElementById('said').className") == "bad"

    def test_narrow_windows_do_not_scroll_sideways(self, window: Browser) -> None:
        metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        window.ask("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics})
        assert window.run("return document.documentElement.scrollWidth") == 390
