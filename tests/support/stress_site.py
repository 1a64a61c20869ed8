"""A page with images in every place that style sheets treat apart, as a site for MkDocs with one of four themes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyvips

THEMES = {
    "material": "theme: {name: material, font: false}\nplugins: [search]\n",
    "glightbox": "theme: {name: material, font: false}\nplugins: [search, glightbox]\n",
    "readthedocs": "theme: {name: readthedocs, highlightjs: false}\nplugins: [search]\n",
    "mkdocs": "theme: {name: mkdocs, highlightjs: false}\nplugins: [search]\n",
}
CONFIG = """site_name: Stress
use_directory_urls: false
extra_css: [tricks.css]
markdown_extensions:
  - attr_list
  - md_in_html
  - admonition
  - tables
  - footnotes
  - def_list
  - pymdownx.details
  - pymdownx.superfences
  - pymdownx.tabbed: {alternate_style: true}
validation: {links: {unrecognized_links: ignore, not_found: ignore}}
"""
TRICKS = """
.framed > img { border: 2px solid #88f; }
.framed > a > img { border: 2px solid #8f8; }
.stack > * + * { margin-top: 13px; }
.caption img + em { display: block; font-size: 11px; }
.row { display: flex; gap: 8px; align-items: flex-start; }
.column { display: flex; flex-direction: column; height: 400px; }
.gallery { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; }
.gallery > :nth-child(2n) { margin-top: 21px; }
.first > :first-child { margin-left: 30px; }
.last > :last-child { margin-left: 40px; }
.last img:last-of-type { padding-bottom: 9px; }
.only :only-child { outline: 1px solid red; margin: 7px; }
.has:has(> img) { padding: 19px; }
.has-not:not(:has(> img)) { padding: 23px; }
.low img { max-height: 60px; }
.fit img { width: 200px; height: 90px; object-fit: cover; }
.padded img { padding: 6px; }
.sibling ~ img { margin-left: 17px; }
.after img ~ p { text-indent: 33px; }
.wide img { width: 100%; }
.small img { width: 50%; height: auto; }
.round img { border-radius: 50%; }
.nested { & > img { margin-left: 27px; } img { vertical-align: top; } }
.not > :not(p) { margin-left: 5px; font-size: 130%; }
.float img { float: right; margin: 0 0 1em 1em; }
@media (max-width: 700px) { .query > img { margin-top: 31px; } }
@supports (display: grid) { .supports > img { margin-top: 11px; } }
.before img::before { content: "x"; }
.state:hover > img { margin-left: 3px; }
"""


def _block(name: str, *images: str, more: str = "") -> str:
    return f'<div class="{name}">{"".join(images)}{more}</div>\n\n'


class _Pictures:
    """Names of images, each of its own size and content."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, ending: str = "png") -> str:
        self.names.append(f"images/{len(self.names):02}.{ending}")
        return self.names[-1]

    def tag(self, more: str = "", ending: str = "png") -> str:
        return f'<img src="{self(ending)}" alt="{len(self.names)}"{more}>'


def markdown() -> tuple[str, list[str]]:
    """The page, and the names of the local images that it shows."""
    new = _Pictures()
    text = "# Stress\n\n"
    text += f"![plain]({new()})\n\nText ![inline]({new('jpg')}) in a line.\n\n"
    text += f"[![linked]({new()})](index.md)\n\n![right]({new()}){{ align=right width=120 }} Text beside.\n\n"
    text += f"![lazy]({new('gif')}){{ loading=lazy }}\n\n![left]({new()}){{ align=left }}\n\n"
    text += f"* list ![in a list]({new()})\n* ![alone in a list]({new()})\n\n1. ![numbered]({new()})\n\n"
    text += f"| a | b |\n|---|---|\n| ![in a table]({new()}) | text |\n\n"
    text += f"!!! note\n\n    ![in an admonition]({new('jpg')})\n\n??? tip\n\n    ![in details]({new()})\n\n"
    text += f'=== "one"\n\n    ![in a tab]({new()})\n\n=== "two"\n\n    ![in another tab]({new()})\n\n'
    text += f"Term\n:   ![in a definition]({new()})\n\n> ![in a quote]({new()})\n\n"
    text += f"Note[^1].\n\n[^1]: ![in a footnote]({new()})\n\n"
    text += f'<figure markdown="span">\n![in a figure]({new()})\n<figcaption>Caption</figcaption>\n</figure>\n\n'
    text += f'<div class="grid cards" markdown>\n\n- ![in a card]({new()})\n- Text ![below]({new()})\n\n</div>\n\n'
    text += f"![light]({new()}#only-light)\n![dark]({new()}#only-dark)\n\n"
    for name in ("caption", "after"):
        text += _block(name, new.tag(), more="<em>Caption</em><p>After.</p>")
    for name in ("stack", "row", "column", "gallery", "last", "not"):
        text += _block(name, new.tag(), new.tag(), more="<span>x</span>")
    for name in ("first", "only", "has", "has-not", "low", "fit", "padded", "wide", "small", "round", "nested"):
        text += _block(name, new.tag())
    text += _block("framed", new.tag(), f'<a href="index.html">{new.tag()}</a>')
    text += _block("float", new.tag(), more="<p>Text that flows around.</p>")
    text += _block("query", new.tag()) + _block("supports", new.tag()) + _block("before", new.tag())
    text += _block("state", new.tag()) + _block("x", '<p class="sibling">x</p>', new.tag())
    text += _block("x", new.tag(' width="50" height="30"'), new.tag(' style="width: 70px"'), new.tag(' id="named"'))
    text += _block("x", f"<img src={new()}?v=3 alt=query>", f"<IMG SRC='{new()}' ALT='a > b'/>")
    text += _block("x", f'<picture><source srcset="{new()}"><img src="{new()}" alt=""></picture>')
    text += _block("x", f'<noscript><img src="{new()}"></noscript><pre><code><img src="{new()}"></code></pre>')
    text += _block(
        "x", f'<img src="{new()}" srcset="{new()} 2x" alt="">', f'<my-slider><img src="{new()}"></my-slider>'
    )
    text += _block("x", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" alt="">')
    return text, new.names


def write(folder: Path, theme: str) -> list[str]:
    """Write the source of the site, and return the names of its images."""
    text, names = markdown()
    docs = folder / "docs"
    (docs / "images").mkdir(parents=True)
    (folder / "mkdocs.yml").write_text(CONFIG + THEMES[theme])
    (docs / "index.md").write_text(text)
    (docs / "tricks.css").write_text(TRICKS)
    for number, name in enumerate(names):
        _picture(docs / name, 60 + 37 * (number % 30), 40 + 23 * (number % 17), number)
    return names


def build(folder: Path, theme: str) -> Path:
    """Build the site, and return its folder."""
    write(folder, theme)
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", str(folder / "mkdocs.yml")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / "site"


def _picture(path: Path, width: int, height: int, number: int) -> None:
    ground = (40 + number * 3 % 200, 90, 200 - number * 3 % 180)
    image = pyvips.Image.black(width, height, bands=3).linear([1, 1, 1], ground)
    image = (image + pyvips.Image.xyz(width, height)[0] % 32).cast("uchar").copy(interpretation="srgb")
    image.write_to_file(str(path))
