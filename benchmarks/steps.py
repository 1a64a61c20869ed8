"""Where the builtin codecs' time goes: each step's share of the processor time, by format.

    python benchmarks/steps.py [--quality 80] [--verify] [FOLDER]

Prints one Markdown table: seconds per MB of input, and how much of them each step takes. `--verify` counts the check of
the result too, which a run adds in the same worker.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Self

from inputs import corpus_images, folder_images
from measure import ours

from imgshrink.core.model import Format, Recipe
from imgshrink.engines.builtin import codecs, exact, jpeg, palette, places, png, png_lossless, score, webp
from imgshrink.engines.builtin.gif import canvas, inspection, reader, writer
from imgshrink.image.sniff import sniff
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.verify import verify

os.environ.setdefault("VIPS_CONCURRENCY", "1")

STEPS = {
    "decode": [png._decoded, jpeg.decoded, webp._decoded, reader.read_frames],
    "reference": [score.Reference.__init__],
    "encode": [jpeg.encoded, palette.quantized, palette.quantized_to_sight, webp.encoded],
    "score": [score.Reference.score],
    "places": [places.PlaceScorer.scores],
    "exact": [exact.ExactScorer.scores],
    "look": [Looks.measure, inspection.first_good, inspection.Worst.looks_well],
    "recode": [jpeg.transcode, png_lossless.squeeze, png_lossless.rough],
    "compose": [canvas.Player.show, canvas.compare, canvas.Canvas.take],
    "write": [writer.write],
    "verify": [verify],
}
"""Functions by step."""

_INTERVAL = 0.001
"""Seconds of processor time."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quality", type=int, default=80)
    arguments.add_argument("--verify", action="store_true")
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    ours(options.quality)
    print("| | s/MB | " + " | ".join(STEPS) + " | rest |")
    print("|---" + "|---:" * (len(STEPS) + 2) + "|")
    for format in Format:
        contents = [data for path in paths if (info := sniff(data := path.read_bytes())) and info.format is format]
        if contents:
            print(_line(format, contents, Recipe(options.quality), options.verify))


def _line(format: Format, contents: list[bytes], recipe: Recipe, verified: bool) -> str:
    with Sampler() as sampler:
        for data in contents:
            _treat(data, recipe, verified)
    cells = [f"{sampler.seconds[step] / sampler.total:.0%}" if sampler.seconds[step] else "" for step in STEPS]
    rest = max(0.0, 1 - sum(sampler.seconds.values()) / sampler.total)
    cells = [format.name, f"{sampler.total / sum(map(len, contents)) * 1e6:.2f}", *cells, f"{rest:.0%}"]
    return f"| {' | '.join(cells)} |"


def _treat(data: bytes, recipe: Recipe, verified: bool) -> None:
    info = sniff(data)
    assert info is not None
    seen = Looks()
    result = codecs.optimize(data, info, recipe, seen)
    if verified and result != data:
        verify(data, result, recipe, seen)


class Sampler:
    """Adds up the processor time of each step, of all threads: a profiler of calls would double some of them.

    A signal comes after each millisecond of processor time; what was used since the one before counts for the
    innermost step that runs.
    """

    def __init__(self) -> None:
        self.total = 0.0
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._last = 0.0
        self._steps = {function.__code__: step for step, functions in STEPS.items() for function in functions}

    def __enter__(self) -> Self:
        """Begin."""
        self._last = time.process_time()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._sample(0, None)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        now = time.process_time()
        spent, self._last = now - self._last, now
        self.total += spent
        while frame is not None:
            if step := self._steps.get(frame.f_code):
                self.seconds[step] += spent
                return
            frame = frame.f_back


if __name__ == "__main__":
    main()
