"""Finds other tools that work on the same images, in their configuration files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..site_file import NAMES, PLUGIN, plugins_of

if TYPE_CHECKING:
    from ...session import Session

HOOKS = ".pre-commit-config.yaml"
HOOK = re.compile(r"^id:\s*['\"]?(?P<id>[\w.-]+)", re.MULTILINE)
"""A hook; `_split` puts each on a line of its own, in whatever form of YAML it stands."""

STRIPS = re.compile(r"--strip|(?<![\w-])-s\b")
OPTIMIZERS = re.compile(
    r"^(optimi[sz]e-.*|oxipng|optipng|pngquant|pngcrush|zopflipng|jpegoptim|jpegtran|gifsicle|imgoptim|trimage|picopt|squoosh.*|image-optimi[sz]er.*)$"
)
STRIPPERS = re.compile(
    r"(strip|remove|clean|clear|scrub).*(exif|metadata)|(exif|metadata).*(strip|remov|clean|clear|scrub)|^mat2$"
)
LARGE = "check-added-large-files"
MATERIAL = re.compile(
    r"^\s*-\s+['\"]?(?:material/)?optimize['\"]?:?[ \t]*(?P<options>(?:\n[ \t]{3,}[^\s-].*)*)$", re.MULTILINE
)
OURS = re.compile(r"^\s*-\s+['\"]?imgshrink\b", re.MULTILINE)
OFF = re.compile(r"enabled:\s*(?:false|no|off)\b", re.IGNORECASE)
ZENSICAL = "zensical.toml"


def neighbours(session: Session, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:  # noqa: ARG001  the signature of a section
    """Name the hooks and plugins that undo or repeat the shrinking, and the generator that does not know it."""
    lines = [*_hooks(folder), *_sites(folder), *_zensical(folder)]
    yield from lines or ["none found"]


def _hooks(folder: Path) -> Iterator[str]:
    text = _text(next((place / HOOKS for place in (folder, *folder.parents) if os.path.isfile(place / HOOKS)), None))
    text = "\n".join(_split(line) for line in text.splitlines())
    found = list(HOOK.finditer(text))
    ends = [match.start() for match in found] + [len(text)]
    names = [match["id"] for match in found]
    for match, end in zip(found, ends[1:], strict=True):
        name, block = match["id"], text[match.start() : end]
        if name == "oxipng" and STRIPS.search(block):
            yield f"! {HOOKS}: oxipng --strip removes the seal, and imgshrink adds it again: use only one of them"
        elif OPTIMIZERS.match(name):
            yield f"! {HOOKS}: {name} works on the same images: use only one of them"
        elif STRIPPERS.search(name):
            yield f"! {HOOKS}: {name} removes the seal, and imgshrink adds it again: put it before imgshrink"
    if LARGE in names and PLUGIN in names[names.index(LARGE) :]:
        yield f"! {HOOKS}: {LARGE} measures images before they are shrunk: put it after imgshrink"


def _split(line: str) -> str:
    """Put each hook of a line on a line of its own."""
    return line if line.lstrip().startswith("#") else re.sub(r"(?<![\w-])(?=id:)", "\n", line)


def _sites(folder: Path) -> Iterator[str]:
    for name in NAMES:
        if _has_both(folder / name):
            yield f"! {name}: Material's optimize is on as well, so PNG and JPEG are left to it: remove it"


def _has_both(file: Path) -> bool:
    """Return whether our plugin and Material's optimize are on in the site's file."""
    plugins = plugins_of(file) if os.path.isfile(file) else {}
    if plugins is None:
        text = _text(file)
        match = MATERIAL.search(text)
        return bool(match and OURS.search(text) and not OFF.search(match["options"]))
    material = [plugins[name] for name in ("optimize", "material/optimize") if name in plugins]
    on = (not isinstance(options, Mapping) or options.get("enabled") is not False for options in material)
    return PLUGIN in plugins and any(on)


def _zensical(folder: Path) -> Iterator[str]:
    named = any(PLUGIN in (plugins_of(folder / name) or {}) for name in NAMES if os.path.isfile(folder / name))
    if os.path.isfile(folder / ZENSICAL) or (named and find_spec("zensical") is not None):
        yield (
            "! Zensical runs no plugins of others, and ignores imgshrink without a word: run imgshrink optimize site/ "
            "after each build"
        )


def _text(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
