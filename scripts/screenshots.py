"""Screenshots of everything that has a face: report, compare, the server's page and every page of the example site.

    python scripts/screenshots.py OUT [--axe node_modules/axe-core/axe.min.js] [--only index,settings,report]

Each at 1400 and 390 pixels, light and dark, into the folder OUT. Prints what is wrong with a page: it scrolls sideways,
the console complains, or axe-core finds something serious. Ends with 1 if anything is.
Build the site before, by `python3 example_site/try.py`; Chromium and chromedriver must be installed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import http.server
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORT = ROOT / "tests" / "support"
SITE = ROOT / "example_site" / "site"
SIZES = ((1400, 900), (390, 844))
SCHEMES = ("light", "dark")
TALLEST = 5000
SHOW_ALL = """
const all = new CSSStyleSheet();
all.replaceSync("* { content-visibility: visible !important }");
document.adoptedStyleSheets = [...document.adoptedStyleSheets, all];
"""
SHOWN = ("argocd/zitadel-application-2.png", "pnp/ViewPicker1.PNG", "frigate/bottom-center.jpg", "wled/pic44.jpg")


def main() -> int:
    """Take the screenshots and return whether a page has a fault."""
    options = _options()
    sys.path.insert(0, str(SUPPORT))
    from webdriver import browser

    script = options.axe.read_text(encoding="utf-8") if options.axe else ""
    wanted = set(options.only.split(",")) if options.only else None
    options.out.mkdir(parents=True, exist_ok=True)
    faults = 0
    with contextlib.ExitStack() as ends:
        work = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        pages = dict(_pages(options.site, work, wanted, ends))
        window = ends.enter_context(browser())
        for name, address in sorted(pages.items()):
            if wanted is None or name in wanted:
                faults += _page(window, name, address, options.out, script)
    print(f"{faults} faults; the screenshots are in {options.out}")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("--site", type=Path, default=SITE, help="the built example site")
    parser.add_argument("--axe", type=Path, help="axe.min.js of the npm package axe-core")
    parser.add_argument("--only", default="", help="names of pages, separated by commas")
    return parser.parse_args()


def _pages(site: Path, work: Path, wanted: set[str] | None, ends: contextlib.ExitStack) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each page; what serves them ends with `ends`."""
    address = ends.enter_context(_served(site))
    for page in sorted(site.glob("*.html")):
        yield page.stem, f"{address}/{page.name}"
    if wanted is None or wanted & {"report", "compare"}:
        folder = ends.enter_context(_served(_reports(work)))
        yield from ((name, f"{folder}/{name}.html") for name in ("report", "compare"))
    if wanted is None or "server" in wanted:
        from server_process import Served

        server = ends.enter_context(Served(work / "server", engine="builtin"))
        yield "server", f"{server.url}/"


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *values: object) -> None:
            """Stay silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _reports(work: Path) -> Path:
    """Shrink a few images in a folder of their own, and write both pages about them there."""
    folder = work / "pages"
    folder.mkdir()
    for name in SHOWN:
        shutil.copy(ROOT / "example_site" / "docs" / "images" / name, folder)
    names = [Path(name).name for name in SHOWN]
    for words in (["optimize", "--report", "report.html"], ["compare", "--output", "compare.html"]):
        command = [sys.executable, "-m", "imgshrink", *words, *names]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


def _page(window, name: str, address: str, out: Path, script: str) -> int:  # noqa: ANN001  of the tests' support
    """Take the four screenshots of a page, and return the number of its faults."""
    from axe import violations

    faults = []
    for width, height in SIZES:
        for scheme in SCHEMES:
            window.resize(width, height)
            window.prefer(scheme)
            window.ask("/url", {"url": address})
            window.until("return document.readyState === 'complete'")
            wide = window.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found = [f"scrolls {wide} pixels sideways"] if wide > 0 else []
            found += [line for line in window.complaints() if "favicon" not in line]
            (out / f"{name}-{width}-{scheme}.png").write_bytes(_picture(window, width))
            found += violations(window, script) if script else []
            faults += [f"{name}, {width}, {scheme}: {' '.join(line.split())}" for line in found]
    for line in faults:
        print(line, flush=True)
    return len(faults)


def _picture(window, width: int) -> bytes:  # noqa: ANN001  of the tests' support
    """Return the whole page as PNG, at most `TALLEST` pixels of it."""
    window.run(SHOW_ALL)
    height = min(window.run("return document.documentElement.scrollHeight"), TALLEST)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    wanted = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    data = window.ask("/goog/cdp/execute", {"cmd": "Page.captureScreenshot", "params": wanted})["data"]
    return base64.b64decode(data)


if __name__ == "__main__":
    sys.exit(main())
