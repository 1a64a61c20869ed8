"""How small, how good: the builtin codecs at several qualities beside the tools that documentation sites use.

    python benchmarks/bytes.py [--processes 1] [--ours] [--sheet FOLDER] [--keep NAME] [FOLDER]

Prints one Markdown table a format, then our time and bytes beside each other tool's. `--ours` leaves the other tools
out. `--sheet` writes a page with the ten worst-scored images of each format at quality 80, before and after, to be
looked at. `--keep corpus` and `--keep unseen` put the figures into benchmarks/figures.json:
`python scripts/figures_page.py` writes the documentation's page from it.
"""

from __future__ import annotations

import argparse
import datetime
import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from inputs import corpus_images, folder_images
from measure import Row, ours, peers, run, short, summed
from table import markdown

from imgshrink.core.model import Format
from imgshrink.engines.builtin.versions import RULES, codec_versions

FIGURES = Path(__file__).with_name("figures.json")
QUALITIES = (60, 70, 80, 90, 100)
SHOWN = 80
WORST = 10


def main() -> None:
    """Measure, print, and write what was asked for."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--ours", action="store_true")
    arguments.add_argument("--sheet", type=Path)
    arguments.add_argument("--keep")
    arguments.add_argument("folder", type=Path, nargs="?")
    options = arguments.parse_args()
    paths = folder_images(options.folder) if options.folder else corpus_images()
    tools = [*map(ours, QUALITIES), *([] if options.ours else peers())]
    rows = {tool.name: run(tool, paths, options.processes) for tool in tools}
    tables = {format.name: _lines(rows, format) for format in Format} | {"All formats": _lines(rows, None)}
    for title, lines in tables.items():
        print(f"### {title}\n\n{markdown(lines)}")
    for tool in tools[len(QUALITIES) :]:
        for line in _beside(rows[ours(SHOWN).name], rows[tool.name], tool.name):
            print(line)
    if options.keep:
        keep(options.keep, tables)
    if options.sheet:
        write_sheet(options.sheet, rows[ours(SHOWN).name])


def _lines(rows: dict[str, list[Row]], format: Format | None) -> list[tuple[str, ...]]:
    """Return a line a tool for a format, or for all together those of the tools that treat all."""
    lines = []
    every = {row.path for row in next(iter(rows.values()))}
    for name, all_rows in rows.items():
        mine = [row for row in all_rows if format in (None, row.format)]
        if mine and (format or {row.path for row in mine} == every):
            lines.append(summed(name, mine))
    return lines


def _beside(mine: Sequence[Row], theirs: Sequence[Row], name: str) -> Iterator[str]:
    """Yield for each format how our time and bytes compare with another tool's in this run."""
    for format in Format:
        left, right = ([row for row in rows if row.format is format] for rows in (mine, theirs))
        if left and right:
            seconds = sum(row.seconds for row in left) / max(0.01, sum(row.seconds for row in right))
            size = sum(row.after for row in left) / sum(row.after for row in right)
            yield f"{format.name} at {SHOWN}: {seconds:.2f} of the time and {size:.2f} of the bytes of {name}"


def keep(name: str, tables: dict[str, list[tuple[str, ...]]]) -> None:
    """Put a set's tables into the file of figures, with what they were measured with."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.is_file() else {}
    figures[name] = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "rules": RULES,
        "codecs": codec_versions(),
        "tables": tables,
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


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
