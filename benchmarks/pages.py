"""What pages weigh on the wire before and after `pages`, in real Chromium, and what rewriting them costs.

`python benchmarks/pages.py` needs Chromium, its driver and mkdocs-material. Two sites are built: the example site, and
a Material site made of the Markdown and the images that installed packages ship. Each is served on loopback as it is
today, with `reserve` and with `modern`, and the bytes of the images that are sent are counted, before scrolling and
read to the end, at two widths. Aims: before scrolling at most .25 of today's, whole at most .80 on the example site;
`reserve` over 400 pages at most 12 s of CPU.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]

from imgshrink.pages.options import Options  # noqa: E402
from imgshrink.pages.site import pages_of, rewrite  # noqa: E402
from site_server import SiteServer, served  # noqa: E402
from webdriver import Browser, browser  # noqa: E402

WIDTHS = {1400: 900, 390: 844}
MODES = ("off", "reserve", "modern")
PAGES = 70
SHOWN = 20
"""So many of a site's pages with images are shown in the browser, evenly chosen."""

TIMED = 400
CONFIG = """site_name: Packages
theme: {name: material, font: false}
use_directory_urls: false
plugins: [search]
markdown_extensions: [tables, admonition]
validation: {links: {not_found: ignore, unrecognized_links: ignore, anchors: ignore}}
"""
SCROLL = """
const done = arguments[arguments.length - 1];
(async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise(next => setTimeout(next, 60));
  }
  done(true);
})();
"""
QUIET = 0.3


def main() -> None:
    """Build both sites, and print a table for each."""
    with tempfile.TemporaryDirectory() as name, browser() as window:
        folder = Path(name)
        for title, made in (("example site", example_site(folder)), ("site of packages", site_of_packages(folder))):
            sites = variants_of(made)
            print(f"\n{title}: {len(pages_of(sites['off']))} pages, {len(with_images(sites['off']))} with images")
            table(window, sites)
        print(f"\nreserve over {TIMED} pages: {cpu(folder, folder / 'packages' / 'off'):.1f} s of CPU")


def example_site(folder: Path) -> Path:
    """The example site, with its images shrunk and its pages as MkDocs wrote them."""
    site = folder / "example" / "off"
    environ = os.environ | {"IMGSHRINK_ENGINE": "builtin", "IMGSHRINK_PAGES": "off"}
    config = (
        (ROOT / "example_site" / "mkdocs.yml").read_text(encoding="utf-8").replace("pages: modern", "pages: off", 1)
    )
    file = ROOT / "example_site" / f".bench-{os.getpid()}.yml"
    file.write_text(config, encoding="utf-8")
    try:
        _mkdocs("-f", str(file), "-d", str(site), environ=environ)
    finally:
        file.unlink()
    return site


def site_of_packages(folder: Path) -> Path:
    """A Material site of the Markdown that installed packages ship, images of the example site among its paragraphs."""
    docs = folder / "packages" / "docs"
    docs.mkdir(parents=True)
    images = sorted(path for path in (ROOT / "example_site/docs/images").glob("*/*") if path.suffix in (".png", ".jpg"))
    images = [path for path in images if path.parent.name != "before"]
    for number, path in enumerate(images):
        shutil.copy(path, docs / f"{number}{path.suffix}")
    texts = list(_texts())
    for number in range(PAGES):
        paragraphs = texts[number % len(texts)]
        for place, image in enumerate(range(number, number + 1 + number % 8)):
            path = images[image * 7 % len(images)]
            paragraphs = [
                *paragraphs[: 3 + 5 * place],
                f"![]({images.index(path)}{path.suffix})",
                *paragraphs[3 + 5 * place :],
            ]
        (docs / f"page-{number}.md").write_text("\n\n".join(paragraphs), encoding="utf-8")
    (docs / "index.md").write_text("# Packages\n", encoding="utf-8")
    (docs.parent / "mkdocs.yml").write_text(CONFIG, encoding="utf-8")
    site = docs.parent / "off"
    _mkdocs("-f", str(docs.parent / "mkdocs.yml"), "-d", str(site), environ=dict(os.environ))
    _imgshrink("optimize", "--engine", "builtin", str(site))
    return site


def _texts() -> list[list[str]]:
    """The paragraphs of the readable documents of installed packages."""
    folders = [Path(path) for path in sys.path if path.endswith("site-packages")]
    files = [
        file for folder in folders for ending in ("*.md", "*.rst", "METADATA") for file in sorted(folder.rglob(ending))
    ]
    texts = [re.split(r"\n\s*\n", file.read_text(encoding="utf-8", errors="replace")) for file in files]
    plain = [[re.sub(r"[<>\[\]!`]", "", part).strip() for part in text] for text in texts]
    return [[part for part in text if part][:60] for text in plain if len(text) >= 20][:PAGES]


def variants_of(site: Path) -> dict[str, Path]:
    """The site as it is, and rewritten by the command in both ways."""
    sites = {"off": site}
    for mode in MODES[1:]:
        sites[mode] = site.with_name(mode)
        shutil.copytree(site, sites[mode])
        _imgshrink("pages", "--pages", mode, str(sites[mode]))
    return sites


def with_images(site: Path) -> list[str]:
    """The pages that show images of the site."""
    pages = [(str(page), (site / page).read_bytes()) for page in pages_of(site)]
    return [name for name, page in pages if re.search(rb"<img[^>]+\.(?:png|jpe?g|gif|webp)\b", page)]


def table(window: Browser, sites: dict[str, Path]) -> None:
    """Print the bytes of images by width, before scrolling and whole, and their share of today's."""
    print(f"{'':24}" + "".join(f"{mode:>20}" for mode in MODES))
    for width, height in WIDTHS.items():
        rows = {
            mode: [measure(window, site, width, height, whole=whole) for whole in (False, True)]
            for mode, site in sites.items()
        }
        for number, words in enumerate(("before scrolling", "whole")):
            today = rows["off"][number] or 1
            cells = (f"{rows[mode][number] / 1e6:9.2f} MB x{rows[mode][number] / today:.2f}" for mode in MODES)
            print(f"{width:5} px {words:16}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def measure(window: Browser, site: Path, width: int, height: int, *, whole: bool) -> int:
    """Bytes of the images that a browser with an empty cache loads for the chosen pages, each for itself."""
    total = 0
    window.ask("/goog/cdp/execute", {"cmd": "Network.enable", "params": {}})
    window.ask("/goog/cdp/execute", {"cmd": "Network.setCacheDisabled", "params": {"cacheDisabled": True}})
    window.resize(width, height)
    with served(site) as server:
        pages = with_images(site)
        for page in pages[:: max(1, len(pages) // SHOWN)]:
            server.clear()
            window.ask("/url", {"url": server.url(page)})
            if whole:
                window.ask("/execute/async", {"script": SCROLL, "args": []})
            _settled(server)
            total += sum(dict(server.images()).values())
    return total


def _settled(server: SiteServer) -> None:
    """Wait until nothing more is sent."""
    count = -1
    while count != len(server.sent):
        count = len(server.sent)
        time.sleep(QUIET)


def cpu(folder: Path, site: Path) -> float:
    """Seconds of CPU that `reserve` takes over `TIMED` pages of a site, all of different content."""
    many = folder / "many"
    shutil.copytree(site, many)
    pages = with_images(site)
    for number in range(TIMED - len(pages_of(many))):
        page = (site / pages[number % len(pages)]).read_bytes()
        (many / f"copy-{number}.html").write_bytes(page + b"<!-- %d -->" % number)
    begun = time.process_time()
    summary = rewrite(many, Options())
    assert summary.read == TIMED
    return time.process_time() - begun


def _mkdocs(*words: str, environ: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-q", *words], env=environ, check=True, capture_output=True
    )


def _imgshrink(*words: str) -> None:
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-m", "imgshrink", *words], env=environ, check=True, capture_output=True)


if __name__ == "__main__":
    main()
