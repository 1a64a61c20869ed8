"""What 5,000 images with a result in the cache cost a build: beside reading, hashing and writing the same bytes.

`python benchmarks/known_images.py [COUNT] [--profile]`. Aim: at most 3 times as much. Both are measured in turns, in
seconds of this process's work, which other programs on the machine change little.
"""

from __future__ import annotations

import cProfile
import hashlib
import os
import pstats
import shutil
import sys
import tempfile
import time
import zlib
from itertools import islice
from pathlib import Path

from imgshrink import load_settings
from imgshrink.core.keys import cache_key, content_hash
from imgshrink.core.model import Entry, Recipe, Source, Verdict
from imgshrink.files.destinations import in_build
from imgshrink.session import Session
from imgshrink.worker_tasks import optimize_verified

IMAGES = Path(__file__).resolve().parents[1] / "example_site" / "docs" / "images"
COUNT, BASES, ROUNDS, AIM = 5000, 12, 5, 3.0
LARGEST = 150_000


def numbered(png: bytes, number: int) -> bytes:
    """Another content that shows the same: the PNG with a text that is of no use to anyone."""
    body = b"tEXtSoftware\0" + str(number).encode()
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:-12] + chunk + png[-12:]


def make(site: Path, session: Session, count: int) -> None:
    """Write `count` images in folders of a hundred, and put the result of each into the cache."""
    files = [path for path in sorted(IMAGES.rglob("*.png")) if path.stat().st_size <= LARGEST]
    pairs = ((data, optimize_verified(data, quality=80)) for data in map(Path.read_bytes, files))
    bases = list(islice(((data, small) for data, small in pairs if len(small) < 0.9 * len(data)), BASES))
    fingerprint = session.engines[-1].fingerprint
    for number in range(count):
        data, small = bases[number % len(bases)]
        path = site / str(number // 100) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image := numbered(data, number))
        entry = Entry(Verdict.BETTER, small, engine="builtin", quality=80)
        session.cache.put(cache_key(content_hash(image), Recipe(), fingerprint), entry)


def plain(site: Path, results: Path) -> float:
    """Seconds of work to read and hash each image, and to write its result beside it and rename it."""
    begun = time.process_time()
    for path in images(site):
        hashlib.sha256(path.read_bytes()).hexdigest()
        result = (results / path.relative_to(site)).read_bytes()
        beside = path.with_suffix(".tmp")
        beside.write_bytes(result)
        beside.rename(path)
    return time.process_time() - begun


def images(site: Path) -> list[Path]:
    return sorted(Path(folder, name) for folder, _, names in os.walk(site) for name in names)


def ours(site: Path, cache: Path) -> float:
    """Seconds of work of a run over the same images, as in a build."""
    begun = time.process_time()
    with Session(load_settings(engine="builtin", cache_dir=str(cache))) as session:
        sources = [Source(path, path.name, Recipe(), ("builtin",)) for path in images(site)]
        done = list(session.run(sources, destination=in_build, in_place=False))
    seconds = time.process_time() - begun
    assert all(row.from_cache and row.after < row.before for row in done)
    return seconds


def main() -> None:
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), COUNT)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        original, site, results, cache = (root / part for part in ("original", "site", "results", "cache"))
        with Session(load_settings(engine="builtin", cache_dir=str(cache))) as session:
            make(original, session, count)
        shutil.copytree(original, results)
        ours(results, cache)
        size = sum(path.stat().st_size for path in images(original))
        print(f"{count} images, {size / 1e6:.1f} MB, all in the cache")
        rounds = []
        for _ in range(ROUNDS):
            pair = []
            for run in (lambda: plain(site, results), lambda: ours(site, cache)):
                shutil.rmtree(site, ignore_errors=True)
                shutil.copytree(original, site)
                pair.append(run())
            rounds.append((pair[1] / pair[0], *pair))
        ratio, least, most = sorted(rounds)[len(rounds) // 2]
        print(f"read, hash, write     {least:6.2f} s   {least / count * 1000:.2f} ms an image")
        print(f"imgshrink, warm       {most:6.2f} s   {most / count * 1000:.2f} ms an image")
        print(f"imgshrink needs {ratio:.2f} of it, the median of {ROUNDS} (aim: at most {AIM:g})")
        if "--profile" in sys.argv:
            shutil.rmtree(site)
            shutil.copytree(original, site)
            profile = cProfile.Profile()
            profile.runcall(ours, site, cache)
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
