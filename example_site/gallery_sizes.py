"""A hook of this site's own build: writes the sizes of the published images into its pages, after imgshrink."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.plugins import event_priority

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

IMAGES = (".png", ".jpg", ".gif", ".webp")
PLACE = re.compile(r"\[size of ([^\]]+)\]")


IMAGE = re.compile(r'(?:<source srcset="([^"]+)"[^>]*>)?<img([^>]*) src="(images/[^"]+)"')
WHOLE = "[saving of this site]"


@event_priority(-95)
def on_post_build(config: MkDocsConfig) -> None:
    """Replace `[size of images/x.png]` and `[saving of this site]` in the pages by the numbers."""
    site, docs = Path(config.site_dir), Path(config.docs_dir)
    rewrite(site / "gallery.html", lambda text: PLACE.sub(lambda place: kilobytes(site / place[1]), text))
    rewrite(site / "pages.html", lambda text: weighed(text, docs, site))
    rewrite(site / "index.html", lambda text: text.replace(WHOLE, saving(docs, site)))


def rewrite(page: Path, change: Callable[[str], str]) -> None:
    page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")


def weighed(text: str, docs: Path, site: Path) -> str:
    """Write what the images of a page weigh: as committed, shrunk, with variants, and those that load at once."""
    before = shrunk = now = at_once = 0
    for variant, more, name in IMAGE.findall(text):
        size = (site / (variant or name)).stat().st_size
        before += (docs / name).stat().st_size
        shrunk += (site / name).stat().st_size
        now += size
        at_once += 0 if "lazy" in more else size
    for words, count in {"before": before, "shrunk": shrunk, "now": now, "at once": at_once}.items():
        text = text.replace(f"[this page {words}]", f"{count / 1000:.0f} kB")
    return text


def kilobytes(file: Path) -> str:
    return f"{file.stat().st_size / 1000:.0f} kB"


def saving(docs: Path, site: Path) -> str:
    """What all images of the pages together weigh in the docs folder, and as they are published."""
    before = [
        path for path in docs.rglob("images/*/*") if path.suffix.lower() in IMAGES and path.parent.name != "before"
    ]
    sizes = [(path.stat().st_size, (site / path.relative_to(docs)).stat().st_size) for path in before]
    all_before, all_after = (sum(column) / 1e6 for column in zip(*sizes, strict=True))
    return f"{all_before:.1f} MB to {all_after:.1f} MB, {100 * (1 - all_after / all_before):.0f} % smaller"
