"""Where the builtin codecs' time goes: each step's share of the processor time, by format.

    python benchmarks/steps.py [--quality 80] [--verify] [FOLDER]

Prints one Markdown table: seconds per MB of input, and how much of them each step takes. `--verify` counts the check of
the result too, which a run adds in the same worker.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import time
from collections import defaultdict
from pathlib import Path

from inputs import corpus_images, folder_images
from measure import ours

from imgshrink.core.model import Format, Recipe
from imgshrink.engines.builtin import codecs, gif, jpeg, places, png, png_lossless, score, webp
from imgshrink.engines.builtin.gif import canvas, writer
from imgshrink.image.sniff import sniff
from imgshrink.pixels.looks import Looks
from imgshrink.pixels.verify import verify

os.environ.setdefault("VIPS_CONCURRENCY", "1")

STEPS = {
    "decode": [png._decoded, jpeg.decoded, webp._decoded, gif.read_frames],
    "reference": [score.Reference.__init__],
    "encode": [jpeg.encoded, png.quantized, webp.encoded],
    "score": [score.Reference.score],
    "places": [places.PlaceScorer.scores],
    "look": [Looks.measure],
    "recode": [jpeg.transcode, png_lossless.squeeze, png_lossless.rough],
    "compose": [canvas.Player.show, canvas.compare, canvas.Canvas.take],
    "write": [writer.write],
    "verify": [verify],
}
"""Functions of which none calls another one, except that what `decode` reads for `score` counts there."""


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
    profile = cProfile.Profile(time.process_time)
    for data in contents:
        profile.runcall(_treat, data, recipe, verified)
    stats = pstats.Stats(profile)
    total = stats.total_tt  # type: ignore[attr-defined]  # not in the stub
    shares = _shares(stats)
    cells = [f"{shares[step] / total:.0%}" if shares[step] else "" for step in STEPS]
    rest = 1 - sum(shares.values()) / total
    cells = [format.name, f"{total / sum(map(len, contents)) * 1e6:.2f}", *cells, f"{max(0, rest):.0%}"]
    return f"| {' | '.join(cells)} |"


def _treat(data: bytes, recipe: Recipe, verified: bool) -> None:
    info = sniff(data)
    assert info is not None
    seen = Looks()
    result = codecs.optimize(data, info, recipe, seen)
    if verified and result != data:
        verify(data, result, recipe, seen)


def _shares(stats: pstats.Stats) -> defaultdict[str, float]:
    """Return the seconds of each step."""
    places = {
        (function.__code__.co_filename, function.__code__.co_firstlineno, function.__code__.co_name): step
        for step, functions in STEPS.items()
        for function in functions
    }
    seconds: defaultdict[str, float] = defaultdict(float)
    for place, (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]  # not in the stub
        if place in places:
            seconds[places[place]] += cumulative
    return seconds


if __name__ == "__main__":
    main()
