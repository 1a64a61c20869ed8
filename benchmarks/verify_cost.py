"""What verify costs by itself: `python benchmarks/verify_cost.py [--every N] [--quality 80] [FOLDER]`.

Each image is judged beside an honest result at that quality, of another encoder than imgshrink's, so that nothing is
equal byte by byte. Printed for each format: seconds of processor time a megapixel, of stills and of animations, both
decodes counted; then seconds and the peak of memory for the longest animations, each in a process of its own. Aim: .09.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from honest import encoded
from inputs import corpus_images, folder_images

from imgshrink.core.model import Recipe
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.color import displayed
from imgshrink.pixels.decode import still
from imgshrink.pixels.verify import verify

LONGEST = 3
_CHILD = """
import sys, time
from pathlib import Path
from imgshrink.pixels.verify import verify, Recipe
original, candidate = (Path(name).read_bytes() for name in sys.argv[1:3])
print(type(verify(original + bytes(9), candidate, Recipe(80))).__name__, round(time.process_time(), 2))
print(*[line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line])
"""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, nargs="?")
    arguments.add_argument("--every", type=int, default=1)
    arguments.add_argument("--quality", type=int, default=80)
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    seconds: defaultdict[str, float] = defaultdict(float)
    pixels: defaultdict[str, float] = defaultdict(float)
    animations: list[tuple[int, Path]] = []
    for path in paths[:: options.every]:
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
        _, candidate = next(encoded(image, info.format, options.quality), ("", data))
        begun = time.process_time()
        verify(data + bytes(len(candidate)), candidate, Recipe(options.quality))
        seconds[info.format.name] += time.process_time() - begun
        pixels[info.format.name] += info.pixels / 1e6
    for name, megapixels in pixels.items():
        print(f"{name:5} {megapixels:6.1f} Mpx {seconds[name] / megapixels:.3f} s/Mpx")
    print(f"all stills {sum(seconds.values()) / sum(pixels.values()):.3f} s/Mpx")
    for _, path in sorted(animations, reverse=True)[:LONGEST]:
        done = subprocess.run([sys.executable, "-c", _CHILD, path, path], capture_output=True, text=True, check=True)
        print(path.name, " ".join(done.stdout.split()))


if __name__ == "__main__":
    main()
