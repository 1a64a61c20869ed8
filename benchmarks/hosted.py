"""How fast and how thrifty many images go through the API: `python benchmarks/hosted.py [SECONDS...]`.

200 small images, a server in another process that takes the same time for each, the real command with an empty cache.
Wall time is compared with the ideal for 16 images in flight, and with a client that sends one after the other and asks
every second (10 images, scaled up). The command's start, its checks and its writing are included.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from fakes import deflated, png
from imgshrink.core.tinyjpg import KEY_HEADER, upload
from imgshrink.pipeline.resolver import SLOTS
from lying_server import lying_server

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = 200
SERIAL = 10
TIMES = (0.5, 2.0, 8.0)
AIM_WALL, AIM_QUESTIONS = 1.15, 2.0
KEY = "tj_0123456789abcdef"


class Far:
    """The server in its own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()

    def counts(self) -> dict[str, int]:
        """Stop the server, and return how often each step was asked for."""
        found: dict[str, int] = json.loads(self._process.communicate("\n")[0])
        return found


@contextmanager
def far(seconds: float) -> Iterator[Far]:
    """Start the server."""
    command = [sys.executable, __file__, "serve", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Far(process)


def serve(seconds: float) -> None:
    """Be the server until a line comes."""
    with lying_server(deflated, seconds) as server:
        print(server.url, flush=True)
        sys.stdin.readline()
        steps = {"upload": "/api/optimize", "status": "/api/status/", "download": "/direct-file/", "stats": "/stats"}
        print(json.dumps({step: sum(part in seen.path for seen in server.seen) for step, part in steps.items()}))


def ours(seconds: float) -> tuple[float, dict[str, int]]:
    """Run the command over 200 images; return the wall time and what the server was asked."""
    with far(seconds) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "docs").mkdir()
        for number in range(IMAGES):
            (folder / "docs" / f"{number}.png").write_bytes(png(number, side=64))
        homes = {f"XDG_{part}_HOME": str(folder / part) for part in ("CACHE", "STATE", "CONFIG")}
        environ = {**os.environ, **homes, "TINYJPG_API_URL": server.url, "TINYJPG_API_KEY": KEY}
        begun = time.perf_counter()
        command = [sys.executable, "-m", "imgshrink", "warm", "docs"]
        subprocess.run(
            command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wall = time.perf_counter() - begun
        return wall, server.counts()


def serial(seconds: float) -> tuple[float, float]:
    """Send 10 images one after the other, asking every second; return the wall time for 200, and questions an image."""
    with far(seconds) as server, httpx.Client(base_url=server.url, headers={KEY_HEADER: KEY}) as client:
        begun = time.perf_counter()
        for number in range(SERIAL):
            form = upload(png(number, side=64), ".png", "image/png", 80, "0" * 32)
            reply = client.post("/api/optimize", content=form.body, headers={"Content-Type": form.content_type})
            number = reply.json()["data"]["image_id"]
            while (data := client.get(f"/api/status/{number}").json()["data"])["status"] != "completed":
                time.sleep(1)
            client.get(data["optimized_url"])
        wall = (time.perf_counter() - begun) * IMAGES / SERIAL
        return wall, server.counts()["status"] / SERIAL


def main(times: list[float]) -> None:
    print(f"{IMAGES} images, {SLOTS} in flight; ideal = waves x server time")
    print("server  ideal   ours         questions  serial (asks every second)")
    for seconds in times:
        ideal = math.ceil(IMAGES / SLOTS) * seconds
        wall, asked = ours(seconds)
        slow, questions = serial(seconds)
        print(
            f"{seconds:4.1f} s  {ideal:5.1f} s {wall:5.1f} s ({wall / ideal:.2f})  {asked['status'] / IMAGES:5.2f}"
            f"      {slow:6.0f} s, {questions:.2f} questions   uploads {asked['upload']}, downloads {asked['download']}"
        )
    print(f"aims at 2 s: at most {AIM_WALL} of the ideal, at most {AIM_QUESTIONS:.0f} questions an image")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(float(sys.argv[2]))
    else:
        main([float(word) for word in sys.argv[1:]] or list(TIMES))
