"""The most memory that a worker needs, encoding and verifying: `python benchmarks/memory.py [FOLDER]`.

Linux only. Each image gets a new worker; printed are the largest of each format, the worker's start, and what one
worker came to that treated all of them. Aim: 250 MB.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import defaultdict
from pathlib import Path

from inputs import corpus_images, folder_images
from measure import short

from imgshrink.image.sniff import sniff
from imgshrink.worker_tasks import worker_pool

QUALITY = 80
SHOWN = 3


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    folder = arguments.parse_args().folder
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    paths = folder_images(folder) if folder else corpus_images()
    for path in paths:
        data = path.read_bytes()
        info = sniff(data)
        if info is not None:
            found[info.format.name].append((peak(data), short(path)))
    print(f"started, nothing done: {peak():.0f} MB")
    print(f"one after the other: {peak(*(path.read_bytes() for path in paths)):.0f} MB")
    for name, peaks in found.items():
        for megabytes, path in sorted(peaks, reverse=True)[:SHOWN]:
            print(f"{name}: {megabytes:.0f} MB, {path}")


def peak(*contents: bytes) -> int:
    """Return the most memory in MB that a worker ever had in use who treated these images."""
    workers = worker_pool(1)
    try:
        for data in contents:
            result, _ = workers.call("optimize", data, quality=QUALITY)
            if result != data:
                workers.call("verify", data, result, quality=QUALITY)
        if not contents:
            workers.call("verify", b"", b"", quality=QUALITY)
        (child,) = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
        status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]  # every process has it
    finally:
        workers.close()


if __name__ == "__main__":
    main()
