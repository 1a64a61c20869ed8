"""Run one optimizer over many images, one after the other, and sum up bytes, looks and time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import fmean

import oxipng
import pyvips
from inputs import CORPUS
from metric import score
from PIL import Image

from imgshrink.core.model import Format, Recipe
from imgshrink.image.sniff import sniff

NODE = "IMGSHRINK_NODE"

os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

Optimizer = Callable[[bytes], "bytes | tuple[bytes, float]"]
"""Returns the result, and the seconds that count where the processor time of all its programs would be unfair."""


@dataclass(frozen=True)
class Row:
    """What one optimizer made of one image; `score` is SSIMULACRA2, 100 for a file that was left alone."""

    path: Path
    format: Format
    before: int
    after: int
    score: float
    seconds: float
    data: bytes


@dataclass(frozen=True)
class Tool:
    """An optimizer and the formats it treats."""

    name: str
    formats: tuple[Format, ...]
    run: Optimizer


def ours(quality: int) -> Tool:
    """Return the builtin codecs at a quality, in this process."""
    return Tool(f"imgshrink q{quality}", tuple(Format), _Ours(quality))


@dataclass(frozen=True)
class _Ours:
    quality: int

    def __call__(self, data: bytes) -> bytes:
        from imgshrink.engines.builtin.codecs import optimize

        info = sniff(data)
        assert info is not None
        return optimize(data, info, Recipe(self.quality))


def peers() -> list[Tool]:
    """Return the tools of the field that are at hand here."""
    tools = [
        Tool("Pillow, JPEG q60 progressive (Material)", (Format.JPEG,), pillow_jpeg),
        Tool("Pillow's defaults, with profile", (Format.JPEG, Format.PNG, Format.WEBP), pillow_default),
        Tool("mozjpeg q75", (Format.JPEG,), mozjpeg),
        Tool("oxipng -o2", (Format.PNG,), oxipng_level_2),
    ]
    if shutil.which("pngquant"):
        tools.append(Tool("Material's optimize", tuple(Format), material))
        tools.append(Tool("pngquant -s3 (Material)", (Format.PNG,), pngquant))
        tools.append(Tool("pngquant -s3, then oxipng -o2", (Format.PNG,), pngquant_and_oxipng))
    if sharp_at_hand():
        tools.append(Tool("sharp q80", tuple(Format), sharp))
    if shutil.which("gifsicle"):
        tools.append(Tool("gifsicle -O3", (Format.GIF,), gifsicle))
        tools.append(Tool("gifsicle -O3 --lossy=20", (Format.GIF,), gifsicle_lossy))
    return tools


def pillow_jpeg(data: bytes) -> bytes:
    """Encode as Material's plugin does."""
    out = BytesIO()
    Image.open(BytesIO(data)).convert("RGB").save(out, "jpeg", quality=60, progressive=True)
    return out.getvalue()


def pillow_default(data: bytes) -> bytes:
    """Save again with `optimize`, the colour profile, and otherwise Pillow's defaults."""
    out = BytesIO()
    image = Image.open(BytesIO(data))
    image.save(out, image.format, optimize=True, icc_profile=image.info.get("icc_profile"))
    return out.getvalue()


def oxipng_level_2(data: bytes) -> bytes:
    """Recode without loss."""
    return bytes(oxipng.optimize_from_memory(data, level=2, strip=oxipng.StripChunks.safe()))


def pngquant(data: bytes) -> bytes:
    """Quantize as Material's plugin does; the input where pngquant refuses."""
    done = subprocess.run(["pngquant", "--speed=3", "--strip", "-"], input=data, capture_output=True, check=False)
    return done.stdout or data


def mozjpeg(data: bytes) -> bytes:
    """Encode once with all that mozjpeg's own command does by default."""
    image = pyvips.Image.jpegload_buffer(data)
    settings = {"trellis_quant": True, "overshoot_deringing": True, "optimize_scans": True, "quant_table": 3}
    return bytes(image.jpegsave_buffer(Q=75, interlace=True, optimize_coding=True, keep="icc", **settings))


def material(data: bytes) -> bytes:
    """Do what Material's plugin does by default: nothing to GIF and WebP."""
    treat = {Format.PNG: pngquant, Format.JPEG: pillow_jpeg}
    info = sniff(data)
    return treat[info.format](data) if info is not None and info.format in treat else data


def pngquant_and_oxipng(data: bytes) -> bytes:
    """Quantize, then recode without loss."""
    return oxipng_level_2(pngquant(data))


def sharp_at_hand() -> bool:
    """Whether node finds sharp in the folder that IMGSHRINK_NODE names: one where `npm install sharp` was run."""
    folder = os.environ.get(NODE)
    if not folder or not shutil.which("node"):
        print(f"sharp is not measured: it needs node, and {NODE} naming a folder where `npm install sharp` was run")
        return False
    return True


def sharp(data: bytes) -> tuple[bytes, float]:
    """Encode with sharp, as build plugins call it."""
    script = Path(__file__).with_name("sharp.mjs")
    command = ["node", str(script), os.environ[NODE]]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return done.stdout, float(done.stderr)


def gifsicle(data: bytes) -> bytes:
    """Optimize without loss."""
    return subprocess.run(["gifsicle", "-O3"], input=data, capture_output=True, check=True).stdout


def gifsicle_lossy(data: bytes) -> bytes:
    """Optimize with slight loss."""
    return subprocess.run(["gifsicle", "-O3", "--lossy=20"], input=data, capture_output=True, check=True).stdout


def run(tool: Tool, paths: Iterable[Path], processes: int = 1) -> list[Row]:
    """Treat every image of the tool's formats, largest first; a result that is not smaller counts as left alone."""
    mine = [path for path in paths if (info := sniff(path.read_bytes())) and info.format in tool.formats]
    mine.sort(key=lambda path: -path.stat().st_size)
    if processes == 1:
        return [_row(tool, path) for path in mine]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(_row, [tool] * len(mine), mine))


def _row(tool: Tool, path: Path) -> Row:
    data = path.read_bytes()
    info = sniff(data)
    assert info is not None
    begun = _processor_time()
    seconds = None
    try:
        result = tool.run(data)
        if isinstance(result, tuple):
            result, seconds = result
    except Exception as error:  # noqa: BLE001 - a tool that fails leaves the file as it is
        print(f"  {tool.name}: {short(path)}: {type(error).__name__}: {error}")
        result = data
    if seconds is None:
        seconds = _processor_time() - begun
    result = result if len(result) < len(data) else data
    return Row(path, info.format, len(data), len(result), _looks(data, result), seconds, result)


def _processor_time() -> float:
    """Return seconds of processor time of this process and the programs it called; others may use the machine."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _looks(before: bytes, after: bytes) -> float:
    try:
        return score(before, after)
    except (OSError, ValueError) as error:
        print(f"  no score: {error}")
        return float("nan")


def short(path: Path) -> str:
    """Return the path for people."""
    return str(path.relative_to(CORPUS)) if path.is_relative_to(CORPUS) else path.name


def summed(name: str, rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the cells of one line of a table, see `table.HEAD`."""
    scores = sorted(row.score for row in rows)
    before = sum(row.before for row in rows)
    tenth = fmean(scores[: max(1, len(scores) // 10)])
    return (
        name,
        str(len(rows)),
        f"{sum(row.after for row in rows) / before:.3f}",
        f"{fmean(scores):.1f}",
        f"{tenth:.1f}",
        f"{scores[0]:.1f}",
        f"{sum(row.seconds for row in rows) / before * 1e6:.2f}",
    )
