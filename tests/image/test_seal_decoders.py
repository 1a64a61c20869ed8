"""No decoder sees the seal or misses the metadata that went: pixels, frames, timings and profiles stay the same."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips
from PIL import Image

from corpus import corpus_images
from image_builder import SAMPLES
from imgshrink.core.model import Format
from imgshrink.image.containers import identify
from imgshrink.image.metadata import reduce
from imgshrink.image.seal import seal

FIELDS = ("n-pages", "page-height", "delay", "loop", "icc-profile-data", "palette", "interlaced")
images = pytest.mark.parametrize(
    "path",
    [
        *SAMPLES,
        *(pytest.param(path, marks=pytest.mark.slow) for path in corpus_images()),
    ],
    ids=lambda path: path.name,
)


def rewritten(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The image, and what becomes of it: sealed, reduced, reduced and sealed."""
    data = path.read_bytes()
    for made in (seal(data, 80), reduce(data), seal(reduce(data), 80)):
        yield data, made


def by_vips(data: bytes) -> tuple[Any, dict[str, object]]:
    pages = {} if identify(data) in (Format.JPEG, Format.PNG) else {"n": -1}
    image = pyvips.Image.new_from_buffer(data, "", access="sequential", fail_on="warning", **pages)
    turned = image.get("orientation") if image.get_typeof("orientation") else 0
    facts = {name: image.get(name) for name in FIELDS if image.get_typeof(name)}
    return image, {**facts, "orientation": turned or 1}


def by_pillow(data: bytes) -> list[tuple[object, ...]]:
    frames = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            facts = [image.info.get(name) for name in ("duration", "loop", "icc_profile", "transparency", "gamma")]
            frames.append((image.mode, image.size, hash(image.tobytes()), *facts))
    return frames


@images
def test_libvips(path: Path) -> None:
    """libvips decodes the same pixels, pages, delays, loop, profile and orientation."""
    for data, made in rewritten(path):
        (before, facts), (after, same) = by_vips(data), by_vips(made)
        assert facts == same
        assert (before.width, before.height, before.bands) == (after.width, after.height, after.bands)
        assert (before != after).max() == 0


@images
def test_pillow(path: Path) -> None:
    """Pillow decodes the same frames, timings, profile, transparency and gamma."""
    for data, made in rewritten(path):
        assert by_pillow(data) == by_pillow(made)


COMMANDS = {
    Format.JPEG: ["jpegtran", "-copy", "none", "{}"],
    Format.WEBP: ["dwebp", "-quiet", "-pam", "{}", "-o", "-"],
    Format.GIF: ["gifsicle", "--unoptimize", "--no-comments", "--no-extensions", "{}"],
}


@pytest.mark.tools
@images
def test_command(path: Path, tmp_path: Path) -> None:
    """The format's own program makes the same of it."""
    format = identify(path.read_bytes())
    if format not in COMMANDS or path.name == "animated.webp":
        pytest.skip("no program for this kind")
    before, after = tmp_path / "before", tmp_path / "after"
    for data, made in rewritten(path):
        before.write_bytes(data)
        after.write_bytes(made)
        outputs = []
        for file in (before, after):
            command = [word.format(file) for word in COMMANDS[format]]
            outputs.append(subprocess.run(command, capture_output=True, check=True).stdout)
        assert outputs[0]
        assert outputs[0] == outputs[1]
