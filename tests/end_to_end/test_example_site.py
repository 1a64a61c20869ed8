"""The built example site asks no other host for anything: what a browser loads lies beside the pages."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from browser import CHROMIUM
from places import ROOT
from real_tools import build
from webdriver import DRIVER, browser

LOADED = {
    "link": ("href",),
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "use": ("href", "xlink:href"),
}
"""The attributes whose addresses a browser loads by itself, by element."""
NOT_LOADED = {"canonical", "next", "prev", "alternate", "author", "license", "edit"}
OUTSIDE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
URL = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class Loads(HTMLParser):
    """The addresses that a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and set((values.get("rel") or "").split()) <= NOT_LOADED:
            return
        for name in LOADED.get(tag, ()):
            parts = (values.get(name) or "").split(",") if name == "srcset" else [values.get(name) or ""]
            self.found += [part.split()[0] for part in parts if part.strip()]
        self.found += [one or other for one, other in URL.findall(values.get("style") or "")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example site as MkDocs builds it, without the work on its images."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "example_site" / "docs", folder / "docs")
    config = ROOT / "example_site" / "mkdocs.yml"
    shutil.copy(ROOT / "example_site" / "gallery_sizes.py", folder)
    (folder / "mkdocs.yml").write_text(f"INHERIT: {config}\nplugins: [search]\n", encoding="utf-8")
    done = build(folder, "--strict", environ={"NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stdout
    return folder / "site"


@pytest.mark.slow
def test_pages_and_styles_load_nothing_from_elsewhere(site: Path) -> None:
    """Every address of a style, a script, a font or an image is relative, or holds the data itself."""
    outside = {}
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        parser = Loads()
        text = page.read_text(encoding="utf-8")
        parser.feed(text)
        parser.found += [
            one or other for one, other in URL.findall(" ".join(re.findall(r"(?s)<style.*?</style>", text)))
        ]
        assert parser.found
        outside[page.name] = [address for address in parser.found if OUTSIDE.match(address)]
    for style in site.rglob("*.css"):
        addresses = [one or other for one, other in URL.findall(style.read_text(encoding="utf-8"))]
        outside[style.name] = [address for address in addresses if OUTSIDE.match(address)]
    assert len(pages) > 20
    assert {name: found for name, found in outside.items() if found} == {}


@pytest.mark.parametrize(
    "text", ['<img src="//cdn.example/a.png">', '<link rel="stylesheet" href="https://a.b/c.css">']
)
def test_an_address_elsewhere_is_found(text: str) -> None:
    """The parser of these tests finds what they look for."""
    parser = Loads()
    parser.feed(text)
    assert [address for address in parser.found if OUTSIDE.match(address)]


@pytest.fixture
def window() -> Iterator[object]:
    """A real browser."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    with browser() as one:
        yield one


@pytest.fixture
def served() -> Iterator[Callable[[Path], str]]:
    """Serves a folder on loopback, and returns its address."""
    servers = []

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *values: object) -> None:
            """Print nothing."""

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.browser
def test_a_browser_asks_no_host(site: Path, window, served) -> None:
    """A real browser that shows every page asks for files of the site alone, and its console is silent."""
    asked = set()
    address = served(site)
    for page in sorted(site.glob("*.html")):
        if page.name == "404.html":  # its addresses begin at the root of a host
            continue
        window.ask("/url", {"url": f"{address}/{page.name}"})
        window.until("return document.readyState === 'complete'")
        window.run("window.scrollTo(0, document.documentElement.scrollHeight)")
        asked |= set(window.requested(address))
        assert [line for line in window.complaints() if "favicon.ico" not in line] == []
    assert any(address.endswith(".css") for address in asked)
    assert {address for address in asked if not address.startswith((address, "data:", "blob:"))} == set()
