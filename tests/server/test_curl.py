"""The lines of the API's public page, word for word but for host, key, path and number, against server and codecs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from places import IMAGES
from published_api import PUBLISHED_ERROR, PUBLISHED_STATUS, PUBLISHED_UPLOAD
from server_process import Served

OPTIMIZE = r"""
curl -X POST "https://www.tinyjpg.co/api/optimize" -H "X-API-Key: YOUR_API_KEY" \
     -F "image=@/path/to/image.jpg" -F "quality=80"
"""
STATUS = 'curl -X GET "https://www.tinyjpg.co/api/status/123" -H "X-API-Key: YOUR_API_KEY"'

SERVER = {"engine": "builtin"}
ONE_OF_EACH = ("still.png", "animated.png", "photo.jpg", "still.webp", "animated.webp", "animated.gif")
PUBLISHED_WORDS = ["processing", "completed", PUBLISHED_UPLOAD["message"]]

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")


def said(server: Served, line: str, **words: str) -> Any:
    """Run one line of the page and return the JSON that it prints."""
    for word, replacement in {"https://www.tinyjpg.co": server.url, "YOUR_API_KEY": server.key, **words}.items():
        assert word in line
        line = line.replace(word, replacement)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def shape(value: Any) -> Any:
    """Names in their order with the types of their values; the values themselves where they are published."""
    if isinstance(value, dict):
        return [(name, shape(below)) for name, below in value.items()]
    return value if value is True or value in PUBLISHED_WORDS else type(value)


def test_optimize_and_status(server: Served, tmp_path: Path) -> None:
    """Upload and status answer with the published fields, in the published order and types."""
    image = IMAGES / "photo.jpg"
    upload = said(server, OPTIMIZE, **{"/path/to/image.jpg": str(image)})
    number = upload["data"]["image_id"]
    server.ended(number)
    status = said(server, STATUS, **{"status/123": f"status/{number}"})
    assert shape(upload) == shape(PUBLISHED_UPLOAD)
    assert shape(status) == shape(PUBLISHED_STATUS)
    data = status["data"]
    assert data["original_size"] == image.stat().st_size > data["optimized_size"]
    assert data["compression_ratio"] == round(100 * (1 - data["optimized_size"] / data["original_size"]), 2)
    assert len(server.get(data["optimized_url"], "").content) == data["optimized_size"]


def test_error(server: Served) -> None:
    """A request without an image and with a quality out of range gets the published example, to the letter."""
    line = OPTIMIZE.replace(' -F "image=@/path/to/image.jpg" -F "quality=80"', ' -F "quality=0"')
    assert said(server, line) == PUBLISHED_ERROR


@pytest.mark.slow
def test_every_format(server: Served) -> None:
    """Stills and animations of all four formats end as completed, none of them larger."""
    images = [(IMAGES / name).read_bytes() for name in ONE_OF_EACH]
    numbers = [server.accepted(image) for image in images]
    data = [server.ended(number) for number in numbers]
    assert {one["status"] for one in data} == {"completed"}
    assert all(one["optimized_size"] <= one["original_size"] for one in data)
    assert any(one["compression_ratio"] > 20 for one in data)
