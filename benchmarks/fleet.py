"""How a server of many nodes grows: `python benchmarks/fleet.py [--workers 1,2,4] [--images 60]`.

Over a real PostgreSQL and a real S3 server, one node answers and 1, 2 or 4 workers with one job each do the work. For
each number of workers it prints images a second, what share of an image's time is the queue's (from acceptance to the
beginning of the work, with an idle queue), and the 50th and 99th percentile of status requests during the load.
With more workers than processors the growth is the machine's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from postgresql import PostgreSQL  # noqa: E402  its path was added above
from real_servers import s3_server  # noqa: E402
from server_process import Served  # noqa: E402

IMAGES = ROOT / "tests" / "images"
LIMITS = {"rate": 1e6, "burst": 10**6, "queue": 10**6}


def pictures(count: int) -> list[bytes]:
    """Return images of the tests, those of a common size, again and again."""
    found = [path.read_bytes() for path in sorted(IMAGES.rglob("*.png")) if 5_000 < path.stat().st_size < 300_000]
    return [found[number % len(found)] for number in range(count)]


def node(folder: Path, database: str, jobs: int, key: str = "") -> Served:
    """Start a node with the real codecs."""
    places = {"database": database, "blobs": "s3://images/x"}
    return Served(folder, engine="builtin", jobs=jobs, key=key, limits=LIMITS, **places).start()  # type: ignore[arg-type]  # a table


def waited(answering: Served, image: bytes) -> tuple[float, float]:
    """Return the seconds from acceptance to the end of one image alone, and those of its work."""
    begun = time.monotonic()
    data = answering.ended(answering.accepted(image))
    return time.monotonic() - begun, float(data["processing_time"])


def run(folder: Path, server: PostgreSQL, workers: int, images: Sequence[bytes]) -> float:
    """Measure one number of workers, print it, and return images a second."""
    database = server.new_database()
    folder.mkdir()
    with ExitStack() as stack:
        answering = node(folder / "answering", database, 0)
        stack.callback(answering.__exit__)
        for number in range(workers):
            worker = node(folder / f"worker{number}", database, 1, answering.key)
            stack.callback(worker.__exit__)
        for image in images[:workers]:
            waited(answering, image)  # the workers' processes have started
        alone = [waited(answering, image) for image in images[:10]]
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as clients:
            numbers = list(clients.map(answering.accepted, images))
        status: list[float] = []
        for number in numbers:
            while True:
                asked = time.monotonic()
                state = answering.get(f"/api/status/{number}").json()["data"]["status"]
                status.append(time.monotonic() - asked)
                if state != "processing":
                    break
                time.sleep(0.02)
        rate = len(images) / (time.monotonic() - begun)
    queue = [1 - work / whole for whole, work in alone]
    status.sort()
    print(
        f"{workers} workers: {rate:6.2f} images/s; {100 * statistics.median(queue):.0f} % of the time of an image alone"
        f" are queue and network; status requests {1000 * status[len(status) // 2]:.0f} ms,"
        f" 99 % within {1000 * status[int(0.99 * len(status))]:.0f} ms",
        flush=True,
    )
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--images", type=int, default=60)
    options = parser.parse_args()
    server = PostgreSQL()
    try:
        with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder) / "s3", "images") as store:
            os.environ |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}", "AWS_ACCESS_KEY_ID": "AK",
                "AWS_SECRET_ACCESS_KEY": "SK", "AWS_REGION": "us-east-1",
            }  # fmt: skip
            rates = [
                run(Path(folder) / number, server, int(number), pictures(options.images))
                for number in options.workers.split(",")
            ]
            print(f"growth: {' '.join(f'{rate / rates[0]:.2f}' for rate in rates)} on {os.cpu_count()} processors")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
