"""Bytes, looks and time of the builtin codecs on the corpus, beside Pillow, oxipng, pngquant and gifsicle.

    python benchmarks/corpus.py [--quality 80] [--processes 1] [FOLDER]

Prints one Markdown table a format: bytes out/in, SSIMULACRA2 mean, mean of the worst tenth, minimum, and seconds of
processor time per MB. A file that a tool can't make smaller counts as it was, with 100.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from inputs import corpus_images, folder_images
from measure import ours, peers, run, summed
from table import markdown

from imgshrink.core.model import Format


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quality", type=int, default=80)
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    rows = {tool: run(tool, paths, options.processes) for tool in (ours(options.quality), *peers())}
    for format in Format:
        lines = [
            summed(tool.name, mine)
            for tool, all_rows in rows.items()
            if (mine := [row for row in all_rows if row.format is format])
        ]
        if lines:
            print(f"\n{format.name}\n\n{markdown(lines)}")
    print(markdown([summed("all formats, imgshrink", next(iter(rows.values())))]))


if __name__ == "__main__":
    main()
