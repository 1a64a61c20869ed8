"""A GIF of many megapixels is encoded and checked frame by frame: memory does not grow with their number."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO

import pytest
from PIL import Image

from imgshrink.image.limits import ALL_PIXELS
from imgshrink.image.sniff import sniff

pytestmark = pytest.mark.slow

SIDE, FRAMES = 1600, 110
MOST_MEMORY = 250 << 20

TREAT = """
import sys
from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import verify
data = sys.stdin.buffer.read()
result = optimize(data, sniff(data), Recipe(80))
judged = verify(data, result, Recipe(80))
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(type(judged).__name__, int(peak) * 1024)
"""


def large_gif() -> bytes:
    """Return a GIF on which a square moves, with a plain frame stored in full for each of its places."""
    frames = []
    for number in range(FRAMES):
        frame = Image.new("P", (SIDE, SIDE), 0)
        frame.putpalette([250, 250, 250, 30, 60, 90, 200, 40, 40] + [0, 0, 0] * 253)
        frame.paste(1 + number % 2, (10 * number, 10 * number, 10 * number + 90, 10 * number + 60))
        frames.append(frame)
    out = BytesIO()
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=100, loop=0, optimize=False)
    return out.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_large_gif() -> None:
    """It is accepted, and a worker's memory is enough."""
    data = large_gif()
    info = sniff(data)
    assert info is not None
    assert info.all_pixels > ALL_PIXELS
    done = subprocess.run([sys.executable, "-c", TREAT], input=data, capture_output=True, check=True)
    verdict, memory = done.stdout.decode().split()
    assert verdict == "Accept"
    assert int(memory) < MOST_MEMORY
