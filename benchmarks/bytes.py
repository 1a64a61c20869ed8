"""How small, how good: the builtin codecs at several qualities beside the tools that documentation sites use.

    python benchmarks/bytes.py [--processes 1] [--sheet FOLDER] [--write FILE] [FOLDER]

Prints one Markdown table a format; `--write` keeps them in a file. `--sheet` writes a page with the ten worst-scored
images of each format at quality 80, before and after, to be looked at.
"""

from __future__ import annotations

import argparse
import html
from collections.abc import Sequence
from pathlib import Path

from inputs import corpus_images, folder_images
from measure import Row, markdown, ours, peers, run, short, summed

from imgshrink.model import Format

QUALITIES = (60, 70, 80, 90, 100)
SHOWN = 80
WORST = 10


def main() -> None:
    """Measure, print, and write what was asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--sheet", type=Path)
    arguments.add_argument("--write", type=Path)
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    rows = {tool.name: run(tool, paths, options.processes) for tool in (*map(ours, QUALITIES), *peers())}
    text = "\n".join(_table(format, rows) for format in Format)
    print(text)
    if options.write:
        options.write.write_text(text)
    if options.sheet:
        write_sheet(options.sheet, rows[ours(SHOWN).name])


def _table(format: Format, rows: dict[str, list[Row]]) -> str:
    mine = {name: [row for row in all_rows if row.format is format] for name, all_rows in rows.items()}
    return f"### {format.name}\n\n" + markdown([summed(name, some) for name, some in mine.items() if some])


def write_sheet(folder: Path, rows: Sequence[Row]) -> None:
    """Write index.html with the worst-scored images of each format, before and after at their own size."""
    folder.mkdir(parents=True, exist_ok=True)
    page = ["<!doctype html><meta charset=utf-8><title>Worst looks</title><style>td{vertical-align:top}</style>"]
    for format in Format:
        worst = sorted((row for row in rows if row.format is format), key=lambda row: row.score)[:WORST]
        page.append(f"<h1>{format.name}</h1>")
        page += [_pair(folder, row, f"{format.value}{number}") for number, row in enumerate(worst)]
    (folder / "index.html").write_text("\n".join(page))


def _pair(folder: Path, row: Row, name: str) -> str:
    before, after = f"{name}-before{row.format.extension}", f"{name}-after{row.format.extension}"
    (folder / before).write_bytes(row.path.read_bytes())
    (folder / after).write_bytes(row.data)
    title = f"{html.escape(short(row.path))}: {row.score:.1f}, {row.before} to {row.after} bytes"
    return f"<h2>{title}</h2><table><tr><td><img src={before}><td><img src={after}></table>"


if __name__ == "__main__":
    main()
