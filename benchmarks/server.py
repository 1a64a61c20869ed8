"""The server under load, with a power cut in the middle: `python benchmarks/server.py [--seconds 60] [--clients 8]`.

Before the load: the time of `GET /api/v1/stats` over one connection, and of an upload beside 40 slow ones of another
key. Then clients upload, poll and download as fast as they are served; halfway the server is killed and restarted.
Printed: images per second, latency, memory over time, and whether every promise was kept (exit code 1 if not).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

SLOW = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: 9999\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)
IMAGES = Path(__file__).resolve().parents[1] / "tests" / "images"


@dataclass
class Server:
    """`imgshrink server` in a process of its own, on the same port each time."""

    data: Path
    jobs: int
    url: str = ""
    key: str = ""

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "imgshrink", "server", "--data", str(self.data), "--port", port]
        limits = ["--jobs", str(self.jobs), "--rate", "100000"]
        with (self.data.parent / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "first API key" in line:
                self.key = line.split()[-1]
            if "listening on" in line:
                self.url = line.partition("listening on ")[2].partition(",")[0]
                return
        raise SystemExit((self.data.parent / "log").read_text())

    def add_key(self, name: str) -> str:
        command = [sys.executable, "-m", "imgshrink", "server", "--data", str(self.data), "keys", "add", name]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]

    def memory(self) -> tuple[int, int]:
        """Bytes in memory of the server, and of its workers together."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [int(child) for task in tasks for child in task.read_text().split()]
        return resident(self.process.pid), sum(resident(child) for child in children)


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0


@dataclass
class Load:
    """The requests of all clients, and their results."""

    server: Server
    images: list[bytes]
    over: threading.Event = field(default_factory=threading.Event)
    accepted: dict[int, float] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    broken: list[str] = field(default_factory=list)

    def client(self, number: int) -> None:
        randomness = random.Random(number)
        with httpx.Client(timeout=30, headers={"X-API-Key": self.server.key}) as client:
            while not self.over.is_set():
                started, image = time.monotonic(), randomness.choice(self.images)
                data = self.ended_data(client, self.upload(client, image), randomness)
                self.ended[data["status"]] += 1
                self.seconds.append(time.monotonic() - started)
                if data["status"] == "completed":
                    got = self.request(client, "GET", data["optimized_url"]).content
                    if not len(got) == data["optimized_size"] <= len(image):
                        self.broken.append(f"image {data['image_id']}: {len(got)} bytes, not {data['optimized_size']}")

    def upload(self, client: httpx.Client, image: bytes) -> int:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        reply = self.request(client, "POST", "/api/optimize", headers=headers, files={"image": image}).json()
        number = int(reply["data"]["image_id"])
        if number in self.accepted:
            self.broken.append(f"image {number} was given to two uploads")
        self.accepted[number] = time.monotonic()
        return number

    def ended_data(self, client: httpx.Client, number: int, randomness: random.Random) -> dict:
        for wait in itertools.chain((0.05, 0.1, 0.2), itertools.repeat(0.3)):
            time.sleep(wait * randomness.uniform(1, 1.3))
            data = self.request(client, "GET", f"/api/status/{number}").json()["data"]
            if data["status"] != "processing":
                return data
        raise AssertionError

    def request(self, client: httpx.Client, method: str, path: str, **more: object) -> httpx.Response:
        """Send one request, repeated while the server is down."""
        url = path if path.startswith("http") else self.server.url + path
        while True:
            try:
                reply = client.request(method, url, **more)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            self.requests += 1
            if reply.status_code == 200:
                return reply
            if reply.status_code != 503:
                self.broken.append(f"{method} {path} answered {reply.status_code}: {reply.text[:200]}")
            time.sleep(float(reply.headers.get("retry-after", 1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("images", type=Path, nargs="*", default=[IMAGES], help="files or folders")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data", given.jobs)
        server.start()
        quiet(server)
        load = Load(server, [path.read_bytes() for place in given.images for path in files(place)])
        memory = run(load, given.seconds, given.clients)
        kept = report(load, memory, given.seconds)
        server.process.terminate()
        code = server.process.wait(60)
    print(f"ended by SIGTERM with exit code {code}")
    return 0 if kept and code == 0 else 1


def quiet(server: Server) -> None:
    """Print the latency of an idle server."""
    with httpx.Client(headers={"X-API-Key": server.key}) as client:
        times = [timed(lambda: client.get(server.url + "/api/v1/stats")) for _ in range(300)]
    cuts = statistics.quantiles(times, n=20)
    print(f"GET /api/v1/stats: median {1000 * cuts[9]:.1f} ms, 95 % within {1000 * cuts[18]:.1f} ms")
    host, _, port = server.url.removeprefix("http://").partition(":")
    image, headers = (IMAGES / "still.png").read_bytes(), {"X-API-Key": server.add_key("other")}
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            slow = stack.enter_context(socket.create_connection((host, int(port))))
            slow.sendall(SLOW.format(server.key).encode())
        time.sleep(1)
        times = [timed(lambda: httpx.post(server.url + "/api/optimize", headers=headers, files={"image": image}))]
    print(f"an upload beside 40 slow ones of another key: {1000 * times[0]:.0f} ms")


def timed(request: Callable[[], httpx.Response]) -> float:
    """Return the seconds of a request that succeeds."""
    started = time.monotonic()
    request().raise_for_status()
    return time.monotonic() - started


def files(place: Path) -> list[Path]:
    suffixes = (".png", ".jpg", ".gif", ".webp")
    return [path for path in sorted(place.rglob("*")) if path.suffix in suffixes] if place.is_dir() else [place]


def run(load: Load, seconds: float, clients: int) -> list[tuple[float, int, int]]:
    """Run the load, kill and restart the server halfway; return seconds, bytes of the server, bytes of its workers."""
    threads = [threading.Thread(target=load.client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    started, memory, killed = time.monotonic(), [], False
    while (now := time.monotonic() - started) < seconds:
        time.sleep(0.5)
        memory.append((now, *load.server.memory()))
        if now >= seconds / 2 and not killed:
            killed = True
            load.server.process.kill()
            load.server.process.wait()
            load.server.start()
            print(f"killed at {now:.0f} s with {len(load.accepted) - load.ended.total()} images in work, restarted")
    load.over.set()
    for thread in threads:
        thread.join(120)
    if any(thread.is_alive() for thread in threads):
        load.broken.append("an accepted image does not end")
    return memory


def report(load: Load, memory: list[tuple[float, int, int]], seconds: float) -> bool:
    """Print the figures; return whether every promise was kept."""
    headers = {"X-API-Key": load.server.key}
    month = httpx.get(load.server.url + "/api/v1/usage", headers=headers).json()["data"]["monthly_trends"][-1]
    used = httpx.get(load.server.url + "/api/v1/stats", headers=headers).json()["data"]["used"]
    accepted, ended = len(load.accepted), load.ended.total()
    cuts = statistics.quantiles(load.seconds, n=20)
    print(f"{accepted} images accepted, {ended} ended ({dict(load.ended)}), {ended / seconds:.1f} a second")
    middle, late, longest = statistics.median(load.seconds), cuts[-1], max(load.seconds)
    print(f"upload to result: median {middle:.2f} s, 95 % within {late:.2f} s, longest {longest:.2f} s")
    print(f"{load.requests} requests, {load.requests / seconds:.0f} a second")
    for part in (0.25, 0.5, 0.75, 1.0):
        slot = [row for row in memory if part - 0.25 <= row[0] / seconds < part]
        own, workers = max(row[1] for row in slot), max(row[2] for row in slot)
        both = f"server {own / 10**6:.0f} MB, workers together {workers / 10**6:.0f} MB"
        print(f"memory up to {part * seconds:3.0f} s: {both}")
    promises = {
        "every accepted image ended": accepted == ended,
        "none ended twice": month["completed"] + month["failed"] == month["accepted"] == accepted,
        "the quota is exact": used == load.ended["completed"] == month["completed"],
        "every reply and every result was right": not load.broken,
    }
    for promise, kept in promises.items():
        print(f"{promise}: {'yes' if kept else 'NO'}")
    print("\n".join(load.broken[:10]))
    return all(promises.values())


if __name__ == "__main__":
    sys.exit(main())
