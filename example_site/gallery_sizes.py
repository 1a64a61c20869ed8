"""A hook of this site's own build: writes the sizes of the published pictures into the gallery, after imgshrink."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.plugins import event_priority

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

PLACE = re.compile(r"\[size of ([^\]]+)\]")


@event_priority(-95)
def on_post_build(config: MkDocsConfig) -> None:
    """Replace every `[size of images/x.png]` in the gallery by the size of the file that visitors get."""
    site = Path(config.site_dir)
    page = site / "gallery.html"
    text = page.read_text(encoding="utf-8")
    sized = PLACE.sub(lambda place: f"{(site / place[1]).stat().st_size / 1000:.0f} kB", text)
    page.write_text(sized, encoding="utf-8")
