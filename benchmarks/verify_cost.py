"""What verify costs by itself: `python benchmarks/verify_cost.py [--every N] [--quality 80] [--share] [FOLDER]`.

Each still is judged beside an honest result at that quality, of another encoder than imgshrink's, so that nothing is
equal byte by byte. Printed for each format: seconds of processor time a megapixel, both decodes counted (aim: .09);
then seconds and the peak of memory for the longest animations beside what imgshrink makes of them, each in a process of
its own. With `--share` instead, for each format: what the builtin codecs take, and verify's share of both (aim: 25 %).
libvips has one thread, as in a worker.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

os.environ["VIPS_CONCURRENCY"] = "1"

from honest import encoded
from inputs import corpus_images, folder_images

from imgshrink.core.model import ImageInfo, Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.color import displayed
from imgshrink.pixels.decode import still
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.verify import verify

LONGEST = 3
_CHILD = """
import sys, time
from pathlib import Path
from imgshrink.pixels.verify import verify, Recipe
original, candidate = (Path(name).read_bytes() for name in sys.argv[1:3])
begun = time.process_time()
print(type(verify(original + bytes(9), candidate, Recipe(int(sys.argv[3])))).__name__)
print(round(time.process_time() - begun, 2), "s")
print(*[line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line])
"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    arguments.add_argument("--every", type=int, default=1)
    arguments.add_argument("--quality", type=int, default=80)
    arguments.add_argument("--share", action="store_true")
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    (_share if options.share else _alone)(paths[:: options.every], options.quality)


def _share(paths: Sequence[Path], quality: int) -> None:
    """Print what the codecs and verify take for all images of each format, verify told what the codec has seen."""
    codecs, checks = defaultdict[str, float](float), defaultdict[str, float](float)
    for path in paths:
        data = path.read_bytes()
        info = sniff(data)
        if info is None or not info.complete:
            continue
        seen, begun = Looks(), time.process_time()
        result = optimize(data, info, Recipe(quality), seen)
        between = time.process_time()
        if result != data:
            verify(data, result, Recipe(quality), seen)
        codecs[info.format.name] += between - begun
        checks[info.format.name] += time.process_time() - between
    for name in [*codecs, "all"]:
        codec, check = (sum(times.values()) if name == "all" else times[name] for times in (codecs, checks))
        print(f"{name:5} codec {codec:6.1f} s, verify {check:6.1f} s, {check / (codec + check):.0%} of both")


def _alone(paths: Sequence[Path], quality: int) -> None:
    """Print what verify takes for stills a megapixel, and for the longest animations."""
    seconds, pixels = defaultdict[str, float](float), defaultdict[str, float](float)
    animations: list[tuple[int, Path]] = []
    for path in paths:
        data = path.read_bytes()
        info = sniff(data)
        if info is None or not info.complete or info.colour == "cmyk":
            continue
        if info.animated:
            animations.append((info.all_pixels, path))
            continue
        if read_metadata(data).icc:
            continue  # an encoder that drops the profile is judged twice
        image = displayed(still(data, info), b"", info.orientation).copy_memory()
        _, candidate = next(encoded(image, info.format, quality), ("", data))
        begun = time.process_time()
        verify(data + bytes(len(candidate)), candidate, Recipe(quality))
        seconds[info.format.name] += time.process_time() - begun
        pixels[info.format.name] += info.pixels / 1e6
    for name, megapixels in pixels.items():
        print(f"{name:5} {megapixels:6.1f} Mpx {seconds[name] / megapixels:.3f} s/Mpx")
    print(f"all stills {sum(seconds.values()) / sum(pixels.values()):.3f} s/Mpx")
    for _, path in sorted(animations, reverse=True)[:LONGEST]:
        with tempfile.NamedTemporaryFile() as result:
            result.write(optimize(path.read_bytes(), _info(path), Recipe(quality), Looks()))
            result.flush()
            command = [sys.executable, "-c", _CHILD, path, result.name, str(quality)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(path.name, " ".join(done.stdout.split()))


def _info(path: Path) -> ImageInfo:
    info = sniff(path.read_bytes())
    assert info is not None
    return info


if __name__ == "__main__":
    main()
