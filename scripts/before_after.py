"""Draw the README's picture: a region of a real image, as committed and as imgshrink leaves it.

Needs Pillow, which the tests need too: `python scripts/before_after.py`. The picture itself is shrunk without loss.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

IMAGES = Path(__file__).resolve().parent.parent / "example_site" / "docs" / "images"
ORIGINAL = IMAGES / "wled" / "WLED_5VdigitalWiring.png"
RESULT = IMAGES / "before-after.png"
REGION = (40, 250, 600, 680)
STRIP, GAP = 44, 16


def shrink(path: Path, home: Path, *settings: str) -> None:
    environ = {**os.environ, "IMGSHRINK_ENGINE": "builtin", "IMGSHRINK_CACHE_DIR": str(home / "cache")}
    hook = [sys.executable, "-m", "imgshrink.hook", *settings, path.name]
    assert subprocess.run(hook, cwd=path.parent, env=environ, check=False).returncode in (0, 1)


def half(path: Path, words: str) -> Image.Image:
    """The region on white, with a strip of words and the file's size above it."""
    with Image.open(path) as picture:
        region = picture.convert("RGBA").crop(REGION)
    drawn = Image.new("RGBA", (region.width, region.height + STRIP), "white")
    drawn.alpha_composite(region, (0, STRIP))
    text = f"{words}: {path.stat().st_size / 1000:.0f} kB"
    ImageDraw.Draw(drawn).text((8, 8), text, fill="black", font=ImageFont.load_default(size=24))
    return drawn.convert("RGB")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        after = Path(shutil.copy(ORIGINAL, home))
        shrink(after, home)
        left, right = half(ORIGINAL, "before"), half(after, "after")
        both = Image.new("RGB", (left.width * 2 + GAP, left.height), "grey")
        both.paste(left, (0, 0))
        both.paste(right, (left.width + GAP, 0))
        both.save(RESULT)
        shrink(RESULT, home, "--quality=100")


if __name__ == "__main__":
    main()
